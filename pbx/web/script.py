"""``GET /t.js``: the tracking code, with what it must know of the config.

The script is ``tracking/t.js``, readable, and served without its comments and indentation; nothing is
built. It is small (a test holds it under 5 kB gzipped), the same for every visitor, and may be kept by
browsers and proxies: for ten minutes without a question, and for a week while the server is away.
"""

import gzip
import hashlib
import json
import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import phonenumbers
from starlette.requests import Request
from starlette.responses import FileResponse, Response

from pbx.attribution.sources import host_of
from pbx.config.fields import seconds
from pbx.config.models import Config
from pbx.config.tracking import Signal
from pbx.numbering import display, normalise
from pbx.web.dni import consent_required
from pbx.web.state import state_of

SOURCE = Path(__file__).parent / "tracking" / "t.js"
CHAT_SOURCE = SOURCE.with_name("chat.js")
CACHING = "public, max-age=600, stale-while-revalidate=604800, stale-if-error=604800"


_LITERAL = re.compile(
    r"""("(?:[^"\\]|\\.)*"|`(?:[^`\\]|\\.)*`"""
    r"""|(?<=[(,=:!&|?{;\[])\ ?/(?:[^/\\\n\[]|\\.|\[(?:[^\]\\]|\\.)*\])+/)"""
)
"""Of JavaScript: a string, a template, a regular expression."""
_BLANKS = re.compile(r" ?([=<>?:{}()&|,;!*]+) ?")


@dataclass(frozen=True, slots=True)
class Script:
    plain: bytes
    zipped: bytes
    etag: str


def get_script(request: Request) -> Response:
    script = script_for(state_of(request).config)
    headers = {
        "ETag": script.etag,
        "Cache-Control": CACHING,
        "Vary": "Accept-Encoding",
        "Cross-Origin-Resource-Policy": "cross-origin",
        "Access-Control-Allow-Origin": "*",
    }
    if script.etag in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    if "gzip" in request.headers.get("accept-encoding", ""):
        headers["Content-Encoding"] = "gzip"
        return Response(script.zipped, headers=headers, media_type="text/javascript")
    return Response(script.plain, headers=headers, media_type="text/javascript")


async def get_chat_script(request: Request) -> Response:
    """The chat; the tracking code loads it where ``channels.chat`` is on."""
    return FileResponse(
        CHAT_SOURCE,
        media_type="text/javascript",
        headers={"Cache-Control": CACHING, "Cross-Origin-Resource-Policy": "cross-origin"},
    )


def script_for(config: Config) -> Script:
    return _made(json.dumps(knowledge(config), separators=(",", ":")))


@lru_cache(4)
def _made(known: str) -> Script:
    # "</" would end an inline script, if a site puts the code into its page.
    plain = compact(SOURCE.read_text()).replace("/*CONFIG*/", known.replace("</", "<\\/")).encode()
    digest = hashlib.sha256(plain).hexdigest()[:16]
    return Script(plain, gzip.compress(plain, 9, mtime=0), f'"{digest}"')


def compact(source: str) -> str:
    """Without the lines' comments and indentation, and without the blanks around operators.

    No line of the script holds ``//`` in a string, and no template has another one within it.
    """
    lines = (re.sub(r"(^|\s)// .*", "", line).strip() for line in source.splitlines())
    parts = _LITERAL.split("\n".join(line for line in lines if line))
    return "".join(part if place % 2 else _BLANKS.sub(r"\1", part) for place, part in enumerate(parts))


def knowledge(config: Config) -> dict[str, object]:
    """What the script is told: nothing that a visitor may not see."""
    country = config.server.country
    known: dict[str, object] = {
        "targets": _by_country(targets(config), country),
        "sites": sorted({host_of(site) for site in config.web.sites}) if config.tracking.link_sites else [],
        "ask": consent_required(config),
        "dnt": Signal.DNT in config.tracking.honour,
        "gpc": Signal.GPC in config.tracking.honour,
        "days": int(seconds(config.tracking.keep) / 86400),
    }
    if config.conversions.wanted:
        known["ads"] = True
    channels = config.channels
    if channels.capture or channels.chat:
        chat = {"greeting": channels.greeting, "away": channels.away} if channels.chat else None
        known["more"] = {"forms": channels.capture, "chat": chat}
    if config.tracking.images:
        known["images"] = [
            [_glob(rule.image), normalise(rule.target, country), rule.becomes, rule.color,
             display(normalise(rule.target, country) or "", country)]
            for rule in config.tracking.images
        ]  # fmt: skip
    return known


def targets(config: Config) -> list[str]:
    """Every number to be swapped, in the pools' order."""
    return list(dict.fromkeys(target for pool in config.pools.values() for target in pool.targets))


def _by_country(numbers: list[str], country: str) -> list[list[str]]:
    """Of each country its code, the prefixes of calls within and into it, and the rest of its numbers.

    In the numbers' order, where they compress best.
    """
    home = phonenumbers.PhoneMetadata.metadata_for_region(country)
    idd = str(home.international_prefix or "") if home else ""
    found: dict[str, list[str]] = {}
    for number in numbers:
        code = str(phonenumbers.parse(number).country_code)
        found.setdefault(code, []).append(number[1 + len(code) :])
    return [
        [code, _trunk_prefix(code), idd if idd.isdigit() else "00", " ".join(sorted(own))]
        for code, own in found.items()
    ]


def _trunk_prefix(code: str) -> str:
    own = phonenumbers.PhoneMetadata.metadata_for_region(phonenumbers.region_code_for_country_code(int(code)))
    prefix = str(own.national_prefix or "") if own else ""
    return "" if prefix == code else prefix


def _glob(pattern: str) -> str:
    """A glob as a regular expression of JavaScript."""
    return (
        "^" + "".join(".*" if part == "*" else re.escape(part) for part in re.split(r"(\*)", pattern)) + "$"
    )
