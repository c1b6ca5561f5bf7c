"""``pbx graph``: a flow as a picture."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from pbx.config.load import ConfigErrors, load
from pbx.config.problems import did_you_mean
from pbx.flows.graph import mermaid, svg


class PictureFormat(StrEnum):
    MERMAID = "mermaid"
    SVG = "svg"


def graph(
    flow: Annotated[str, typer.Argument(help="The flow: its file's name, without .yaml.")],
    format_: Annotated[
        PictureFormat, typer.Option("--format", help="mermaid (text) or svg.")
    ] = PictureFormat.MERMAID,
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
    draw = svg if format_ is PictureFormat.SVG else mermaid
    typer.echo(draw(site.flows[flow]), nl=False)
