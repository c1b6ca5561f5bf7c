"""What agents say of themselves by feature code: pause, resume, log in to queues and out of them.

Each handler says what it did, to the agent's ear and to the call's history.
"""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from pbx.flows import own_words
from pbx.flows.own_words import own

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
            return await _say(it, own_words.NO_SUCH_REASON)
        reason = PAUSE_REASONS[place]
    it.around.board.pause(it.agent, reason, BY)
    if reason:
        return await _say(it, own_words.PAUSED_FOR, reason=reason)
    return await _say(it, own_words.PAUSED)


async def resume(it: "FeatureCall") -> str:
    it.around.board.resume(it.agent, BY)
    return await _say(it, own_words.RESUMED)


async def log_in(it: "FeatureCall") -> str:
    """``*45`` to every queue, ``*45601`` to the one with that extension."""
    return await _each_queue(it, it.around.board.log_in, own_words.LOGGED_IN)


async def log_out(it: "FeatureCall") -> str:
    return await _each_queue(it, it.around.board.log_out, own_words.LOGGED_OUT)


async def _each_queue(
    it: "FeatureCall", change: Callable[[str, str, str], None], done: Mapping[str, str]
) -> str:
    mine = it.around.queues.of_member(it.agent)
    if it.argument:
        mine = [name for name in mine if it.around.queues.extension(name) == it.argument]
        if not mine:
            return await _say(it, own_words.NOT_OF_QUEUE)
    if not mine:
        return await _say(it, own_words.NOT_OF_ANY)
    for name in mine:
        change(it.agent, name, BY)
    queue = mine[0] if it.argument else own(own_words.ALL_QUEUES, it.around.language).text
    return await _say(it, done, queue=queue)


async def _say(it: "FeatureCall", words: Mapping[str, str], **values: str) -> str:
    """The record is in English, whatever was heard."""
    await it.call.play(own(words, it.around.language, **values))
    return own(words, "en", **values).text
