"""The command line: one file a command. Only the file of the command that is asked for is imported,
so that ``pbx check`` need not wait for the web server's and the recogniser's libraries."""

import sys
from importlib import import_module

import typer

COMMANDS = (
    "serve",
    "demo",
    "check",
    "simulate",
    "test",
    "graph",
    "call",
    "replay",
    "report",
    "rollup",
    "export",
    "import",
    "why",
    "source",
    "pool",
    "transcribe",
    "purge",
    "outbox",
    "conversions",
    "diff",
    "reload",
    "bans",
    "trace",
    "token",
    "user",
)
_MODULES = {"import": "imports"}
"""What Python cannot call so."""


def application(names: tuple[str, ...] = COMMANDS) -> typer.Typer:
    """The command line with the commands named."""
    app = typer.Typer(
        name="pbx",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
    )

    @app.callback()
    def pbx() -> None:
        """Dialtrace: a self-hosted call-tracking PBX. `pbx COMMAND --help` explains each command."""

    for name in names:
        module = _MODULES.get(name, name)
        command = getattr(import_module(f"pbx.cli.{module}"), module)
        if isinstance(command, typer.Typer):
            app.add_typer(command, name=name)
        else:
            app.command(name)(command)
    return app


def main() -> None:
    asked = sys.argv[1] if len(sys.argv) > 1 else ""
    application((asked,) if asked in COMMANDS else COMMANDS)()
