"""Cells of CSV that a spreadsheet takes for what they are.

A cell that begins like a formula (``=``, ``+``, ``-``, ``@``, a control character, or the wide forms of
those signs) is executed by spreadsheets when the file is opened, and what callers and visitors wrote ends
up in such cells. An apostrophe in front makes it text. Plain numbers, E.164 ones among them, stay as they
are.
"""

import re
from typing import Any

_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
_NUMBER = re.compile(r"[+-]?[0-9]+(\.[0-9]+)?")


def cell(value: Any) -> str:
    text = "" if value is None else str(value)
    if text.lstrip(" \u00a0").startswith(_FORMULA) and not _NUMBER.fullmatch(text):
        return f"'{text}"
    return text
