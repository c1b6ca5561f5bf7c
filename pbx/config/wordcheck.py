"""Words in conditions that no call ever has: a source that there is not, an attestation Z, a case said twice.

Only of names whose words are known beforehand; what a caller types in or a program answers may be anything.
"""

from collections.abc import Collection, Mapping, Sequence
from fnmatch import fnmatchcase

from pbx.attribution.sources import UNKNOWN
from pbx.config.document import Document
from pbx.config.flowfile import Draft
from pbx.config.problems import did_you_mean
from pbx.flows.conditions import Loc, Test, is_comparison, tests
from pbx.flows.steps.condition import Condition

ATTESTATIONS = ("A", "B", "C", "failed", "")
YES_OR_NO = ("yes", "no")


def check_words(document: Document, drafts: Sequence[Draft]) -> None:
    """Warn of each line of a condition that can never hold, and of cases that an earlier one takes all of."""
    known: Mapping[str, Collection[str]] = {
        "source": [*_names(document, "sources"), UNKNOWN, ""],
        "caller.last_source": [*_names(document, "sources"), UNKNOWN, ""],
        "trunk": [*_names(document, "trunks"), ""],
        "flow": [draft.id for draft in drafts],
        "caller.last_agent": [*_names(document, "agents"), ""],
        "attestation": ATTESTATIONS,
        "caller.new": YES_OR_NO,
    }
    for draft in drafts:
        for name, step in draft.steps.items():
            if isinstance(step, Condition):
                _check_cases(draft, ("steps", name), step, known)


def _names(document: Document, section: str) -> list[str]:
    return [str(loc[-1]) for loc in document.matching(section, "*")]


def _check_cases(draft: Draft, base: Loc, step: Condition, known: Mapping[str, Collection[str]]) -> None:
    earlier: dict[str, str] = {}
    for index, case in enumerate(step.condition):
        when = (*base, "condition", index, "when")
        for loc, test in tests(case.when, when):
            for word in test.words:
                if test.name in known and not _occurs(word, known[test.name]):
                    draft.document.warn(
                        draft.document.nearest(loc), _never(test, word, known[test.name]), code="never"
                    )
        label = case.name or f"case {index + 1}"
        if (before := earlier.setdefault(repr(case.when), label)) is not label:
            draft.document.warn(
                draft.document.nearest(when),
                f"{label!r} is never taken: {before!r} says the same, and comes first",
                code="never",
            )


def _occurs(word: str, known: Collection[str]) -> bool:
    return is_comparison(word) or any(fnmatchcase(each.casefold(), word.casefold()) for each in known)


def _never(test: Test, word: str, known: Collection[str]) -> str:
    return f"{test.name} is never {word!r}{did_you_mean(word, [each for each in known if each])}"
