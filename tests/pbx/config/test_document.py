"""YAML 1.2 with places."""

from datetime import date
from pathlib import Path

import pytest

from pbx.config import document, nodes
from pbx.config.document import Document, read
from pbx.config.nodes import PythonComposer, compose
from pbx.config.scalars import scalar, substitute


@pytest.fixture(params=["libyaml", "python"])
def parse(request, tmp_path, monkeypatch):
    """Reads a text, by libyaml's composer and by PyYAML's own."""
    if request.param == "python":
        monkeypatch.setattr(nodes, "Composer", PythonComposer)

    def parsed(text: str | bytes, **env: str) -> Document:
        path = tmp_path / "x.yaml"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return read(path, env)

    return parsed


def messages(found: Document) -> list[str]:
    return [f"{p.line}:{p.column}: {p.message}" for p in found.problems]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("off", "off"), ("no", "no"), ("on", "on"), ("yes", "yes"), ("y", "y"),
        ("true", True), ("False", False), ("null", None), ("~", None), ("", None),
        ("0", 0), ("101", 101), ("-7", -7), ("0o17", 15), ("0xFF", 255),
        ("0101", "0101"), ("1_000", "1_000"), ("08:30", "08:30"), ("12:30:45", "12:30:45"),
        ("1.5", 1.5), ("1e3", 1000.0), (".5", 0.5), (".inf", float("inf")),
        ("2026-12-25", date(2026, 12, 25)), ("2026-12-25 10:00", "2026-12-25 10:00"),
        ("20s", "20s"), ("127.0.0.1", "127.0.0.1"), ("1" * 5000, "1" * 5000),
    ],
)  # fmt: skip
def test_what_an_unquoted_scalar_means(text, value):
    assert scalar(text) == value
    assert type(scalar(text)) is type(value)


def test_nan_is_a_number():
    assert str(scalar(".nan")) == "nan"


@pytest.mark.parametrize(("text", "says"), [("+12125550100", "must be quoted"), ("2026-02-30", "is no date")])
def test_what_an_unquoted_scalar_cannot_be(text, says):
    with pytest.raises(ValueError, match=says):
        scalar(text)


def test_quoted_is_text(parse):
    found = parse("a: \"off\"\nb: '101'\nc: |\n  2026-12-25\nd: !!str 7\n")
    assert found.data == {"a": "off", "b": "101", "c": "2026-12-25\n", "d": "7"}
    assert found.problems == []


def test_places_of_keys_and_values(parse):
    found = parse("top:\n  - {a: 1, b: [x, y]}\n")
    assert found.key_place(("top", 0, "b")) == (2, 12)
    assert found.value_place(("top", 0, "b", 1)) == (2, 19)
    assert found.value_place(("top", 0, "missing", "str")) == (2, 5)
    assert found.key_place(("nowhere",)) == (1, 1)


def test_columns_count_characters(parse):
    assert parse("a: {ü€😀: x}\n").value_place(("a", "ü€😀")) == (1, 10)


def test_a_byte_order_mark_is_passed_over(parse):
    found = parse(b"\xef\xbb\xbfa: 1\n")
    assert (found.data, found.problems) == ({"a": 1}, [])


def test_keys_are_words(parse):
    assert parse('{1: a, off: b, "2": c, 2026-12-25: d}').data == {
        "1": "a", "off": "b", "2": "c", "2026-12-25": "d",
    }  # fmt: skip


def test_merging(parse):
    found = parse("a: &a {x: 1, y: 1}\nb: &b {<<: *a, y: 2}\nc: {<<: [*b, {z: 3}], x: 0}\n")
    assert found.data["c"] == {"x": 0, "y": 2, "z": 3}
    assert found.key_place(("c", "y")) == (2, 16)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("a: 1\nb: 2\na: 3\n", ["3:1: the key 'a' is given twice; first in line 1"]),
        ("a: +12125550100\n", ["1:4: a telephone number must be quoted, or YAML reads an integer"]),
        ("+1 (212) 555-0100: x\n", ["1:1: a telephone number must be quoted"]),
        ("a:\n\t- b\n", ["2:1: a tab; YAML is indented with spaces"]),
        ("a: b: c\n", ["1:5: not valid YAML: mapping values are not allowed"]),
        ("a: [1, 2\n", ["1:4: not valid YAML"]),
        ("a: {b: ${X}}\n", ["not valid YAML"]),
        ("a: 1\n---\nb: 2\n", ["2:1: a second document ('---'); a file holds one"]),
        ("a: *x\n", ["1:4: not valid YAML: found undefined alias"]),
        ("a: &a [*a]\n", ["1:4: an alias that contains itself"]),
        ("a: &a\n  <<: *a\n", ["an alias that contains itself"]),
        ("a: {<<: 3}\n", ["1:9: << merges a mapping"]),
        ("a: !env X\n", ["1:4: tags such as !env have no meaning here"]),
        ("? [a]\n: b\n", ["1:3: a key must be a word"]),
        ("a: \x01\n", ["1:4: the character U+0001 cannot stand in a YAML file"]),
        (b"a: 1\nb: \xff\n", ["2:4: byte 0xff is no UTF-8 text"]),
        ("[" * 100_000, ["1:"]),
        ("- " * 150 + "x", ["nested more than 100 deep"]),
    ],
)
def test_what_is_wrong_with_a_text(parse, text, says):
    found = messages(parse(text))
    assert len(found) == len(says)
    for message, start in zip(found, says, strict=True):
        assert start in message


def test_several_faults_are_told_at_once(parse):
    assert len(parse("a: +12125550100\na: 2\nb: ${MISSING}\n").problems) == 3


def test_aliases_that_multiply_are_refused(parse):
    text = "a: &a0 [x]\n" + "".join(f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]\n" for i in range(1, 9))
    assert "do aliases multiply?" in messages(parse(text))[-1]


def test_an_empty_file_has_no_data(parse):
    assert parse("").data is None
    assert parse("# nothing\n").problems == []


def test_a_file_that_is_not_there(tmp_path):
    assert messages(read(tmp_path / "x.yaml", {})) == ["1:1: cannot be read: No such file or directory"]


def test_a_file_that_is_too_large(tmp_path):
    path = tmp_path / "x.yaml"
    path.write_bytes(b"#" * (document.MAX_BYTES + 1))
    assert "are the most that is read" in messages(read(path, {}))[0]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("${A}", "1"), ("x${A}y${A}", "x1y1"), ("${B:-2}", "2"), ("${A:-2}", "1"), ("${EMPTY}", ""),
        ("${EMPTY:-3}", "3"), ("${B:-}", ""), ("${B:-a:b-c}", "a:b-c"), ("$A $ {A}", "$A $ {A}"),
        ("$${A}", "${A}"), ("$$${A}", "$${A}"), ("${TRICKY}", "${A}"),
    ],
)  # fmt: skip
def test_substitution(text, value):
    assert substitute(text, {"A": "1", "EMPTY": "", "TRICKY": "${A}"})[0] == value


@pytest.mark.parametrize("text", ["${B}", "${", "${A", "${}", "${1A}", "${A-x}", "${A B}"])
def test_substitution_that_cannot_be(text):
    with pytest.raises(ValueError, match=r"not set|is not"):
        substitute(text, {"A": "1"})


def test_a_variable_is_text_whatever_it_holds(parse):
    found = parse('a: ${A}\nb: "${A}"\n', A="[1, 2]")
    assert found.data == {"a": "[1, 2]", "b": "[1, 2]"}
    assert found.shown(("a",)) == "${A}"


def test_the_two_composers_agree(tmp_path):
    path = Path(__file__).parents[2] / "data" / "flows" / "good" / "everything.yaml"
    text = path.read_text()
    composed = [compose(text, composer) for composer in (nodes.Composer, PythonComposer)]
    documents = []
    for node in composed:
        found = Document(path)
        document._Builder(found, {}).build(node)
        documents.append((found.data, found.keys, found.values.keys()))
    assert documents[0] == documents[1]
