"""What of a form is kept, and what never is."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pbx.channels.forms import LEFT_OUT, Contact, Field, as_text, contact, is_secret, kept, without_cards


@pytest.mark.parametrize(
    "field",
    [
        Field("x", "hunter2", type="password"),
        Field("x", "hunter2", type="PASSWORD"),
        Field("user_password", "hunter2"),
        Field("passwd", "x"),
        Field("csrf-token", "abc"),
        Field("x", "4111", autocomplete="cc-number"),
        Field("x", "12/29", autocomplete="section-a billing cc-exp"),
        Field("x", "hunter2", autocomplete="new-password"),
        Field("x", "123456", autocomplete="one-time-code"),
        Field("CardNumber", "1"),
        Field("cvc", "123"),
        Field("creditCard", "x"),
        Field("billing[cc_number]", "x"),
        Field("ccnum", "1"),
        Field("cvv2", "123"),
        Field("pass", "x"),
        Field("x", "y", type="hidden"),
        Field("x", "y", type="file"),
        Field("SSN", "078-05-1120"),
    ],
)
def test_secrets_are_never_kept(field: Field) -> None:
    assert is_secret(field)
    assert kept([field]) == {}


@pytest.mark.parametrize(
    ("written", "left"),
    [
        ("my card is 4111 1111 1111 1111, thanks", "my card is [card number left out], thanks"),
        ("ref 12 4111-1111-1111-1111 exp", "ref [card number left out] exp"),
        ("4111  1111 \n 1111.1111", ""),
        ("378282246310005", ""),
        ("30569309025904", ""),
        ("4222222222222", ""),
        ("６０１１１１１１１１１１１１１７", ""),  # full-width digits
        ("call +49 1512 3456 7892 or 0049 1512 3456 7892", "call +49 1512 3456 7892 or 0049 1512 3456 7892"),
    ],
)
def test_a_card_number_in_what_was_written(written: str, left: str) -> None:
    assert kept([Field("note", written)]) == ({"note": left} if left else {})


@pytest.mark.parametrize(
    "field",
    [
        Field("name", "Jo"),
        Field("phone", "(973) 555-0123", type="tel"),
        Field("message", "Order 4111 1111 1111 1112"),  # the check digit is another
        Field("email", "jo@example.test", autocomplete="email"),
        Field("zip", "07102"),
        Field("company", "Pinnacle"),
        Field("passengers", "3"),
        Field("business_discard", "postcard"),
        Field("cardiology", "yes"),
    ],
)
def test_everything_else_is(field: Field) -> None:
    assert kept([field]) == {field.name: field.value}


@given(
    st.lists(st.integers(0, 9), min_size=12, max_size=18).filter(
        lambda digits: len(set(digits)) > 1 and digits[0]
    )
)
def test_any_number_with_its_check_digit_is_a_card(digits: list[int]) -> None:
    doubled = [digit * 2 if place % 2 == 0 else digit for place, digit in enumerate(reversed(digits))]
    check = -sum(value - 9 if value > 9 else value for value in doubled) % 10
    assert without_cards("".join(map(str, [*digits, check]))) == LEFT_OUT


def test_names_that_come_again_keep_all_values_and_empty_ones_none() -> None:
    assert kept([Field("a", "1"), Field("a", "2"), Field("b", " ")]) == {"a": "1, 2"}


def test_whom_it_is_from() -> None:
    fields = {"your-name": "Jo", "e": "jo@example.test", "telephone": "(973) 555-0123"}
    assert contact(fields, "US") == Contact("+19735550123", "jo@example.test", "Jo")
    assert contact({"x": "y"}, "US") == Contact()
    assert as_text(fields).splitlines()[0] == "your-name: Jo"
