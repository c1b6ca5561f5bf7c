"""What holds of all texts, conditions and splits."""

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from pbx.flows.conditions import condition, faults
from pbx.flows.spoken_values import FILTERS, Tongue, spoken
from pbx.flows.steps.split import WHOLE, Split, place
from pbx.flows.templates import Slot, TemplateFault, template

WORDS = st.text(st.characters(exclude_characters="{}|", exclude_categories=["Cs"]), min_size=1, max_size=20)
NAMES = WORDS.map(str.strip).filter(bool)
VALUES = st.dictionaries(st.sampled_from(["a", "b", "c"]), st.sampled_from(["", "1", "7", "x", "X y"]))


@given(st.text(max_size=60))
def test_any_text_is_read_or_refused(text: str):
    try:
        cut = template(text)
    except TemplateFault:
        return
    assert cut.put(dict.fromkeys(cut.names, "")) == cut.fill({}, Tongue())


@given(st.text(max_size=60))
def test_braces_written_twice_are_plain(text: str):
    doubled = text.replace("{", "{{").replace("}", "}}")
    assert template(doubled).fill({}, Tongue()) == text


@given(st.lists(st.one_of(WORDS, NAMES.map(Slot)), max_size=8), st.data())
def test_what_is_built_is_read_again(parts: list[str | Slot], data: st.DataObject):
    written = "".join(part if isinstance(part, str) else f"{{{part.name}}}" for part in parts)
    values = {part.name: data.draw(WORDS) for part in parts if isinstance(part, Slot)}
    told = "".join(part if isinstance(part, str) else values[part.name] for part in parts)
    assert template(written).put(values) == told


@given(
    st.sampled_from(sorted(FILTERS)),
    st.text(max_size=20),
    st.sampled_from(["en", "es", "pt-BR", "zz"]),
    st.sampled_from(["US", "DE", "ZZ"]),
)
def test_no_value_is_too_strange_to_be_spoken(filter: str, value: str, language: str, country: str):
    assert isinstance(spoken("x", value, filter, Tongue(language, country)), str)


LINES = st.dictionaries(
    st.sampled_from(["a", "b", "c"]), st.sampled_from(["1", "x", "> 3", "!= x", ["7", "*"]])
)
CONDITIONS: st.SearchStrategy[dict[str, Any]] = st.recursive(
    LINES.filter(bool),
    lambda inner: st.one_of(
        st.fixed_dictionaries({"all": st.lists(inner, min_size=1, max_size=3)}),
        st.fixed_dictionaries({"any": st.lists(inner, min_size=1, max_size=3)}),
        st.fixed_dictionaries({"not": inner}),
    ),
    max_leaves=8,
)


@given(CONDITIONS, VALUES)
def test_not_turns_any_condition_round(written: dict[str, Any], values: Mapping[str, str]):
    assert condition({"not": written}).holds(values) is not condition(written).holds(values)


@given(CONDITIONS, CONDITIONS, VALUES)
def test_all_and_any_are_what_they_say(one: dict[str, Any], other: dict[str, Any], values: Mapping[str, str]):
    held = [condition(each).holds(values) for each in (one, other)]
    assert condition({"all": [one, other]}).holds(values) is all(held)
    assert condition({"any": [one, other]}).holds(values) is any(held)


@given(st.recursive(st.one_of(st.none(), st.integers(), st.text(max_size=9)), lambda x: (
    st.lists(x, max_size=3) | st.dictionaries(st.sampled_from(["a", "day", "time", "all", "any", "not"]), x, max_size=3)
), max_leaves=9))  # fmt: skip
def test_any_condition_is_read_or_all_its_faults_are_told(written: Any):
    if faults(written, ()):
        return
    assert isinstance(condition(written).holds({"day": "mon", "time": "12:00"}), bool)
    assert str(condition(written))


SHARES = st.lists(st.integers(1, 100), min_size=2, max_size=6).map(
    lambda parts: {f"step{index}": part * WHOLE / sum(parts) for index, part in enumerate(parts)}
)


@given(SHARES, st.text(max_size=20))
def test_everybody_has_a_step_and_keeps_it(shares: dict[str, float], caller: str):
    split = Split(split=shares)
    at = place("main", "trial", caller)
    assert 0 <= at < WHOLE
    step, first, last = split.chosen(at)
    assert first <= at <= last
    assert split.chosen(at) == (step, first, last)


@given(SHARES)
def test_the_steps_of_a_split_lie_side_by_side(shares: dict[str, float]):
    split = Split(split=shares)
    points = [split.chosen(at / 10)[0] for at in range(1000)]
    changes = [after for before, after in pairwise(points) if before != after]
    assert [points[0], *changes] == [step for step in shares if step in points]


@given(st.integers(1, 99), st.integers(1, 99), st.text(max_size=20))
def test_moving_the_border_moves_only_whom_it_passes(before: int, after: int, caller: str):
    at = place("main", "trial", caller)
    old = Split(split={"new": before, "old": 100 - before}).chosen(at)[0]
    new = Split(split={"new": after, "old": 100 - after}).chosen(at)[0]
    assert old == new or min(before, after) <= at < max(before, after)
