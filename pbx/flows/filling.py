"""``{name}`` in a text that no caller hears (a webhook's body, an SMS, a whisper, a value): what the
call knows, as it is. How a value is *spoken* is of no matter there, so filters are left aside.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

from pbx.flows.control import CallControl
from pbx.flows.known import look_up
from pbx.flows.templates import template

if TYPE_CHECKING:
    from pbx.flows.interpreter import Surroundings


async def filled(
    text: str, call: CallControl, around: "Surroundings", quote: Callable[[str], str] = str
) -> str:
    """``text`` with each name replaced by ``quote`` of what it stands for; one not known yet is nothing."""
    cut = template(text)
    return cut.put(await look_up(cut.names, call, around) if cut.names else {}, quote)
