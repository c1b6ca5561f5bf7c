"""Every text that a site's flows may speak, so that it can be made before a caller waits for it.

Texts with values in them are made when they are spoken, and kept.
"""

from collections.abc import Iterable, Iterator

from pbx.flows.flow import Flow
from pbx.flows.languages import Words, in_language
from pbx.flows.own_words import APOLOGY, ONE_OTHER, WAIT_A_MINUTE
from pbx.flows.prompts import Said
from pbx.flows.templates import template


def spoken_texts(
    flows: Iterable[Flow], whispers: Iterable[str], others: Iterable[Words], languages: Iterable[str]
) -> set[tuple[str, str]]:
    """Texts with the language of each; "" is the synthesiser's own. ``others`` are heard by callers, too."""
    every = list(languages)
    found = {(template(text).put({}), "") for text in whispers if text and not template(text).names}
    for words in (*others, APOLOGY, ONE_OTHER, WAIT_A_MINUTE):
        spoken = [in_language(words, language) for language in every]
        found |= {(text, language) for language, text in spoken if not template(text).names}
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
