"""What agents say of themselves by feature code: pause, resume, log in to queues and out of them.

Each handler says what it did, to the agent's ear and to the call's history.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

from pbx.flows.control import Prompt

if TYPE_CHECKING:
    from pbx.feature_codes import FeatureCall

PAUSE_REASONS = ("break", "lunch", "meeting", "training", "other work")
"""By the digit dialled behind the code, from 1."""

BY = "phone"


async def pause(it: "FeatureCall") -> str:
    """``*41``, or ``*412`` for the second reason."""
    reason = ""
    if it.argument:
        place = "12345".find(it.argument)
        if place < 0 or len(it.argument) > 1:
            return await _say(it, "There is no such reason for a pause.")
        reason = PAUSE_REASONS[place]
    it.around.board.pause(it.agent, reason, BY)
    return await _say(it, f"You are paused: {reason}." if reason else "You are paused.")


async def resume(it: "FeatureCall") -> str:
    it.around.board.resume(it.agent, BY)
    return await _say(it, "You take calls again.")


async def log_in(it: "FeatureCall") -> str:
    """``*45`` to every queue, ``*45601`` to the one with that extension."""
    return await _each_queue(it, it.around.board.log_in, "You are logged in to")


async def log_out(it: "FeatureCall") -> str:
    return await _each_queue(it, it.around.board.log_out, "You are logged out of")


async def _each_queue(it: "FeatureCall", change: Callable[[str, str, str], None], done: str) -> str:
    mine = it.around.queues.of_member(it.agent)
    if it.argument:
        mine = [name for name in mine if it.around.queues.extension(name) == it.argument]
        if not mine:
            return await _say(it, "You are no member of that queue.")
    if not mine:
        return await _say(it, "You are no member of any queue.")
    for name in mine:
        change(it.agent, name, BY)
    return await _say(it, f"{done} {mine[0] if it.argument else 'all your queues'}.")


async def _say(it: "FeatureCall", text: str) -> str:
    await it.call.play(Prompt(text=text))
    return text
