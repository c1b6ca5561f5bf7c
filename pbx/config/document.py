"""A YAML file as plain data, with the place of every key and value.

Theory of operation
-------------------
libyaml's composer (or PyYAML's own where libyaml is absent) turns the text into nodes that carry
marks. Resolving scalars is ours, because admins expect YAML 1.2 (core schema) and PyYAML speaks
1.1: ``off``, ``no`` and ``on`` are words; ``true`` and ``false`` are booleans; ``08:30`` is no
base-60 number. Besides the core schema,

* ``2026-12-25`` is a date;
* a number with leading zeros keeps them: it is a word;
* an unquoted ``+1212…`` is refused, since every YAML reader would take it for an integer;
* mapping keys are always words, so that ``{1: sales}`` and ``{"1": sales}`` are the same;
* a key given twice is an error; ``<<`` merges (https://yaml.org/type/merge.html).

``${NAME}`` and ``${NAME:-default}`` in values are replaced from the environment after parsing, so
that no value of a variable can change the file's structure. The result is always text; the model
that receives it turns it into a port or a boolean. ``$${`` stands for a plain ``${``.

The result is a :class:`Document`: ``data`` for the models, and a place for every location (the
path of keys and indices that pydantic's errors speak of).
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from pbx.config.codes import CODES
from pbx.config.nodes import PLAIN, STR, Place, Unreadable, compose
from pbx.config.problems import Problem, Severity
from pbx.config.scalars import PHONE_NUMBER, scalar, substitute

Loc = tuple[str | int, ...]
"""A path of keys and indices from the top of a file."""

MAX_BYTES = 4 << 20
MAX_NODES = 200_000  # aliases of aliases of aliases … multiply
MAX_DEPTH = 100
_TELLING = 4  # shorter values are no secrets, and would be found in every word


@dataclass(slots=True)
class Document:
    """A file's data and where everything in it stands."""

    path: Path
    data: Any = None
    problems: list[Problem] = field(default_factory=list)
    keys: dict[Loc, Place] = field(default_factory=dict)
    values: dict[Loc, Place] = field(default_factory=dict)
    ends: dict[Loc, Place] = field(default_factory=dict)
    """Where the value ends; of a block, where its first line does."""
    hidden: dict[Loc, str] = field(default_factory=dict)
    """Values that came from the environment, by location: as the file writes them (``${NAME}``)."""
    variables: dict[str, str] = field(default_factory=dict)
    """What the environment said, by name; it may be secret, and stays out of every message."""
    broken: set[Loc] = field(default_factory=set)
    """Scalars that were reported already; saying more about them would only be noise."""

    def nearest(self, loc: Loc) -> Loc:
        """The deepest location of this file on the way to ``loc``.

        Parts that the file does not have (a key that is missing, the name of a union's member in
        one of pydantic's locations) are passed over.
        """
        found: Loc = ()
        for part in loc:
            if (longer := (*found, part)) in self.values:
                found = longer
        return found

    def value_place(self, loc: Loc) -> Place:
        return self.values.get(self.nearest(loc), Place(1, 1))

    def key_place(self, loc: Loc) -> Place:
        """Where the key of ``loc`` is written; list items have none, so theirs is the value's."""
        nearest = self.nearest(loc)
        return self.keys.get(nearest) or self.values.get(nearest, Place(1, 1))

    def get(self, loc: Loc, default: Any = None) -> Any:
        """The value at ``loc``."""
        value = self.data
        for part in loc:
            try:
                value = value[part]
            except (KeyError, IndexError, TypeError):
                return default
        return value

    def matching(self, *pattern: str) -> Iterator[Loc]:
        """Every location of that shape; ``*`` is any key or item."""
        found: list[Loc] = [()]
        for part in pattern:
            longer: list[Loc] = []
            for loc in found:
                value = self.get(loc)
                if isinstance(value, list) and part == "*":
                    longer += [(*loc, index) for index in range(len(value))]
                elif isinstance(value, dict):
                    longer += [(*loc, key) for key in value if part in ("*", key)]
            found = longer
        yield from found

    def text(self, loc: Loc) -> str | None:
        """The text at ``loc``; None if something else stands there, or what was reported already."""
        value = self.get(loc)
        return value if isinstance(value, str) and loc not in self.broken else None

    def shown(self, loc: Loc) -> str:
        """The scalar at ``loc`` for a message: secrets, and what the environment said, stay out of it."""
        nearest = self.nearest(loc)
        if nearest in self.hidden:
            return self.hidden[nearest]
        if nearest and is_secret(str(nearest[-1])):
            return "(hidden)"
        return described(self.get(nearest))

    def error(self, loc: Loc, message: str, *, at_key: bool = False, code: str = "value") -> None:
        """``code`` is one of :data:`pbx.config.codes.CODES`."""
        self._report(loc, message, Severity.ERROR, at_key, code)

    def warn(self, loc: Loc, message: str, *, at_key: bool = True, code: str = "value") -> None:
        self._report(loc, message, Severity.WARNING, at_key, code)

    def _report(self, loc: Loc, message: str, severity: Severity, at_key: bool, code: str) -> None:
        assert code in CODES, code
        if not at_key and self.nearest(loc) in self.broken:
            return
        place = self.key_place(loc) if at_key else self.value_place(loc)
        end = self._end(loc, place)
        self.problems.append(Problem(self.path, *place, self._redacted(message), severity, code, end))

    def _end(self, loc: Loc, place: Place) -> Place | None:
        """Where what begins at ``place`` ends: the key of ``loc``, or its value."""
        nearest = self.nearest(loc)
        if place == self.keys.get(nearest):
            return Place(place.line, place.column + len(str(nearest[-1])))
        return self.ends.get(nearest)

    def _redacted(self, message: str) -> str:
        """Without what the environment said, whoever wrote the message."""
        for name, value in self.variables.items():
            if len(value) >= _TELLING:
                for form in (value, repr(value)[1:-1]):
                    message = message.replace(form, f"${{{name}}}")
        return message


def is_secret(key: str) -> bool:
    return key in {"password", "database"}


def described(value: object) -> str:
    """A value for a message: scalars as they are, the rest by what it is."""
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list):
        return "a list"
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return str(value).lower()
    text = str(value)
    return repr(text if len(text) <= 60 else text[:57] + "…")


def read(path: Path, env: Mapping[str, str]) -> Document:
    """The file as a document; whatever is wrong with the text is among its problems."""
    document = Document(path)
    try:
        node = compose(_text(path))
    except Unreadable as unreadable:
        document.problems.append(Problem(path, *unreadable.place, unreadable.message, code="yaml"))
        return document
    if node is not None:
        _Builder(document, env).build(node)
    return document


def _text(path: Path) -> str:
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise Unreadable(f"cannot be read: {error.strerror or error}") from None
    if len(raw) > MAX_BYTES:
        raise Unreadable(f"{len(raw)} bytes; {MAX_BYTES} are the most that is read")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        column = error.start - (raw.rfind(b"\n", 0, error.start) + 1) + 1
        raise Unreadable(f"byte 0x{raw[error.start]:02x} is no UTF-8 text", Place(line, column)) from None


class _Builder:
    """Walks the nodes once, filling the document."""

    def __init__(self, document: Document, env: Mapping[str, str]) -> None:
        self._document = document
        self._env = env
        self._nodes = 0
        self._above: list[Node] = []  # an alias to one of these would never end

    def build(self, node: Node) -> None:
        try:
            self._document.data = self._value(node, ())
        except Unreadable as unreadable:
            self._problem(unreadable.place, unreadable.message)
            self._document.data = None

    def _value(self, node: Node, loc: Loc) -> Any:
        self._nodes += 1
        if self._nodes > MAX_NODES:
            raise Unreadable(f"more than {MAX_NODES} values; do aliases multiply?", _place(node))
        if len(self._above) > MAX_DEPTH:
            raise Unreadable(f"nested more than {MAX_DEPTH} deep", _place(node))
        if any(node is above for above in self._above):
            raise Unreadable("an alias that contains itself", _place(node))
        self._document.values[loc] = _place(node)
        self._document.ends[loc] = _end(node)
        if isinstance(node, ScalarNode):
            return self._scalar(node, loc)
        self._above.append(node)
        try:
            if isinstance(node, SequenceNode):
                return [self._value(item, (*loc, index)) for index, item in enumerate(node.value)]
            return self._mapping(node, loc)
        finally:
            self._above.pop()

    def _scalar(self, node: ScalarNode, loc: Loc) -> Any:
        text: str = node.value
        if node.tag not in (PLAIN, STR):
            self._document.broken.add(loc)
            self._problem(_place(node), f"tags such as {node.tag} have no meaning here")
            return text
        try:
            if "${" in text:
                value, used = substitute(text, self._env)
                if used:
                    self._document.hidden[loc] = text
                    self._document.variables |= used
                return value
            return scalar(text) if node.tag == PLAIN else text
        except ValueError as error:
            self._document.broken.add(loc)
            self._problem(_place(node), str(error))
            return text

    def _mapping(self, node: Node, loc: Loc) -> dict[str, Any]:
        result: dict[str, Any] = {}
        merges: list[Node] = []
        first: dict[str, Place] = {}
        for key_node, value_node in node.value:
            if not isinstance(key_node, ScalarNode):
                self._problem(_place(key_node), "a key must be a word, not a list or mapping")
                continue
            key = key_node.value
            if key == "<<" and key_node.tag == PLAIN:
                merges.append(value_node)
                continue
            if key in first:
                line = first[key].line
                self._problem(_place(key_node), f"the key {key!r} is given twice; first in line {line}")
                continue
            if key_node.tag == PLAIN and PHONE_NUMBER.fullmatch(key):
                self._problem(
                    _place(key_node),
                    f'a telephone number must be quoted, or YAML reads an integer: write "{key}"',
                )
            first[key] = _place(key_node)
            self._document.keys[(*loc, key)] = first[key]
            result[key] = self._value(value_node, (*loc, key))
        for merge in merges:
            self._merge(merge, loc, result)
        return result

    def _merge(self, node: Node, loc: Loc, into: dict[str, Any]) -> None:
        """Add the keys that ``into`` lacks; they keep the place where they are written."""
        for source in node.value if isinstance(node, SequenceNode) else [node]:
            if not isinstance(source, MappingNode):
                self._problem(_place(source), "<< merges a mapping, such as *name, or a list of them")
                continue
            if any(source is above for above in self._above):
                raise Unreadable("an alias that contains itself", _place(source))
            self._above.append(source)
            further: list[Node] = []  # what the source itself merges: weaker than its own keys
            for key_node, value_node in source.value:
                key = key_node.value
                if not isinstance(key_node, ScalarNode):
                    self._problem(_place(key_node), "a key must be a word, not a list or mapping")
                elif key == "<<" and key_node.tag == PLAIN:
                    further.append(value_node)
                elif key not in into:
                    self._document.keys[(*loc, key)] = _place(key_node)
                    into[key] = self._value(value_node, (*loc, key))
            for each in further:
                self._merge(each, loc, into)
            self._above.pop()

    def _problem(self, place: Place, message: str) -> None:
        self._document.problems.append(
            Problem(self._document.path, place.line, place.column, message, code="yaml")
        )


def _end(node: Node) -> Place:
    """Behind the node; a block's own end lies on a later line, so of a block it is its first key's."""
    if isinstance(node, (MappingNode, SequenceNode)) and not node.flow_style and node.value:
        first = node.value[0]
        return _end(first[0] if isinstance(first, tuple) else first)
    return Place(node.end_mark.line + 1, node.end_mark.column + 1)


def _place(node: Node) -> Place:
    return Place(node.start_mark.line + 1, node.start_mark.column + 1)
