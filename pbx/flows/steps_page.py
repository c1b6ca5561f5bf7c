"""``docs/steps.md``: every step by example, written from the code.

``make docs`` writes it; a test keeps it in step, and loads and checks every example. What a step is
comes from its module's and its class's docstrings, its keys from the model, its ways out from the
example.
"""

import re
import sys
from datetime import timedelta
from inspect import getdoc, getmodule
from pathlib import Path
from typing import Any

import yaml
from pydantic.fields import FieldInfo

from pbx.config.fields import seconds
from pbx.flows.conditions import __doc__ as how_conditions_are_written
from pbx.flows.known import NAMES, QUEUE_NAMES
from pbx.flows.spoken_values import FILTERS, USUAL
from pbx.flows.step import Step
from pbx.flows.steps import STEPS

PAGE = Path("docs/steps.md")

_HEAD = """\
# Flows: every step

<!-- Written by `make docs` from pbx/flows/steps: edit there. -->

A flow is a file in `ivr_flows/`, known by its file name without `.yaml`. It has a `name` for people, a
`start` step and its `steps`, and may have a `language`. A step without `next` ends the call. The target
`hangup` ends it, too. The first step that speaks or waits answers the call; a flow that begins with
`dial` lets the caller hear ringing, and answers when the agent does. A key press interrupts a prompt.
Durations are written `20s`, `5m`, `2h`, `30d`.

```yaml
name: Main line
start: hello
steps:
  hello: {say: "Thanks for calling.", next: reception}
  reception: {dial: alice, on_no_answer: message}
  message: {voicemail: {max: 120s}}
```

Editors complete flows with the JSON schemas in [schema/](schema/). `pbx check` finds what is wrong with a
flow, `pbx simulate` walks it, `pbx graph` draws it.
"""

_SPOKEN = """\
## What is spoken

Wherever something is spoken, write a text, one for each language, or an audio file:

```yaml
hello: {say: "Thanks for calling.", next: menu}
menu:
  menu: {en: "Press 1 for sales.", es: "Oprima 1 para ventas."}
  keys: {"1": sales}
  otherwise: message
message:
  voicemail: {greeting: {play: leave-a-message.wav}}
sales: {dial: alice}
```

Texts are spoken with espeak-ng, each once, and kept as files in the data directory. Audio files are WAV
of any rate, looked for beside the flow, then in `prompts/` beside `config.yaml`; first of all in the
folder of the call's language there, such as `prompts/es/hello.wav`.

A call's language is its number's `language`, else the flow's, else `server.language`, until a flow sets
another (`set: {language: es}`). `speech.voices` chooses another voice for a language. `pbx check` finds
the texts and files that a caller would miss.

Texts may have values in them: `You are number {queue.sales.position} in line.` `{name|filter}` says how a
value is spoken, `{{` and `}}` are plain braces. A value that there is not yet is spoken as nothing.

"""


def page() -> str:
    """The whole page."""
    parts = [
        _HEAD,
        *(_section(kind, step) for kind, step in STEPS.items()),
        _SPOKEN + _filters(),
        "## Values\n\n" + _values(),
        "## Conditions\n\n" + _prose(how_conditions_are_written or "", first_line=False),
    ]
    return "\n".join(parts)


def _section(kind: str, step: type[Step]) -> str:
    module = getmodule(step)
    theory = _prose(module.__doc__ or "" if module else "")
    text = f"## {kind}\n\n{theory}\n{_prose(getdoc(step) or '')}\n```yaml\n{step.example.strip()}\n```\n\n"
    return text + _keys(step) + _told(kind, step)


def _keys(step: type[Step]) -> str:
    fields = dict(sorted(step.model_fields.items(), key=lambda item: item[0] == "next"))  # which comes last
    rows = [
        f"| `{field.alias or name}` | {_default(field)} | {_cell(field.description or _NEXT)} |"
        for name, field in fields.items()
        if name != "next" or field.annotation is not type(None)
    ]
    return "\n".join(("| key | if left out | meaning |", "| --- | --- | --- |", *rows, ""))


_NEXT = "Where to go then; without it the call ends."


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "needed"
    value: Any = field.get_default(call_default_factory=True)
    if isinstance(value, timedelta):
        return f"`{seconds(value):g}s`"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    return f"`{value}`" if value not in (None, "", []) else "–"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _told(kind: str, step: type[Step]) -> str:
    if not step.gives:
        return ""
    names = [f"`{{STEP.{detail}}}`" if detail else "`{STEP}`" for detail in step.gives if detail != "*"]
    more = ", and what it was answered as `{STEP.…}`" if "*" in step.gives else ""
    return f"\nIt tells {', '.join(names)}{more}, where `STEP` is its name.\n"


def _filters() -> str:
    rows = [f"| `{{…\\|{name}}}` | {_cell(getdoc(filter) or '')} |" for name, filter in FILTERS.items()]
    usual = ", ".join(f"`{name}` as `{filter}`" for name, filter in USUAL.items())
    table = "\n".join(("| filter | speaks a value as |", "| --- | --- |", *rows, ""))
    return f"{table}\nWithout a filter, these are spoken in their own way: {usual}.\n"


def _values() -> str:
    rows = [f"| `{name}` | {_cell(what)} |" for name, what in NAMES.items()]
    rows += [f"| `queue.NAME.{name}` | {what} |" for name, what in QUEUE_NAMES.items()]
    table = "\n".join(("| name | what it tells |", "| --- | --- |", *rows, ""))
    return (
        "Texts and conditions may name what every call has, what earlier steps told (under the step's name,"
        f"\nas said at each step above), and what `set` set.\n\n{table}"
    )


_LINK = re.compile(r"`(\w+)`_")
_ROLE = re.compile(r":[a-z]+:`~?([^`]*)`")


def _prose(docstring: str, *, first_line: bool = True) -> str:
    """Markdown of a docstring: its roles and double backticks are code, its lines stay."""
    lines = [line.rstrip() for line in docstring.strip().splitlines()]
    if not first_line:
        lines = lines[2:]
    text = _ROLE.sub(lambda role: f"`{role[1]}`", "\n".join(lines)).replace("``", "`")
    text = _LINK.sub(lambda link: f"[{link[1]}](#{link[1].lower()})", text)
    return text + "\n" if text else ""


def examples() -> dict[str, Any]:
    """The steps of every kind's example, as data."""
    return {kind: yaml.load(step.example, yaml.BaseLoader) for kind, step in STEPS.items()}


def main(path: Path = PAGE) -> None:
    """Write it."""
    path.write_text(page(), encoding="utf-8")
    print(path)


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
