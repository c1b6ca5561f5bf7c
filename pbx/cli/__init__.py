"""The command line: one file a command, put together here."""

import typer

from pbx.cli.call import call
from pbx.cli.check import check
from pbx.cli.demo import demo
from pbx.cli.graph import graph
from pbx.cli.purge import purge
from pbx.cli.reload import reload
from pbx.cli.report import report
from pbx.cli.serve import serve
from pbx.cli.simulate import simulate
from pbx.cli.test import test
from pbx.cli.token import token
from pbx.cli.transcribe import transcribe
from pbx.cli.user import user

app = typer.Typer(
    name="pbx",
    help="Dialtrace: a self-hosted call-tracking PBX. `pbx COMMAND --help` explains each command.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
for command in (serve, check, simulate, test, graph, call, report, transcribe, purge, reload, demo):
    app.command()(command)
app.add_typer(token, name="token", help="API tokens.")
app.add_typer(user, name="user", help="People who log in to the dashboard.")


def main() -> None:
    app()
