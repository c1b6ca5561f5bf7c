"""Agents as the switchboard sees them: who rings, who talks, who is away, and since when."""

from pbx.agents.board import AgentBoard, AgentState, AgentView, Reservation
from pbx.agents.presence import HERE, Presence
from pbx.agents.watch import AgentWatch

__all__ = ["HERE", "AgentBoard", "AgentState", "AgentView", "AgentWatch", "Presence", "Reservation"]
