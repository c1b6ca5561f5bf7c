"""``pbx pool plan``: how many numbers a pool needs, and what one more buys."""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

import typer
from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from pbx.attribution.erlang import blocking, numbers_for
from pbx.cli.database import USUAL_CONFIG, ConfigOption, opened
from pbx.clock import SystemClock
from pbx.config.fields import parse_duration, seconds
from pbx.config.problems import did_you_mean
from pbx.config.site import Site
from pbx.config.tracking import Pool
from pbx.store.period import parse_moment
from pbx.store.pool_traffic import PoolTraffic, pool_traffic

MOST_ERLANGS = 1e6

pool = typer.Typer(no_args_is_help=True, help="The pools of numbers lent to website visitors.")


@pool.callback()
def _pool() -> None:
    """The pools of numbers lent to website visitors."""


@dataclass(frozen=True, slots=True)
class Load:
    """What is offered to a pool at its busiest."""

    an_hour: float  # visitors who want a number
    kept_s: float
    origin: str  # where the figures come from

    @property
    def erlangs(self) -> float:
        return self.an_hour * self.kept_s / 3600


@pool.command()
def plan(
    name: Annotated[
        str | None, typer.Argument(metavar="POOL", help="The pool; all of them if left out.")
    ] = None,
    visitors: Annotated[
        float | None, typer.Option(min=0, help="Visitors in the busiest hour; from own traffic if left out.")
    ] = None,
    stay: Annotated[str, typer.Option(help="How long a visitor stays, with --visitors.")] = "3m",
    miss: Annotated[
        float, typer.Option(min=0.0001, max=0.9999, help="The share that may find no number.")
    ] = 0.01,
    since: Annotated[str, typer.Option(help="Own traffic since then: 28d, a date, a time.")] = "28d",
    config: ConfigOption = USUAL_CONFIG,
) -> None:
    """Size pools by Erlang B from their own traffic, or from figures given, and price one more number."""
    with opened(config) as (site, engine):
        pools = _chosen(site, name)
        now = SystemClock().now()
        start = _since(since, now, site)
        for each, chosen in pools.items():
            if visitors is not None:
                load = Load(
                    visitors, _stay(stay) + seconds(chosen.hold), f"{visitors:g} visitors an hour given"
                )
            else:
                traffic = pool_traffic(engine, each, chosen.sources, start, now)
                load = _load(traffic, chosen)
            if load.erlangs > MOST_ERLANGS:
                raise typer.BadParameter(
                    f"{load.origin}, each for {load.kept_s / 60:g} min, is more than any pool can serve",
                    param_hint="--visitors",
                )
            _print(each, chosen, load, miss)


def _chosen(site: Site, name: str | None) -> dict[str, Pool]:
    pools = site.config.pools
    if name is None:
        return dict(pools)
    if name not in pools:
        raise typer.BadParameter(f"no pool {name!r}{did_you_mean(name, pools)}", param_hint="POOL")
    return {name: pools[name]}


def _since(text: str, now: datetime, site: Site) -> datetime:
    try:
        return parse_moment(text, now, site.config.server.zone)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--since") from None


def _stay(text: str) -> float:
    try:
        return seconds(parse_duration(text))
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--stay") from None


def _load(traffic: PoolTraffic, pool: Pool) -> Load:
    kept_s = traffic.kept_s or seconds(pool.hold)
    origin = (
        f"{traffic.visits} visits, {traffic.turned_away} of them without a number;"
        f" {traffic.busiest_hour} in the busiest hour"
    )
    return Load(traffic.busiest_hour, kept_s, origin)


def _print(name: str, pool: Pool, load: Load, miss: float) -> None:
    console = Console(soft_wrap=True, highlight=False)
    have = len(pool.numbers)
    console.print(f"[bold]{escape(name)}[/]: {load.origin}")
    console.print(
        f"each keeps a number for {load.kept_s / 60:.1f} min (hold {seconds(pool.hold) / 60:g} min):"
        f" {load.erlangs:.2f} erlangs offered"
    )
    if not load.erlangs:
        console.print("no traffic: nothing to size by; give --visitors\n")
        return
    need = numbers_for(load.erlangs, miss)
    table = Table(
        "Numbers", "Find none", "an hour", "One more serves", box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0)
    )
    for column in table.columns:
        column.justify = "right"
    for count in sorted({max(1, have - 1), have, have + 1, need - 1, need, need + 1} - {0}):
        share, better = blocking(count, load.erlangs), blocking(count + 1, load.erlangs)
        mark = " (now)" if count == have else " (needed)" if count == need else ""
        table.add_row(
            f"{count}{mark}",
            f"{share:.2%}",
            f"{share * load.an_hour:.1f}",
            f"{(share - better) * load.an_hour:.2f} an hour",
        )
    console.print(table)
    verdict = "enough" if have >= need else f"{need - have} too few"
    console.print(f"for at most {miss:.2%} without a number: {need}; there are {have}, {verdict}\n")
