"""``pbx graph``: a flow as a picture."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from pbx.cli.database import opened
from pbx.clock import SystemClock
from pbx.config.load import ConfigErrors, load
from pbx.config.problems import did_you_mean
from pbx.flows.graph import mermaid
from pbx.flows.picture import svg
from pbx.flows.traffic import Traffic
from pbx.store.period import parse_moment, yesterday
from pbx.store.traffic import FlowTraffic


class PictureFormat(StrEnum):
    MERMAID = "mermaid"
    SVG = "svg"


def graph(
    flow: Annotated[str, typer.Argument(help="The flow: its file's name, without .yaml.")],
    format_: Annotated[
        PictureFormat, typer.Option("--format", help="mermaid (text) or svg.")
    ] = PictureFormat.MERMAID,
    traffic: Annotated[
        bool, typer.Option("--traffic", help="Ways as wide as their share of yesterday's calls (svg).")
    ] = False,
    since: Annotated[str, typer.Option(help="With --traffic: the calls since 7d ago, a date, a time.")] = "",
    config: Annotated[Path, typer.Option(help="The server's config.")] = Path("config.yaml"),
) -> None:
    """Print FLOW as a picture: every step, and every way between them."""
    try:
        site = load(config)
    except ConfigErrors as errors:
        typer.echo(str(errors), err=True)
        raise typer.Exit(1) from None
    if flow not in site.flows:
        typer.echo(f"there is no flow {flow!r}{did_you_mean(flow, site.flows)}", err=True)
        raise typer.Exit(1)
    if format_ is PictureFormat.MERMAID:
        typer.echo(mermaid(site.flows[flow]), nl=False)
    else:
        typer.echo(svg(site.flows[flow], _traffic(config, flow, since) if traffic else None), nl=False)


def _traffic(config: Path, flow: str, since: str) -> Traffic:
    now = SystemClock().now()
    with opened(config) as (site, engine):
        zone = site.config.server.zone
        try:
            begin, end = (parse_moment(since, now, zone), now) if since else yesterday(now, zone)
        except ValueError as problem:
            raise typer.BadParameter(str(problem), param_hint="--since") from None
        return FlowTraffic(engine).of(flow, begin, end)
