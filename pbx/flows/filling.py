"""``{name}`` in a text that leaves the house (a webhook's body, an SMS, an orbit): what the call knows.

A name is one of the call's values (``zip``, ``ring.agent``) or a fact of it. One that the call has not
found out yet is nothing. Braces around anything that is no name stay as they are.
"""

import re
from collections.abc import Callable

from pbx.flows.control import CallControl

_NAME = re.compile(r"\{([A-Za-z_][\w-]*(?:\.[\w-]+)*)\}")

_FACTS: dict[str, Callable[[CallControl], str]] = {
    "call_id": lambda call: call.facts.call_id,
    "caller": lambda call: call.facts.caller,
    "did": lambda call: call.facts.did,
    "source": lambda call: call.facts.source,
    "flow": lambda call: call.facts.flow,
    "trunk": lambda call: call.facts.trunk,
    "attestation": lambda call: call.facts.attestation,
}


def filled(text: str, call: CallControl, quote: Callable[[str], str] = str) -> str:
    """``text`` with each name replaced by ``quote`` of what it stands for."""

    def value(match: re.Match[str]) -> str:
        name = match[1]
        if name in call.values:
            return quote(call.values[name])
        fact = _FACTS.get(name)
        return quote(fact(call)) if fact else ""

    return _NAME.sub(value, text)
