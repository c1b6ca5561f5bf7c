"""Texts by SIP (RFC 3428): who may send them, what they may be, and how they are answered."""

import pytest

from sip.flow import Address, Flow
from sip.invite import FromAgent, FromTrunk
from sip.message import Request, Response
from sip.pager import TextReceived
from tests.sip.test_core import PHONE, STRANGER, TRUNK, Site
from tests.sip.wire import Line, make_end


@pytest.fixture
def site() -> Site:
    site = Site()
    site.texts = []

    def take(text: TextReceived) -> None:
        site.texts.append(text)
        text.respond(200)

    site.core.on_text = take
    return site


def plain(site: Site, source=TRUNK, text: bytes = b"Hello", kind: str = "text/plain", **fields):
    """A MESSAGE with a body of its own type."""
    serial = len(site.line.sent)
    lines = [
        "MESSAGE sip:+12125550100@example SIP/2.0",
        f"Via: SIP/2.0/UDP {source};branch=z9hG4bKtext{serial};rport",
        "Max-Forwards: 70",
        "From: <sip:+12125557788@example>;tag=f",
        "To: <sip:+12125550100@example>",
        f"Call-ID: text{serial}",
        "CSeq: 1 MESSAGE",
        *([f"Content-Type: {kind}"] if kind else []),
        f"Content-Length: {len(text)}",
    ]
    before = len(site.line.sent)
    site.core.receive("\r\n".join(lines).encode() + b"\r\n\r\n" + text, Flow("udp", source))
    (answer,) = site.line.sent[before:]
    assert isinstance(answer, Response)
    return answer


def test_a_trunks_text_is_handed_over_and_answered(site: Site) -> None:
    assert plain(site).status == 200
    (text,) = site.texts
    assert isinstance(text.identity, FromTrunk)
    assert (text.from_, text.to, text.text) == ("+12125557788", "+12125550100", "Hello")


def test_a_strangers_text_is_not(site: Site) -> None:
    assert plain(site, STRANGER).status == 401
    assert site.texts == []


def test_an_agents_text_says_whose_it_is(site: Site) -> None:
    site.register()
    assert plain(site, PHONE).status == 200
    assert site.texts[0].identity == FromAgent("alice")


@pytest.mark.parametrize(
    ("kind", "body", "text"),
    [
        ("text/plain;charset=utf-8", "Grüße".encode(), "Grüße"),
        ("text/plain; charset=ISO-8859-1", "Grüße".encode("latin-1"), "Grüße"),
        ("Text/Plain", b"x", "x"),
        ("text/plain;charset=martian", b"x", "x"),
        ("", b"x", "x"),
        ("text/plain", b"\xff", "�"),
    ],
)
def test_a_text_is_read_in_its_charset(site: Site, kind: str, body: bytes, text: str) -> None:
    assert plain(site, text=body, kind=kind).status == 200
    assert site.texts[0].text == text


@pytest.mark.parametrize("kind", ["text/html", "message/cpim", "application/im-iscomposing+xml"])
def test_what_is_no_plain_text_is_told_what_would_be(site: Site, kind: str) -> None:
    answer = plain(site, kind=kind)
    assert (answer.status, answer.headers.get("Accept")) == (415, "text/plain")
    assert site.texts == []


def test_without_anybody_who_takes_texts_the_method_is_not_allowed(site: Site) -> None:
    site.core.on_text = None
    assert plain(site).status == 405


def test_a_handler_that_fails_is_a_500(site: Site) -> None:
    def broken(text: TextReceived) -> None:
        raise RuntimeError

    site.core.on_text = broken
    assert plain(site).status == 500


@pytest.mark.parametrize("status", [200, 202, 404])
def test_a_text_goes_out_and_its_answer_comes_back_in_spite_of_loss(status: int) -> None:
    line = Line(loss=0.3, seed=3)
    ours = make_end(line, "192.0.2.1")
    theirs = make_end(line, "192.0.2.2")
    taken: list[str] = []
    statuses: list[int | None] = []

    def take(text: TextReceived) -> None:
        taken.append(text.text)
        text.respond(status)

    theirs.core.on_text = take
    ours.core.message(
        "sip:+19735550123@192.0.2.2",
        Flow("udp", Address("192.0.2.2", 5060)),
        from_="sip:+12125550100@192.0.2.1",
        text="Grüße",
        end=lambda response: statuses.append(response.status if response else None),
    )
    line.run(40)
    assert taken == ["Grüße"]  # once, however often it was sent
    assert statuses == [status]
    request = next(message for message in line.sent if isinstance(message, Request))
    assert request.headers.get("Content-Type") == "text/plain;charset=utf-8"


def test_a_text_that_nobody_answers_is_known_after_64_times_t1() -> None:
    line = Line(loss=1.0)
    ours = make_end(line, "192.0.2.1")
    statuses: list[int | None] = []
    ours.core.message(
        "sip:x@192.0.2.2",
        Flow("udp", Address("192.0.2.2", 5060)),
        from_="sip:y@192.0.2.1",
        text="Hello",
        end=lambda response: statuses.append(response.status if response else None),
    )
    line.run(31)
    assert statuses == []
    line.run(2)
    assert statuses == [None]
