"""Feature codes: what an agent's phone can be asked for by dialling ``*`` and digits.

A code is a line of :data:`FEATURES`: its name, what is dialled, what it does, and the function that
does it. ``feature_codes:`` in ``config.yaml`` gives a code other digits (``echo: "*9"``) or takes it
away (``echo: ""``). What is dialled behind a code is its argument: ``*7101`` is ``*7`` for 101.

A handler drives the agent's own call by the verbs of :class:`~pbx.flows.control.CallControl` and
returns, in words for the call's history, what it did; the call ends when it returns.

Codes pressed *during* a talk, for phones without a key for it, are :data:`IN_CALL`; :mod:`pbx.talk` acts
on them.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pbx.agents import by_phone
from pbx.flows.control import AgentTarget, AnsweredLeg
from pbx.flows.own_words import ECHO, NOBODY_CALLED, NOBODY_PARKED, own
from pbx.supervision import supervise

if TYPE_CHECKING:
    from pbx.calls import LiveCall
    from pbx.config.site import Site
    from pbx.flows.interpreter import Surroundings


@dataclass(frozen=True, slots=True)
class FeatureCall:
    """An agent who dialled a feature code, and what the handler may use.

    ``go_on`` treats the call as if something else had been dialled, and returns when that is over;
    ``last_caller`` finds the number of the agent's last caller, "" if there was none.
    """

    agent: str
    site: "Site"
    argument: str
    call: "LiveCall"
    around: "Surroundings"
    go_on: Callable[[str], Awaitable[str]]
    last_caller: Callable[[], Awaitable[str]]


@dataclass(frozen=True, slots=True)
class Feature:
    """One code. ``code`` is what is dialled unless the site says otherwise."""

    name: str
    code: str
    does: str
    run: Callable[[FeatureCall], Awaitable[str]]


async def _echo(it: FeatureCall) -> str:
    await it.call.play(own(ECHO, it.around.language))
    await it.call.echo()
    return "the echo test ended"


async def _call_back(it: FeatureCall) -> str:
    number = await it.last_caller()
    if not number:
        await it.call.play(own(NOBODY_CALLED, it.around.language))
        return "nobody has called this agent yet"
    return await it.go_on(number)


async def _pick_up(it: FeatureCall) -> str:
    me = AnsweredLeg(it.call.facts.call_id, AgentTarget(it.agent))
    room = it.around.parking.pick_up(it.argument, me)
    if room is None:
        await it.call.play(own(NOBODY_PARKED, it.around.language))
        return f"nobody is parked at {it.argument}"
    talk = await it.call.confer(room)
    return f"picked up the call at {it.argument} and talked for {talk.stayed_s:.0f} s"


FEATURES = (
    Feature("echo", "*43", "Hear yourself: an echo test.", _echo),
    Feature("pick_up", "*7", "With an orbit behind it: pick up the call that is parked there.", _pick_up),
    Feature("call_back", "*69", "Call back the last caller you talked to.", _call_back),
    Feature("pause", "*41", "Pause; a digit behind it is the reason.", by_phone.pause),
    Feature("resume", "*42", "Take calls again, also out of a wrap-up.", by_phone.resume),
    Feature(
        "log_in", "*45", "Log in to your queues, or to the one whose extension follows.", by_phone.log_in
    ),
    Feature(
        "log_out", "*46", "Log out of your queues, or of the one whose extension follows.", by_phone.log_out
    ),
    Feature(
        "supervise",
        "*33",
        "Listen to the agent whose extension follows; then 1 listens, 2 whispers, 3 speaks to both.",
        supervise,
    ),
)


@dataclass(frozen=True, slots=True)
class InCallCode:
    """Keys that an agent presses in a talk, and then a destination, up to # or a pause."""

    name: str
    code: str
    does: str


IN_CALL = (
    InCallCode("blind_transfer", "##", "In a talk: transfer the other party at once."),
    InCallCode("attended_transfer", "*2", "In a talk: speak to somebody first; hang up to transfer."),
    InCallCode("park", "*7", "In a talk: park the other party; you hear at which orbit."),
)


NAMES = tuple(each.name for each in (*FEATURES, *IN_CALL))


def handler(name: str) -> Feature:
    return next(feature for feature in FEATURES if feature.name == name)


def dialled_codes(renamed: Mapping[str, str]) -> dict[str, str]:
    """Feature names by what is dialled, with the site's own digits where it gives some."""
    codes = {renamed.get(feature.name, feature.code): feature.name for feature in FEATURES}
    codes.pop("", None)
    return codes


def in_call_codes(renamed: Mapping[str, str]) -> dict[str, str]:
    """The same of the codes pressed in a talk."""
    codes = {renamed.get(each.name, each.code): each.name for each in IN_CALL}
    codes.pop("", None)
    return codes
