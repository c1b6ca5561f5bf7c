"""Queues: callers wait in line, and the first of them gets the next agent who is free.

:mod:`~pbx.queues.line` says who gets whom, :mod:`~pbx.queues.strategies` who is rung of several,
:mod:`~pbx.queues.queues` is a caller's time from joining to the end of the talk.
"""

from pbx.queues.needs import NOTHING, Needs, parse_skill, parse_skills
from pbx.queues.queues import Queues
from pbx.queues.result import Asking, QueueEnd, QueueResult

__all__ = ["NOTHING", "Asking", "Needs", "QueueEnd", "QueueResult", "Queues", "parse_skill", "parse_skills"]
