"""What a scalar's text means: YAML 1.2's core schema with our exceptions, and the environment.

The exceptions are listed in :mod:`pbx.config.document`.
"""

import re
from collections.abc import Mapping
from datetime import date
from typing import Any

_BOOLEANS = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_NULLS = frozenset({"", "~", "null", "Null", "NULL"})
_INT = re.compile(r"[-+]?(0|[1-9][0-9]*)")
_OCTAL = re.compile(r"0o([0-7]+)")
_HEX = re.compile(r"0x([0-9a-fA-F]+)")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|(0|[1-9][0-9]*)(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_SPECIAL_FLOAT = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
PHONE_NUMBER = re.compile(r"\+[0-9][0-9 ().\-]{5,}")
_MAX_DIGITS = 300  # longer integers are slow to convert, and never meant


def scalar(text: str) -> Any:
    """What an unquoted scalar means. Raises ValueError for what must be quoted or cannot be."""
    if PHONE_NUMBER.fullmatch(text):
        raise ValueError(f'a telephone number must be quoted, or YAML reads an integer: write "{text}"')
    if text in _NULLS:
        return None
    if text in _BOOLEANS:
        return _BOOLEANS[text]
    if len(text) > _MAX_DIGITS:
        return text
    if _INT.fullmatch(text):
        return int(text)
    if match := _OCTAL.fullmatch(text):
        return int(match[1], 8)
    if match := _HEX.fullmatch(text):
        return int(match[1], 16)
    if _FLOAT.fullmatch(text):
        return float(text)
    if _SPECIAL_FLOAT.fullmatch(text):
        return float(text.replace(".", "", 1))
    if _DATE.fullmatch(text):
        try:
            return date.fromisoformat(text)
        except ValueError as error:
            raise ValueError(f"{text} is no date: {error}") from None
    return text


_VARIABLE = re.compile(r"(?P<escape>\$\$\{)|\$\{(?P<body>[^}]*)(?P<end>\}?)")
_BODY = re.compile(r"(?P<name>[A-Za-z_][A-Za-z0-9_]*)(:-(?P<default>.*))?", re.DOTALL)


def substitute(text: str, env: Mapping[str, str]) -> tuple[str, dict[str, str]]:
    """``text`` with its variables replaced, and those that the environment had a word for.

    As in a shell, ``:-`` also stands in for a variable that is set and empty.
    Raises ValueError for a variable that is not set and for what is not well formed.
    """
    used: dict[str, str] = {}

    def replaced(match: re.Match[str]) -> str:
        if match["escape"]:
            return "${"
        body = _BODY.fullmatch(match["body"])
        if not match["end"] or not body:
            raise ValueError(
                f"{match[0]!r} is not ${{NAME}} or ${{NAME:-default}}; write $${{ for a plain ${{"
            )
        name, default = body["name"], body["default"]
        value = env.get(name)
        if value or (value is not None and default is None):
            used[name] = value
            return value
        if default is None:
            raise ValueError(
                f"the environment variable {name} is not set; set it, or write ${{{name}:-default}}"
            )
        return str(default)

    return _VARIABLE.sub(replaced, text), used
