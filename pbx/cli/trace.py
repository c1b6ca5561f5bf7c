"""``pbx trace CALL``: a call's SIP messages as a ladder, or as a pcap."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from pbx.cli.database import USUAL_CONFIG, ConfigOption, opened
from pbx.control import NoServer, ask_server
from pbx.siptrace.archive import read
from pbx.siptrace.ladder import as_text
from pbx.siptrace.message import Traced
from pbx.siptrace.pcap import as_pcap
from pbx.store.calls import Calls
from pbx.store.encoding import from_ms


def trace(
    call: Annotated[str, typer.Argument(help="The call's id.")],
    messages: Annotated[bool, typer.Option("--messages", help="Print each message whole.")] = False,
    pcap: Annotated[Path | None, typer.Option(help="Write a pcap file; - is standard output.")] = None,
    config: ConfigOption = USUAL_CONFIG,
) -> None:
    """Draw a call's SIP messages: who sent what to whom, and when."""
    with opened(config) as (site, engine):
        history = Calls(engine).history(call)
        if history is None:
            typer.echo(f"pbx trace: there is no call {call!r}", err=True)
            raise typer.Exit(1)
        found = _live(site.data_dir, call)
        found = found or read(site.data_dir, call, from_ms(history.call.row.started_ms).date())
    if not found:
        typer.echo("pbx trace: no message of this call is kept (trace.enabled, trace.keep)", err=True)
        raise typer.Exit(1)
    if pcap is None:
        typer.echo(as_text(found, bodies=messages))
    elif str(pcap) == "-":
        sys.stdout.buffer.write(as_pcap(found))
    else:
        pcap.write_bytes(as_pcap(found))
        typer.echo(f"{len(found)} messages in {pcap}")


def _live(data_dir: Path, call: str) -> list[Traced]:
    try:
        return [Traced.from_json(each) for each in ask_server(data_dir, "trace", call=call)["messages"]]
    except (NoServer, KeyError, TypeError):
        return []
