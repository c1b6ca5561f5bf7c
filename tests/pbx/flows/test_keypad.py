"""What a scripted caller presses: prompt by prompt, or in a row."""

import pytest

from pbx.flows.keypad import Keypad, written


@pytest.mark.parametrize(
    ("text", "press"),
    [
        ("", ""),
        ("12", "12"),
        ("2,07102,1", ["2", "07102", "1"]),
        ("2 07102 1", ["2", "07102", "1"]),
        ("2, 07102", ["2", "07102"]),
        (",1", ["", "1"]),
        ("1,,2#", ["1", "", "2#"]),
    ],
)
def test_how_people_write_it(text: str, press: str | list[str]):
    assert written(text) == press


def hash_ends(keys: str) -> bool:
    return keys.endswith("#")


def test_a_list_is_pressed_prompt_by_prompt_whatever_each_asks_for():
    keypad = Keypad(["12", "", "3"])
    assert [keypad.at_prompt(1, hash_ends) for _ in range(4)] == ["12", "", "3", ""]


def test_of_a_row_each_prompt_takes_as_many_as_it_asks_for():
    keypad = Keypad("2071021")
    assert [keypad.at_prompt(most, hash_ends) for most in (1, 5, 1, 1)] == ["2", "07102", "1", ""]


def test_a_row_goes_on_after_the_key_that_ends_the_digits():
    keypad = Keypad("4711#1")
    assert [keypad.at_prompt(10, hash_ends), keypad.at_prompt(1, hash_ends)] == ["4711#", "1"]
