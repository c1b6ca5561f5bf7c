"""What a scripted caller presses, and how people write it.

``2,07102,1`` is what the caller presses at each prompt that asks for keys, ``""`` (as in ``1,,2``) to let
one pass. ``2071021`` is keys in a row: each prompt takes as many as it asks for, or up to the key that
ends them, as when somebody who knows the menu types ahead.
"""

import re
from collections import deque
from collections.abc import Callable, Sequence

_BETWEEN_PROMPTS = re.compile(r"\s*,\s*|\s+")


def written(text: str) -> Sequence[str]:
    """``"2,07102,1"`` or ``"2 07102 1"``: a list, prompt by prompt; ``"2071021"``: a str, keys in a row."""
    return _BETWEEN_PROMPTS.split(text) if _BETWEEN_PROMPTS.search(text) else text


class Keypad:
    """``press`` as :class:`pbx.flows.simulated.Script` has it: a list, or a str of keys in a row."""

    def __init__(self, press: Sequence[str]) -> None:
        self._row = press if isinstance(press, str) else ""
        self._by_prompt = deque(() if isinstance(press, str) else press)
        self.prompts = 0
        """How many prompts the caller had keys for, or let pass."""

    def at_prompt(self, most: int, is_end: Callable[[str], bool]) -> str:
        """What is pressed where at most so many keys are asked for; fewer if what was pressed ``is_end``."""
        if self._by_prompt:
            self.prompts += 1
            return self._by_prompt.popleft()
        ends = (end for end in range(1, most) if is_end(self._row[:end]))
        end = next(ends, most)
        taken, self._row = self._row[:end], self._row[end:]
        return taken
