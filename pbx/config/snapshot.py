"""What a server has loaded, as plain data in its data directory: what ``pbx diff`` compares with.

A server writes it when it starts and after each reload that it took up, so it says what the running
server does, whatever has become of the files since. Durations are written as in the files. Of what
may be secret only a salted hash is kept: enough to tell that it changed.
"""

import hashlib
import json
import os
import re
import secrets
from collections.abc import Mapping
from datetime import timedelta
from enum import Enum
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from pbx.config.site import Site

NAME = "loaded.json"

_SECRET = re.compile(r"password|secret|token|database|headers|^pin$")


class NoSnapshot(Exception):  # noqa: N818 - a state of the data directory
    """No server has ever served this data directory, or an older one did."""


def snapshot(site: Site, salt: str) -> dict[str, Any]:
    """The site's config and flows as plain data."""
    flows = {
        name: {
            "name": flow.name,
            "start": flow.start,
            "steps": {
                step: {"kind": it.kind, **_plain(it.model_dump(by_alias=True), salt)}
                for step, it in flow.steps.items()
            },
        }
        for name, flow in site.flows.items()
    }
    config = {
        section: _plain(getattr(site.config, section), salt) for section in type(site.config).model_fields
    }
    return {"salt": salt, "config": config, "flows": flows}


def _plain(value: Any, salt: str, key: str = "") -> Any:
    if value is not None and value != "" and _SECRET.search(key):
        return f"secret {hashlib.sha256(f'{salt}{value}'.encode()).hexdigest()[:12]}"
    if isinstance(value, BaseModel):
        value = value.model_dump(by_alias=True)
    if isinstance(value, Mapping):
        return {str(name): _plain(inner, salt, str(name)) for name, inner in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [_plain(inner, salt) for inner in value]
    if isinstance(value, timedelta):
        return written(value)
    if isinstance(value, Enum):
        return value.value
    return value if isinstance(value, (str, int, float, bool)) or value is None else str(value)


def written(duration: timedelta) -> str:
    """As an admin writes it: the largest unit that leaves no rest."""
    ms = round(duration.total_seconds() * 1000)
    for unit, size in (("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000)):
        if ms and ms % size == 0:
            return f"{ms // size}{unit}"
    return f"{ms}ms" if ms else "0s"


def save(site: Site) -> None:
    """Keep it, for the server's user alone; whole or not at all. Raises OSError."""
    text = json.dumps(snapshot(site, secrets.token_hex(16)), ensure_ascii=False)
    path = site.data_dir / NAME
    new = path.with_suffix(".new")
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
        file.write(text)
    new.replace(path)


def saved(data_dir: Path) -> dict[str, Any]:
    """What was kept last. Raises NoSnapshot."""
    try:
        found: dict[str, Any] = json.loads((data_dir / NAME).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        raise NoSnapshot(f"no server has said yet what it runs on ({data_dir / NAME} is missing)") from None
    return found
