"""A report as rows for people and machines: JSON, CSV, and the terminal's table."""

import csv
import io
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any
from urllib.parse import quote_plus, urlencode

from pbx.areas import is_weak, name_of
from pbx.config.models import Config
from pbx.numbering import display
from pbx.spend import Spent, costs
from pbx.store.calls import LONGEST_PAGE, Filter
from pbx.store.encoding import iso, to_ms
from pbx.store.reports import NOBODY, Figures, Report
from pbx.store.tabular import cell

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Column:
    """A figure as it is shown, and the measure whose calls it leads to."""

    shown: Callable[[Figures, Fraction | None], float | int | None]
    calls: str


def _count(name: str) -> Column:
    return Column(lambda figures, _cost: getattr(figures, name), name)


def _rounded(name: str, calls: str, digits: int = 3) -> Column:
    def shown(figures: Figures, _cost: Fraction | None) -> float | None:
        value = getattr(figures, name)
        return None if value is None else round(value, digits)

    return Column(shown, calls)


def _seconds(name: str, calls: str) -> Column:
    return Column(lambda figures, _cost: getattr(figures, name) / 1000, calls)


def _cost_per(name: str) -> Column:
    def shown(figures: Figures, cost: Fraction | None) -> float | None:
        count = getattr(figures, name)
        return round(float(cost / count), 2) if cost is not None and count else None

    return Column(shown, name)


COLUMNS: Mapping[str, Column] = {
    "calls": _count("calls"),
    "answered": _count("answered"),
    "missed": _count("missed"),
    "abandoned": _count("abandoned"),
    "voicemail": _count("voicemail"),
    "completed": _count("completed"),
    "rejected": _count("rejected"),
    "failed": _count("failed"),
    "interrupted": _count("interrupted"),
    "live": _count("live"),
    "first_time": _count("first_time"),
    "repeat": _count("repeat"),
    "ended": _count("ended"),
    "duration": _seconds("duration_ms", "ended"),
    "average_duration": _rounded("average_duration_s", "ended"),
    "talked": _count("talked"),
    "took_part": _count("took_part"),
    "talk_time": _seconds("talk_ms", "took_part"),
    "average_talk": _rounded("average_talk_s", "took_part"),
    "wait": _seconds("wait_ms", "talked"),
    "average_wait": _rounded("average_wait_s", "talked"),
    "queued": _count("queued"),
    "queue_answered": _count("queue_answered"),
    "queue_abandoned": _count("queue_abandoned"),
    "queue_left": _count("queue_left"),
    "queue_wait": _seconds("queue_wait_ms", "queue_left"),
    "average_queue_wait": _rounded("average_queue_wait_s", "queue_left"),
    "in_time": _count("in_time"),
    "service_level": _rounded("service_level", "in_time", 4),
    "service_level_with_abandoned": _rounded("service_level_with_abandoned", "in_time", 4),
    "scored": _count("scored"),
    "score_sum": _count("score_sum"),
    "average_score": _rounded("average_score", "scored", 2),
    "leads": _count("leads"),
    "sales": _count("sales"),
    "no_sales": _count("no_sales"),
    "spam": _count("spam"),
    "valued": _count("valued"),
    "value": Column(lambda figures, _cost: figures.value_cents / 100, "valued"),
    "weak_area": _count("weak_area"),
    "cost": Column(lambda _figures, cost: None if cost is None else round(float(cost), 2), "calls"),
    "cost_per_call": _cost_per("calls"),
    "cost_per_lead": _cost_per("leads"),
    "cost_per_sale": _cost_per("sales"),
}
CSV_COLUMNS = ("key", "name", *COLUMNS, "link")
COMPARED = ("before", "difference", "percent")
_NONE = {
    "agent": "Nobody",
    "queue": "No queue",
    "number": "No number",
    "medium": "No medium",
    "campaign": "No campaign",
    "keyword": "No keyword",
    "landing_page": "No landing page",
    "pool": "No pool",
    "flow": "No flow",
    "exit": "In no step",
    "area": "Unknown",
    "caller": "Not known",
    "outcome": "No outcome",
}
"""What calls are called that have none."""
_NAMED = {
    "caller": {"first": "First-time", "repeat": "Repeat"},
    "outcome": {"sale": "Sale", "no_sale": "No sale", "lead": "Lead", "spam": "Spam"},
    "direction": {"inbound": "Inbound", "outbound": "Outbound", "internal": "Internal"},
}


@dataclass(frozen=True, slots=True)
class Told:
    """A report with what it is about: the calls asked for, and what was spent to get them."""

    report: Report
    filter: Filter
    cost: Mapping[str, Fraction] | None = None  # by key; None where spend cannot be told by these groups
    total_cost: Fraction | None = None

    @classmethod
    def of(cls, report: Report, filter: Filter, config: Config, spent: Sequence[Spent]) -> "Told":
        """Costs are of the sources and the time asked for; by any other filter they cannot be told."""
        if not spent or not replace(filter, source=()).is_period:
            return cls(report, filter)
        theirs = [each for each in spent if not filter.source or each.source in filter.source]
        about = theirs, filter.since, filter.until, config.server.zone
        key = {"source": lambda each: each.source, "campaign": lambda each: each.campaign}.get(report.name)
        total = costs(*about, lambda _each: "").get("", Fraction(0))
        return cls(report, filter, costs(*about, key) if key else None, total)

    @property
    def keys(self) -> list[str]:
        """Those that were spent on and brought no call come last."""
        return list(dict.fromkeys([*(key for key, _ in self.report.rows), *sorted(self.cost or ())]))

    def cost_of(self, key: str) -> Fraction | None:
        return None if self.cost is None else self.cost.get(key, Fraction(0))


def document(now: Told, config: Config, before: Told | None = None) -> Row:
    """The whole report as the API's JSON."""
    found = {
        "report": now.report.name,
        **_period(now.filter),
        "timezone": config.server.timezone,
        "currency": config.reports.currency,
        "figures": FIGURES,
    }
    if before is not None:
        found["compared"] = _period(before.filter)
    return found | {"rows": rows(now, config, before), "total": total(now, before)}


def _period(filter: Filter) -> Row:
    return {
        "since": iso(to_ms(filter.since)) if filter.since else None,
        "until": iso(to_ms(filter.until)) if filter.until else None,
    }


def rows(now: Told, config: Config, before: Told | None = None) -> list[Row]:
    name = now.report.name
    keys = now.keys if before is None else list(dict.fromkeys([*now.keys, *before.keys]))
    here, there = dict(now.report.rows), dict(before.report.rows) if before else {}
    link, link_before = _links(now.filter, name), _links(before.filter, name) if before else None
    found = []
    for key in keys:
        row = _row(key, label(name, key, config), here.get(key, Figures()), now.cost_of(key))
        row["link"] = link(key)
        if before is not None and link_before is not None:
            row |= _change(row, there.get(key, Figures()), before.cost_of(key))
            row["link_before"] = link_before(key)
        found.append(row)
    return found


def total(now: Told, before: Told | None = None) -> Row:
    row = _row("total", "Total", now.report.total, now.total_cost) | {"link": _link(now.filter)}
    if before is not None:
        row |= _change(row, before.report.total, before.total_cost)
        row["link_before"] = _link(before.filter)
    return row


def _row(key: str, name: str, figures: Figures, cost: Fraction | None) -> Row:
    return {"key": key, "name": name} | _shown(figures, cost)


def _shown(figures: Figures, cost: Fraction | None) -> Row:
    return {name: column.shown(figures, cost) for name, column in COLUMNS.items()}


def _change(row: Row, figures: Figures, cost: Fraction | None) -> Row:
    """Beside each figure what it was, by how much it differs, and by how many per cent of what it was.

    There is no percentage of nothing, and no difference from what is not known.
    """
    was = _shown(figures, cost)
    change = {}
    for name, before in was.items():
        known = row[name] is not None and before is not None
        difference = round(row[name] - before, 4) if known else None
        percent = round(100 * difference / before, 1) if difference is not None and before else None
        change[name] = {"difference": difference, "percent": percent}
    return {"before": was, "change": change}


# --- From a figure to its calls ------------------------------------------------------------------


FIGURES = {name: f"figure={column.calls}" for name, column in COLUMNS.items()}
"""For each figure, what is added to its row's link to list the calls that it counts or is made of."""


def _link(filter: Filter) -> str:
    """Where all calls of a report are listed."""
    return f"/api/calls?{urlencode([*parameters(filter), ('limit', LONGEST_PAGE)])}"


def _links(filter: Filter, dimension: str) -> Callable[[str], str]:
    """Where a row's calls are listed, by its key; what all rows have in common is written once."""
    before = urlencode([*parameters(filter), ("by", dimension)])
    return lambda key: f"/api/calls?{before}&key={quote_plus(key)}&limit={LONGEST_PAGE}"


def parameters(filter: Filter) -> list[tuple[str, str]]:
    """The filter as a query."""
    found = [(name, iso(to_ms(at))) for name, at in (("since", filter.since), ("until", filter.until)) if at]
    for name in ("source", "number", "agent", "status", "tag"):
        found += [(name, value) for value in getattr(filter, name)]
    if filter.q:
        found.append(("q", filter.q))
    for dimension, keys in filter.groups:
        found += [(dimension, key or NONE) for key in keys]
    if filter.figure:
        found.append(("figure", filter.figure))
    return found


NONE = "(none)"
"""How a query names the calls that have no campaign, agent …"""


def label(report: str, key: str, config: Config) -> str:
    """What the config calls this source, agent, number or hour."""
    if key == NOBODY:
        return _NONE.get(report, "Unknown")
    match report:
        case "source":
            source = config.sources.get(key)
            return source.name if source else ("Unknown" if key == "unknown" else key)
        case "agent":
            agent = config.agents.get(key)
            return agent.name if agent else display(key, config.server.country)
        case "number":
            return display(key, config.server.country)
        case "area":
            return f"{name_of(key)} (weak)" if is_weak(key) else name_of(key)
        case "hour":
            return f"{key}:00"
        case "week":
            return f"{key.capitalize()}:00"
        case _:
            return _NAMED.get(report, {}).get(key, key)


def to_csv(table: Iterable[Row], *, compared: bool = False) -> str:
    """RFC 4180; no cell is a formula to a spreadsheet (an apostrophe makes it text)."""
    out = io.StringIO()
    writer = csv.writer(out)
    also = [f"{name}_{what}" for name in COLUMNS for what in COMPARED] if compared else []
    writer.writerow([*CSV_COLUMNS, *also])
    for row in table:
        flat = dict(row)
        for name in COLUMNS if compared else ():
            flat |= {f"{name}_before": row["before"][name]}
            flat |= {f"{name}_{what}": value for what, value in row["change"][name].items()}
        writer.writerow([cell(flat[column]) for column in (*CSV_COLUMNS, *also)])
    return out.getvalue()
