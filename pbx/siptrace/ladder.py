"""A call's messages as a ladder: who sent what to whom, from top to bottom, as text and as SVG."""

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from html import escape

from pbx.siptrace.message import Traced

_START = re.compile(rb"(?:SIP/2\.0 (\d{3} ?[^\r\n]{0,40})|([A-Z]+) )")
_SDP = b"application/sdp"
US = "this server"

COLUMN, ROW, TOP, LEFT = 156, 26, 44, 52
TEXT_COLUMN = 34


def label(message: Traced) -> str:
    """``INVITE (SDP)``, ``200 OK``."""
    found = _START.match(message.data)
    name = (found[1] or found[2]).decode("utf-8", "replace").strip() if found else "?"
    return f"{name} (SDP)" if _SDP in message.data.lower() else name


def parties(messages: Sequence[Traced]) -> list[str]:
    """The columns: whoever spoke first, then us, then the others as they come."""
    others = list(dict.fromkeys(message.remote for message in messages))
    return [*others[:1], US, *others[1:]]


def as_text(messages: Sequence[Traced], *, bodies: bool = False) -> str:
    """For a terminal. ``bodies`` gives each message whole under its arrow."""
    if not messages:
        return "no message of this call is kept"
    columns = parties(messages)
    start = messages[0].at
    lines = [" " * 10 + "".join(f"{name:^{TEXT_COLUMN}}" for name in columns).rstrip()]
    for message in messages:
        here, there = columns.index(US), columns.index(message.remote)
        lines.append(
            f"{message.at - start:+9.3f} " + _arrow(here, there, message.out, label(message), len(columns))
        )
        if bodies:
            lines += ["", *_indented(message.data), ""]
    moment = datetime.fromtimestamp(start, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    return "\n".join([f"began {moment}", *lines])


def _arrow(here: int, there: int, out: bool, name: str, columns: int) -> str:
    left, right = sorted((here, there))
    middle = TEXT_COLUMN // 2
    row = [" "] * (columns * TEXT_COLUMN)
    for column in range(columns):
        row[column * TEXT_COLUMN + middle] = "|"
    first, last = left * TEXT_COLUMN + middle + 1, right * TEXT_COLUMN + middle - 1
    rightwards = (there > here) is out
    row[first : last + 1] = "-" * (last - first + 1)
    text = f" {name[: last - first - 4]} "
    at = first + (last - first + 1 - len(text)) // 2
    row[at : at + len(text)] = text
    row[last if rightwards else first] = ">" if rightwards else "<"
    return "".join(row).rstrip()


def _indented(data: bytes) -> list[str]:
    text = data.decode("utf-8", "replace")
    return [" " * 12 + "".join(c for c in line if c.isprintable()) for line in text.splitlines()]


def as_svg(messages: Sequence[Traced]) -> str:
    """For the call's page; colours come from the page by class, or stand on their own."""
    columns = parties(messages) if messages else [US]
    width, height = LEFT + COLUMN * len(columns), TOP + ROW * (len(messages) + 1)
    x = {name: LEFT + COLUMN * (n + 0.5) for n, name in enumerate(columns)}
    start = messages[0].at if messages else 0.0
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" class="ladder" role="img" viewBox="0 0 {width} {height}"'
        f' width="{width}" height="{height}" font-family="ui-monospace, monospace" font-size="12"'
        ' fill="currentColor" stroke="none"><title>SIP messages of this call</title>'
    ]
    for name, at in x.items():
        parts.append(f'<text x="{at}" y="18" text-anchor="middle" font-weight="600">{escape(name)}</text>')
        parts.append(f'<path d="M{at} 28V{height - 6}" stroke="currentColor" opacity="0.25"/>')
    for n, message in enumerate(messages):
        parts += _row(message, TOP + ROW * n + ROW / 2, x[US], x[message.remote], message.at - start)
    return "".join([*parts, "</svg>"])


def _row(message: Traced, y: float, us: float, them: float, since_s: float) -> list[str]:
    begin, end = (us, them) if message.out else (them, us)
    tip = -7 if end > begin else 7
    failed = re.match(rb"SIP/2\.0 [3-6]", message.data) is not None
    kind = "failed" if failed else "message"
    return [
        f'<text x="0" y="{y + 4}" opacity="0.7">{since_s:+.3f}</text>',
        f'<g class="{kind}"><path d="M{begin} {y}H{end}" stroke="currentColor" stroke-width="1.25"/>'
        f'<path d="M{end} {y}l{tip} -4v8z"/>'
        f'<text x="{(us + them) / 2}" y="{y - 4}" text-anchor="middle">{escape(label(message))}</text></g>',
    ]
