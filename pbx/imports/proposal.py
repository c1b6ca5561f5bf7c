"""Trackers as a part of ``config.yaml`` for an admin to read, change and copy; it configures nothing."""

import json
from collections.abc import Sequence
from typing import Any

from pbx.config.models import Config
from pbx.imports.callrail import Tracker
from pbx.imports.sources import SourceNames, slug

_MATCHES: dict[str, dict[str, Any]] = {
    "google-ads": {"any": [{"click_id": "google"}, {"utm_source": "google", "utm_medium": ["cpc", "ppc"]}]},
    "google-organic": {"referrer": "google.*"},
    "bing-ads": {"click_id": "microsoft"},
    "bing-organic": {"referrer": "bing.com"},
    "facebook": {"any": [{"click_id": "meta"}, {"referrer": ["facebook.com", "*.facebook.com"]}]},
    "direct": {"referrer": "none"},
}
_ALSO = {
    "google-ad-extension": "google-ads",
    "google-adwords": "google-ads",
    "google-ppc": "google-ads",
    "google-paid": "google-ads",
    "adwords": "google-ads",
    "organic-google": "google-organic",
    "google-seo": "google-organic",
    "microsoft-ads": "bing-ads",
    "bing-ppc": "bing-ads",
    "bing-paid": "bing-ads",
    "facebook-ads": "facebook",
    "facebook-paid": "facebook",
    "direct-traffic": "direct",
}


def proposal(trackers: Sequence[Tracker], config: Config, flow: str, file: str) -> str:
    """YAML with a comment wherever somebody has to decide."""
    made = _Proposal(config, flow)
    for tracker in trackers:
        made.add(tracker)
    lines = [
        f"# Proposed from {_plain(file)}: read it, change it, copy it into config.yaml, then run pbx check.",
        "# Nothing here is in force.",
        *made.left_out,
    ]
    for section in ("sources", "numbers", "pools"):
        if parts := getattr(made, section):
            lines += [f"{section}:", *(f"  {key}: {part}" for key, part in parts.items())]
    return "\n".join(lines) + "\n"


class _Proposal:
    """Its sections, each part by its key."""

    def __init__(self, config: Config, flow: str) -> None:
        self._config = config
        self._flow = flow
        self._names = SourceNames(config)
        self._taken = set(config.numbers) | {
            number for pool in config.pools.values() for number in pool.numbers
        }
        self.sources: dict[str, str] = {}
        self.numbers: dict[str, str] = {}
        self.pools: dict[str, str] = {}
        self.left_out: list[str] = []

    def add(self, tracker: Tracker) -> None:
        if not tracker.active:
            self._leave_out(tracker, "is not active there")
            return
        fresh = []
        for number in tracker.numbers:
            if number in self._taken:
                self._leave_out(tracker, f"{number} is there already")
            else:
                self._taken.add(number)
                fresh.append(number)
        if not fresh:
            return
        whisper = {"whisper": tracker.whisper} if tracker.whisper else {}
        if tracker.is_pool:
            self._add_pool(tracker, fresh, whisper)
        else:
            self._add_numbers(tracker, fresh, whisper)

    def _leave_out(self, tracker: Tracker, why: str) -> None:
        self.left_out.append(f"# line {tracker.line}, {_plain(tracker.name)}: {why}")

    def _add_pool(self, tracker: Tracker, numbers: list[str], whisper: dict[str, str]) -> None:
        body = {"numbers": numbers, "flow": self._flow, "targets": list(tracker.targets), **whisper}
        remark = "" if tracker.targets else "  # targets: the website's numbers that are to be swapped"
        name, count = slug(tracker.name), 1
        while _key(name) in self.pools or name in self._config.pools:
            count += 1
            name = f"{slug(tracker.name)}-{count}"
        self.pools[_key(name)] = f"{_in_flow_style(body)}{remark}"

    def _add_numbers(self, tracker: Tracker, numbers: list[str], whisper: dict[str, str]) -> None:
        source = self._names.ours(tracker.source, numbers[0])
        if source not in self._config.sources:
            self.sources.setdefault(_key(source), _source(source, tracker.source))
        for number in numbers:
            body = {"source": source, "flow": self._flow, **whisper}
            self.numbers[f'"{number}"'] = f"{_in_flow_style(body)}  # {_plain(tracker.name)}"


def _source(name: str, title: str) -> str:
    match = _MATCHES.get(_ALSO.get(name, name))
    body: dict[str, Any] = {"name": title, "kind": "offline" if match is None else "online"}
    if match is not None:
        body["match"] = match
    return _in_flow_style(body)


def _in_flow_style(value: Any) -> str:
    """JSON is YAML: every text is quoted."""
    return json.dumps(value, ensure_ascii=False)


def _key(name: str) -> str:
    return json.dumps(name) if name[:1].isdigit() else name


def _plain(text: str) -> str:
    """As a comment may hold it: one line."""
    return " ".join("".join(filter(str.isprintable, text.replace("\n", " "))).split())[:120]
