"""What a 3xx names, and why."""

import pytest

from sip import redirect

CONTACTS = [
    ("Contact", '"Bob, at home" <sip:bob@example.com>;q=0.5, sip:alice@example.com;q=0.7'),
    ("Contact", "<tel:+13105550177>"),
    ("Contact", "<sip:last@example.com>;q=high"),
    ("Contact", "<no uri at all>"),
    ("Contact", "*"),
]


def test_contacts_come_in_the_order_of_their_preference() -> None:
    assert [uri.user for uri in redirect.contacts(CONTACTS)] == ["+13105550177", "alice", "bob", "last"]


def test_equal_ones_stay_in_the_order_of_the_response() -> None:
    fields = [("Contact", "<sip:b@x>, <sip:a@x>;q=1.0, <sip:c@x>")]
    assert [uri.user for uri in redirect.contacts(fields)] == ["b", "a", "c"]


def test_a_response_without_a_contact_names_nobody() -> None:
    assert redirect.contacts([("Call-ID", "x")]) == []


@pytest.mark.parametrize(
    ("diversion", "why"),
    [
        ("<sip:201@x>;reason=unconditional", "unconditional"),
        ('<sip:201@x>;reason="user-busy";counter=1, <sip:202@x>;reason=away', "user-busy"),
        ("<sip:201@x>;reason=whatever", "unknown"),
        ("<sip:201@x>", "unknown"),
        ("rubbish", "unknown"),
    ],
)
def test_the_reason_is_the_answerers_own_if_it_is_one(diversion: str, why: str) -> None:
    assert redirect.reason([("Diversion", diversion)]) == why


def test_without_a_diversion_the_reason_is_unknown() -> None:
    assert redirect.reason([]) == "unknown"
