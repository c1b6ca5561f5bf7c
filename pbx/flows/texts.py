"""Every text that a site's flows may speak, so that it can be made before a caller waits for it.

Texts with values in them are made when they are spoken, and kept.
"""

from collections.abc import Iterable, Iterator

from pbx.flows.flow import Flow
from pbx.flows.prompts import Said
from pbx.flows.templates import template


def spoken_texts(
    flows: Iterable[Flow], whispers: Iterable[str], languages: Iterable[str]
) -> set[tuple[str, str]]:
    """Texts with the language of each; "" is the synthesiser's own."""
    every = list(languages)
    found = {(text, "") for text in whispers if text}
    for flow in flows:
        for said in _of(flow):
            for _, text, language in said.texts():
                cut = template(text)
                if text and not cut.names:
                    spoken_in = [""] if said.to_agent else [language] if language else every
                    found |= {(cut.put({}), each) for each in spoken_in}
    return found


def _of(flow: Flow) -> Iterator[Said]:
    for step in flow.steps.values():
        yield from step.said()
