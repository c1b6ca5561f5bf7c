"""YAML text to nodes with marks: libyaml's composer, or PyYAML's own where libyaml is absent.

Neither is asked what a scalar means: nodes only tell whether one was plain, quoted or tagged.
"""

import re
from typing import Any, NamedTuple

import yaml
from yaml.nodes import Node, ScalarNode


class Place(NamedTuple):
    """Line and column, from 1."""

    line: int
    column: int


class Unreadable(Exception):  # noqa: N818 - a state of the text
    """The text is no YAML at all; what is wrong, and where."""

    def __init__(self, message: str, place: Place | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.place = place or Place(1, 1)


PLAIN = "plain"
STR = "tag:yaml.org,2002:str"


class _Untyped(yaml.resolver.BaseResolver):
    """Marks scalars that are neither quoted nor tagged; what they mean is decided in `pbx.config.scalars`."""

    def resolve(self, kind: type[Node], value: str, implicit: Any) -> str:
        if kind is ScalarNode:
            return PLAIN if implicit[0] else STR
        return str(super().resolve(kind, value, implicit))  # type: ignore[no-untyped-call]


class PythonComposer(
    yaml.reader.Reader, yaml.scanner.Scanner, yaml.parser.Parser, yaml.composer.Composer, _Untyped
):
    """PyYAML's own composer: slower, and always there."""

    def __init__(self, text: str) -> None:
        yaml.reader.Reader.__init__(self, text)
        yaml.scanner.Scanner.__init__(self)
        yaml.parser.Parser.__init__(self)
        yaml.composer.Composer.__init__(self)
        _Untyped.__init__(self)


Composer: type[Any] = PythonComposer

if yaml.__with_libyaml__:
    from yaml.cyaml import CParser  # type: ignore[attr-defined]

    class FastComposer(CParser, _Untyped):
        """libyaml's composer."""

        def __init__(self, text: str) -> None:
            CParser.__init__(self, text)
            _Untyped.__init__(self)

    Composer = FastComposer


def compose(text: str, composer: type[Any] | None = None) -> Node | None:
    """The top node, None of an empty text. Raises Unreadable."""
    try:
        node: Node | None = (composer or Composer)(text).get_single_node()
    except yaml.reader.ReaderError as error:
        raise _unreadable_character(text, error) from None
    except yaml.MarkedYAMLError as error:
        raise _explained(text, error) from None
    except RecursionError:
        raise Unreadable("nested too deeply") from None
    return node


_BREAK = re.compile("\r\n|[\n\r\x85\u2028\u2029]")
"""What ends a line for libyaml, and so in its marks."""


def _unreadable_character(text: str, error: yaml.reader.ReaderError) -> Unreadable:
    character = error.character
    code = ord(character) if isinstance(character, str) else int(character)
    lines = _BREAK.split(text[: max(text.find(chr(code)), 0)])
    place = Place(len(lines), len(lines[-1]) + 1)
    return Unreadable(f"the character U+{code:04X} cannot stand in a YAML file", place)


def _explained(text: str, error: yaml.MarkedYAMLError) -> Unreadable:
    lines = _BREAK.split(text.rstrip())
    mark = error.problem_mark
    if mark is None or mark.line >= len(lines):  # the end of the file; what was left open says more
        mark = error.context_mark or mark
    place = Place(min(mark.line, len(lines) - 1) + 1, mark.column + 1) if mark else Place(1, 1)
    line = lines[place.line - 1]
    problem = error.problem or "this is no YAML"
    if "\t" in line[: place.column] and ("token" in problem or "expected" in problem):
        return Unreadable("a tab; YAML is indented with spaces", Place(place.line, line.index("\t") + 1))
    if "single document" in f"{error.context} {problem}":
        return Unreadable("a second document ('---'); a file holds one", place)
    if error.context:
        problem += f" {error.context}"
    return Unreadable(f"not valid YAML: {problem}{_remedy(problem, line)}", place)


def _remedy(problem: str, line: str) -> str:
    if "mapping values are not allowed" in problem:
        return " (a value that contains ': ' must be quoted)"
    if "undefined alias" in problem:
        return " (an alias, *name, needs its anchor, &name, further up)"
    if "flow mapping" in problem and "${" in line:
        return ' (within { }, a variable must be quoted: "${NAME}")'
    if "flow mapping" in problem or "flow sequence" in problem:
        return " (a value with ':', ',' or brackets must be quoted, and brackets closed)"
    return ""
