"""``pbx why``: why a call is attributed as it is."""

from typing import Annotated

import typer
from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from pbx.attribution.journey import MODELS, Journey
from pbx.attribution.story import credited
from pbx.cli.database import USUAL_CONFIG, ConfigOption, opened
from pbx.config.models import Config
from pbx.store.calls import Calls
from pbx.store.encoding import from_ms
from pbx.web.attribution import attribution, story


def why(
    call: Annotated[str, typer.Argument(help="The call's id, as in the dashboard's address.")],
    config: ConfigOption = USUAL_CONFIG,
) -> None:
    """Tell why CALL is attributed to its source, who else may have called, and the visitor's way to it."""
    with opened(config) as (site, engine):
        found = Calls(engine).history(call)
        if found is None:
            typer.echo(f"pbx why: there is no call {call!r}", err=True)
            raise typer.Exit(1)
        row, zone = found.call.row, site.config.server.zone
        console = Console(soft_wrap=True, highlight=False)
        said = attribution(row)
        started = from_ms(row.started_ms).astimezone(zone)
        caller = row.from_number or "withheld"
        console.print(f"[bold]Call[/]      {started:%Y-%m-%d %H:%M}, {caller} to {row.to_number}")
        console.print(f"[bold]Source[/]    {escape(_name(site.config, row.source))}")
        for label in ("medium", "campaign", "keyword"):
            if said[label]:
                console.print(f"[bold]{label.capitalize():<9}[/] {escape(said[label])}")
        for reason in said["reasons"]:
            console.print(f"  · {escape(reason)}")
        if found.journey is not None:
            console.print("\n[bold]The way to the call[/]")
            for sentence in story(row, found.journey, site.config):
                console.print(f"  {escape(sentence)}")
            console.print(_credit(found.journey, site.config))


def _credit(journey: Journey, config: Config) -> Table:
    table = Table("Touch", *MODELS, box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for column in table.columns[1:]:
        column.justify = "right"
    shares = credited(journey, MODELS)
    zone = config.server.zone
    for place, touch in enumerate(journey.touches):
        when = from_ms(touch.at_ms).astimezone(zone)
        name = f"{when:%Y-%m-%d %H:%M} {_name(config, touch.source)}"
        table.add_row(escape(name), *(f"{shares[model][place]:.0%}" for model in MODELS))
    return table


def _name(config: Config, source: str) -> str:
    known = config.sources.get(source)
    return known.name if known else source
