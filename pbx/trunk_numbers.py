"""Numbers as each carrier writes them, to and from E.164 (:class:`~pbx.config.trunks.NumberFormat`)."""

import re

import phonenumbers
from phonenumbers import NumberParseException, PhoneNumberFormat

from pbx.config.trunks import NumberFormat, Trunk
from pbx.numbering import normalise

_NOT_DIALLED = re.compile(r"[^0-9]")


def written_for(e164: str, trunk: Trunk, country: str) -> str:
    """A number as the trunk wants it called. What is no E.164 number goes as it is, behind the prefix."""
    return trunk.prefix_out + formatted(e164, trunk, country)


def formatted(e164: str, trunk: Trunk, country: str) -> str:
    """The same without the prefix, as a caller's number is written."""
    if trunk.numbers_out is NumberFormat.E164 or not e164.startswith("+"):
        return e164
    if trunk.numbers_out is NumberFormat.DIGITS:
        return e164[1:]
    home = trunk.country or country
    try:
        parsed = phonenumbers.parse(e164)
    except NumberParseException:
        return e164
    if phonenumbers.country_code_for_region(home) == parsed.country_code:
        text = phonenumbers.format_number(parsed, PhoneNumberFormat.NATIONAL)
    else:
        text = phonenumbers.format_out_of_country_calling_number(parsed, home)
    return _NOT_DIALLED.sub("", text)


def read_from(text: str, trunk: Trunk | None, country: str) -> str | None:
    """A number that the trunk sent, as E.164; None for what is no whole number."""
    if trunk is None:
        return normalise(text, country)
    text = text.removeprefix(trunk.prefix_in)
    if trunk.numbers_in is NumberFormat.DIGITS and text.isdecimal():
        return normalise(f"+{text}", country)
    return normalise(text, trunk.country or country)
