"""Agents and queues for tests of what shows them."""

from collections.abc import Callable

from pbx.agents import AgentBoard, AgentWatch
from pbx.clock import Clock
from pbx.config.models import Config
from pbx.events import CallEvent
from pbx.queues import Queues
from pbx.web.state import Floor


def floor(
    config: Config,
    clock: Clock,
    publish: Callable[[CallEvent], None] = lambda event: None,
    reachable: Callable[[str], bool] = lambda agent: True,
) -> Floor:
    board = AgentBoard(config.agents, clock, reachable)
    return Floor(board, AgentWatch(board, clock, publish), Queues(config.queues, board, config.agents))
