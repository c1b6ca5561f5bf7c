"""What every section's model is made of: durations, addresses, numbers as an admin writes them."""

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Annotated, Literal
from zoneinfo import ZoneInfo, available_timezones

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema

from pbx.config.addresses import (
    check_host,
    parse_address,
    parse_listen_url,
    parse_origin,
    parse_port_range,
    parse_sip_uri,
)
from pbx.config.problems import closest
from pbx.numbering import is_country

_UNITS = {"ms": "milliseconds", "s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)")


def parse_duration(value: object) -> timedelta:
    """``"20s"`` → 20 seconds. Raises ValueError that says how a duration is written."""
    if isinstance(value, timedelta):
        return value
    match = _DURATION.fullmatch(value.strip()) if isinstance(value, str) else None
    if not match:
        raise ValueError(
            f"{value!r} is not a duration; write a number and a unit, such as 20s, 5m, 2h or 30d"
        )
    try:
        return timedelta(**{_UNITS[match[2]]: float(match[1])})
    except OverflowError:
        raise ValueError(f"{value!r} is longer than a duration can be") from None


Duration = Annotated[
    timedelta,
    BeforeValidator(parse_duration, json_schema_input_type=Annotated[str, Field(pattern=_DURATION.pattern)]),
]


def _some_time(value: timedelta) -> timedelta:
    if not value:
        raise ValueError("0 s is no time at all; write how long, such as 20s")
    return value


SomeTime = Annotated[Duration, AfterValidator(_some_time)]
"""A duration of something that does not happen in no time: ringing, recording."""


SrtpWish = Literal["off", "optional", "required"]
KeyWay = Literal["inband", "info"]


OneOrMore = Annotated[str, Field(min_length=1)] | Annotated[list[str], Field(min_length=1)]
"""How a list of names may be written, for the schema: one name stands for a list of it."""


def _as_written(parse: Callable[[str], object]) -> AfterValidator:
    """Text that ``parse`` accepts (it raises ValueError otherwise), kept as it is written."""

    def check(value: str) -> str:
        parse(value)
        return value

    return AfterValidator(check)


def _zone(value: str) -> str:
    try:
        ZoneInfo(value)
    except (KeyError, ValueError, OSError):
        close = closest(value, available_timezones())
        remedy = f"did you mean {close}?" if close else "write one such as America/New_York"
        raise ValueError(f"{value!r} is no IANA time zone; {remedy}") from None
    return value


Zone = Annotated[str, AfterValidator(_zone)]


def _country(value: str) -> str:
    if not is_country(value):
        raise ValueError(f"{value!r} is no country; write its two letters, such as US or GB")
    return value


HostAndPort = Annotated[str, _as_written(parse_address)]
ListenUrl = Annotated[str, _as_written(parse_listen_url)]
Host = Annotated[str, _as_written(check_host)]
SipUri = Annotated[str, _as_written(parse_sip_uri)]
Origin = Annotated[str, _as_written(parse_origin)]
PortRange = Annotated[str, _as_written(parse_port_range)]
Country = Annotated[str, AfterValidator(_country)]
Extension = Annotated[
    str,
    Field(coerce_numbers_to_str=True, pattern=r"^[0-9]{1,10}$"),
    WithJsonSchema({"type": ["string", "integer"]}),
]


def seconds(duration: timedelta) -> float:
    return duration.total_seconds()


class Model(BaseModel):
    """Unknown keys are mistakes; values never change after loading."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)
