"""E.164 from whatever people write."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pbx.numbering import display, is_country, masked, normalise


@pytest.mark.parametrize(
    ("written", "country", "e164"),
    [
        ("+12125550100", "US", "+12125550100"),
        ("+1 (212) 555-0100", "US", "+12125550100"),
        ("(212) 555-0100", "US", "+12125550100"),
        ("212.555.0100", "US", "+12125550100"),
        ("12125550100", "US", "+12125550100"),
        (" 2125550100 ", "US", "+12125550100"),
        ("011442071838750", "US", "+442071838750"),
        ("020 7183 8750", "GB", "+442071838750"),
        ("00 1 212 555 0100", "GB", "+12125550100"),
        ("030/123456", "DE", "+4930123456"),
        ("+442071838750", "US", "+442071838750"),
        ("+44 20 7183 8750", "XX", "+442071838750"),
    ],
)
def test_numbers(written, country, e164):
    assert normalise(written, country) == e164


@pytest.mark.parametrize(
    "written",
    [
        "", "911", "555-0100", "alice", "anonymous", "+", "+1", "+999123456789", "+121255501000000",
        "1-800-FLOWERS", "2125550100 x5", "2125550100;ext=5", "sip:2125550100", "٢١٢٥٥٥٠١٠٠",
        "+1212555010O", "2" * 60,
    ],
)  # fmt: skip
def test_what_is_no_number(written):
    assert normalise(written, "US") is None


def test_a_country_is_needed_without_a_plus():
    assert normalise("2125550100", "XX") is None
    assert is_country("US")
    assert not is_country("XX")


@given(st.text(max_size=30))
def test_anything_is_a_number_or_none(text):
    e164 = normalise(text, "US")
    assert e164 is None or (e164.startswith("+") and e164[1:].isdigit() and normalise(e164, "US") == e164)


@pytest.mark.parametrize(
    ("e164", "country", "shown"),
    [
        ("+12125550100", "US", "(212) 555-0100"),
        ("+12125550100", "GB", "+1 212-555-0100"),
        ("+442071838750", "US", "+44 20 7183 8750"),
        ("+12125550100", "XX", "+1 212-555-0100"),
        ("alice", "US", "alice"),
        ("", "US", ""),
        ("+abc", "US", "+abc"),
    ],
)
def test_as_people_write_it(e164, country, shown):
    assert display(e164, country) == shown


def test_for_logs():
    assert masked("+12125550100") == "+1212…00"
    assert masked("5550100") == "…"
