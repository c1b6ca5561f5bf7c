"""What the config says of dialling: feature codes that exist and are told apart, numbers that are some."""

import re

from pbx.config.document import Document
from pbx.config.flowfile import report_number
from pbx.config.problems import did_you_mean
from pbx.feature_codes import FEATURES, IN_CALL, NAMES
from pbx.numbering import normalise

_PRESSED = re.compile(r"[0-9*#]{2,4}")
_DIALLED = re.compile(r"\*[0-9*#]{1,8}")


def check_dialling(document: Document, country: str) -> None:
    _check_codes(document)
    for pattern in (("outbound", "number"), ("agents", "*", "number")):
        for loc in document.matching(*pattern):
            written = document.text(loc)
            if written is not None and normalise(written, country) is None:
                report_number(document, loc, country)


def _check_codes(document: Document) -> None:
    in_call = {each.name for each in IN_CALL}
    taken = {each.code: each.name for each in FEATURES}
    for loc in document.matching("feature_codes", "*"):
        name, code = str(loc[-1]), document.text(loc)
        if name not in NAMES:
            document.error(loc, f"no feature code {name!r}{did_you_mean(name, NAMES)}", at_key=True)
        elif code is None:
            document.error(loc, 'a feature code is text: quote it, such as "*43"')
        elif code and name in in_call:
            if not _PRESSED.fullmatch(code):
                document.error(loc, f"{code!r} cannot be pressed in a talk; write two to four keys")
        elif code:
            owner = taken.get(code, name)
            if not _DIALLED.fullmatch(code):
                document.error(loc, f"{code!r} is no feature code; write * and digits, such as *43")
            elif owner != name:
                document.error(loc, f"{code!r} is the code of {owner!r} already")
            taken[code] = name
