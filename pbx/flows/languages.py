"""Languages by their codes: ``en``, ``es``, ``pt-BR``. Which of them can be spoken is the synthesiser's."""

import re
from collections.abc import Mapping
from typing import Annotated

from pydantic import AfterValidator, Field

from pbx.config.problems import did_you_mean

_LANGUAGES = """
    af am an ar as az ba be bg bn bpy bs ca chr cmn cs cv cy da de el en eo es et eu fa fi fr ga gd gn grc
    gu hak haw he hi hr ht hu hy hyw ia id io is it ja jbo ka kk kl kn ko kok ku ky la lb lfn lt ltg lv mi
    mk ml mr ms mt my nb nci ne nl nog om or pa pap pl pt py quc qu ro ru sd shn si sjn sk sl smj sq sr sv
    sw ta te th tk tn tr tt ug uk ur uz vi yue zh
"""
LANGUAGES = frozenset(_LANGUAGES.split())
"""What espeak-ng 1.51 and later speaks, by ISO 639 codes."""

_CODE = re.compile(r"[a-z]{2,3}(-[A-Za-z0-9]{2,8})*")


def is_language(code: str) -> bool:
    """Whether it is the code of a language that can be spoken."""
    return _CODE.fullmatch(code) is not None and code.partition("-")[0] in LANGUAGES


def check_language(code: str) -> str:
    """The code itself. Raises ValueError that says how one is written."""
    if not is_language(code):
        hint = did_you_mean(code, LANGUAGES)
        raise ValueError(f"{code!r} is no language that can be spoken; its code is like en or es{hint}")
    return code


Language = Annotated[str, AfterValidator(check_language)]

Text = Annotated[str, Field(min_length=1)]
Words = Text | Annotated[dict[Language, Text], Field(min_length=1)]
"""A text for every language, or one for each."""


def in_language(words: str | Mapping[str, str], language: str) -> tuple[str, str]:
    """The text for callers in ``language``, and the language that it is in.

    A language that is missing (``pbx check`` tells) makes it the first one that there is.
    """
    if isinstance(words, str):
        return language, words
    found = language if language in words else language.partition("-")[0]
    return (found, words[found]) if found in words else next(iter(words.items()))


def has_language(words: Mapping[str, str], language: str) -> bool:
    return language in words or language.partition("-")[0] in words
