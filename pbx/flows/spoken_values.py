"""How a value sounds: ``+12125557788`` as groups of digits, ``2026-12-05`` as a date, in any language.

Days, dates, times and amounts are CLDR's, by Babel; that a synthesiser speaks ``3`` as *tres* is its
own business. A value that is not what a filter expects is spoken as it is: a caller never hears an
error.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, time, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING

import phonenumbers
from phonenumbers import NumberParseException, PhoneNumberFormat

from pbx.flows.hours import DAYS

if TYPE_CHECKING:
    from babel import Locale


@dataclass(frozen=True, slots=True)
class Tongue:
    """The language that is spoken, and the country whose money and numbers are meant."""

    language: str = "en"
    country: str = "US"


def spoken(name: str, value: str, filter: str, tongue: Tongue) -> str:
    """``value`` as the filter speaks it; without a filter, as a value of that name is usually spoken."""
    chosen = FILTERS.get(filter or USUAL.get(name, ""))
    if chosen is None or not value:
        return value
    try:
        return chosen(value, tongue)
    except (ValueError, ArithmeticError, NumberParseException):
        return value


def _digits(value: str, tongue: Tongue) -> str:
    """one by one: `407` is “4 0 7”"""
    return " ".join(character for character in value if not character.isspace())


def _phone(value: str, tongue: Tongue) -> str:
    """a telephone number, in its groups: “2 1 2, 5 5 5, 7 7 8 8”"""
    number = phonenumbers.parse(value, tongue.country)
    home = number.country_code == phonenumbers.country_code_for_region(tongue.country)
    style = PhoneNumberFormat.NATIONAL if home else PhoneNumberFormat.INTERNATIONAL
    written = phonenumbers.format_number(number, style)
    groups = "".join(c if c.isdigit() or c == "+" else " " for c in written).split()
    return ", ".join(" ".join(group) for group in groups)


def _count(value: str, tongue: Tongue) -> str:
    """a whole number: `3.0` is “3”"""
    return str(round(float(value)))


def _money(value: str, tongue: Tongue) -> str:
    """an amount in the server's country's money: “12.50 US dollars”"""
    from babel.numbers import format_currency, get_territory_currencies

    (currency, *_) = get_territory_currencies(tongue.country) or ["USD"]
    return str(
        format_currency(float(value), str(currency), locale=_locale(tongue.language), format_type="name")
    )


def _day(value: str, tongue: Tongue) -> str:
    """the name of a date's day: “Saturday”"""
    from babel.dates import get_day_names

    day = DAYS.index(value) if value in DAYS else date.fromisoformat(value).weekday()
    return str(get_day_names("wide", locale=_locale(tongue.language))[day])


def _date(value: str, tongue: Tongue) -> str:
    """a date: “December 5”"""
    from babel.dates import format_skeleton

    return format_skeleton("MMMMd", date.fromisoformat(value), locale=_locale(tongue.language))


def _time(value: str, tongue: Tongue) -> str:
    """a time of day: “2:30 PM”"""
    from babel.dates import format_time

    return format_time(time.fromisoformat(value), "short", locale=_locale(tongue.language))


def _minutes(value: str, tongue: Tongue) -> str:
    """seconds, rounded up to minutes: “3 minutes”"""
    from babel.dates import format_timedelta

    whole = max(1, -(-round(float(value)) // 60))
    return format_timedelta(
        timedelta(minutes=whole), granularity="minute", threshold=100_000, locale=_locale(tongue.language)
    )


@lru_cache(64)
def _locale(language: str) -> "Locale":
    """Babel's for a language, English for one that it does not know."""
    from babel import Locale, UnknownLocaleError

    try:
        return Locale.parse(language, sep="-")
    except (UnknownLocaleError, ValueError):
        return Locale("en")


Filter = Callable[[str, Tongue], str]

FILTERS: Mapping[str, Filter] = {
    "digits": _digits,
    "phone": _phone,
    "count": _count,
    "money": _money,
    "day": _day,
    "date": _date,
    "time": _time,
    "minutes": _minutes,
}
"""What may stand behind the ``|``; each one's docstring says what it is for."""

USUAL: Mapping[str, str] = {
    "caller": "phone",
    "did": "phone",
    "day": "day",
    "date": "date",
    "time": "time",
    "entered": "digits",
}
"""How values that every call has are spoken without a filter."""
