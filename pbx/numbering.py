"""Telephone numbers: whatever people write, and the one form that the server compares (E.164).

Inside the server a number is its E.164 text, ``+`` and digits (ITU-T E.164; the form of RFC 3966's
global numbers). :func:`normalise` is the only way in. It asks whether a number *could* exist (its
country's lengths), not whether it is assigned: numbering plans change faster than libraries.

Answers are cached: trunks deliver the same few DIDs all day.
"""

import re
from functools import lru_cache

import phonenumbers
from phonenumbers import NumberParseException, PhoneNumberFormat, ValidationResult

_WRITTEN = re.compile(r"\+?[0-9 ().\-/\u00a0]{3,40}")
_CACHE_SIZE = 1 << 16


@lru_cache(_CACHE_SIZE)
def normalise(number: str, country: str) -> str | None:
    """``"(212) 555-0100"`` of ``"US"`` → ``"+12125550100"``; None for what is no whole number.

    ``country`` is the region (ISO 3166 alpha-2) of numbers written without ``+``. Short codes, names
    and numbers with an extension are not E.164 and give None.
    """
    written = number.strip()
    if not _WRITTEN.fullmatch(written):
        return None
    try:
        parsed = phonenumbers.parse(written, country)
    except NumberParseException:
        return None
    if phonenumbers.is_possible_number_with_reason(parsed) != ValidationResult.IS_POSSIBLE:
        return None
    return phonenumbers.format_number(parsed, PhoneNumberFormat.E164)


@lru_cache(_CACHE_SIZE)
def display(e164: str, country: str) -> str:
    """As people of ``country`` write it: national at home, international otherwise.

    What is no E.164 number (a SIP user's name, "" for a withheld number) comes back as it is.
    """
    if not e164.startswith("+"):
        return e164
    try:
        parsed = phonenumbers.parse(e164)
    except NumberParseException:
        return e164
    at_home = phonenumbers.country_code_for_region(country) == parsed.country_code
    style = PhoneNumberFormat.NATIONAL if at_home else PhoneNumberFormat.INTERNATIONAL
    return phonenumbers.format_number(parsed, style)


def masked(number: str) -> str:
    """For logs, which never hold whole numbers: ``"+12125550100"`` → ``"+1212…00"``."""
    return f"{number[:5]}…{number[-2:]}" if len(number) > 8 else "…"


def is_country(code: str) -> bool:
    """Whether numbers can be written without ``+`` in this region."""
    return code in phonenumbers.SUPPORTED_REGIONS


def countries() -> frozenset[str]:
    """Every region that :func:`is_country` knows."""
    return frozenset(phonenumbers.SUPPORTED_REGIONS)
