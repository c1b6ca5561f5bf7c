"""``pbx source why``: which source a page view falls into, rule by rule."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape

from pbx.attribution.pageview import NoPage, page_view
from pbx.attribution.sources import UNKNOWN, Sources
from pbx.config.load import load
from pbx.config.problems import ConfigErrors

source = typer.Typer(no_args_is_help=True, help="The sources that visitors are attributed to.")


@source.command()
def why(
    url: Annotated[str, typer.Argument(help="The page's URL, with its parameters.")],
    referrer: Annotated[str, typer.Option(help="The URL of the page that led there.")] = "",
    config: Annotated[Path, typer.Option(help="The server's config.")] = Path("config.yaml"),
) -> None:
    """Show which source a visitor of URL falls into, and what each rule found."""
    try:
        sources = Sources(load(config).config)
        view = page_view(url, referrer)
    except ConfigErrors as errors:
        typer.echo(str(errors), err=True)
        raise typer.Exit(1) from None
    except NoPage as error:
        raise typer.BadParameter(str(error), param_hint="URL") from None
    console = Console(soft_wrap=True, highlight=False)
    seen, dropped = sources.seen(view)
    console.print(f"[bold]Page[/]      {escape(view.page)}")
    for name, value in view.params.items():
        console.print(f"          [dim]{escape(name)}={escape(value)}[/]")
    console.print(f"[bold]Referrer[/]  {escape(view.referrer_host or 'none')}")
    if dropped:
        console.print(f"          [dim]ignored: {escape(dropped)}; of a visit under way nothing changes[/]")
    decided = UNKNOWN
    for asked in sources.asked(seen):
        first = asked.matches and decided == UNKNOWN
        decided = asked.source if first else decided
        mark = "[green]matches[/]" if first else "matches, but an earlier one did" if asked.matches else "no"
        console.print(f"\n[bold]{escape(asked.source)}[/]: {mark}")
        for finding in asked.findings:
            sign = "[green]✓[/]" if finding.holds else "[red]✗[/]"
            console.print(f"  {'  ' * finding.depth}{sign} {escape(finding.said)}")
    arrival = sources.arrival(seen)
    console.print(f"\n[bold]Source[/]    {escape(decided)}")
    for label, value in (
        ("Medium", arrival.medium),
        ("Campaign", arrival.campaign),
        ("Keyword", arrival.keyword),
    ):
        if value:
            console.print(f"[bold]{label:<9}[/] {escape(value)}")
