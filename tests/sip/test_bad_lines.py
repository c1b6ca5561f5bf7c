"""Thousands of calls over a line that loses, repeats and reorders a fifth of everything.

Whatever happens on the line, each call comes to a right end: the two ends agree on it as far as the
messages that got through allow, exactly one terminal event is heard on each side, and no session,
dialog or transaction is left. All on the virtual clock: ten thousand seconds pass in a blink.
"""

import random

import pytest

from sip.dialog_user import SessionState
from sip.flow import Flow
from sip.invite import Answered, Cancelled, Ended, EndedBy, Referred, Rejected, Reoffer
from sip.refer import Referral
from sip.session import Session
from tests.sip.wire import ANSWER, OFFER, End, Line, pair

SEEDS = 2000
BATCH = 100
TERMINAL = (Rejected, Cancelled, Ended)


def agreeable(session: Session, events: list[object]) -> None:
    """Whoever is asked for another description takes it."""

    def heard(event: object) -> None:
        events.append(event)
        if isinstance(event, Reoffer):
            session.accept_reoffer(ANSWER)

    session.on_event = heard


def live(seed: int) -> tuple[list[object], list[list[object]], End, End]:
    """One call whose people do what the seed says; both ends' events, and the ends."""
    chance = random.Random(seed)
    line = Line(loss=0.2, duplication=0.2, jitter_s=0.4, seed=seed)
    a, b = pair(line)
    calling, heard = a.call(b)
    agreeable(calling, heard)
    line.run(chance.uniform(0, 20))
    for called in b.received:
        agreeable(called, called.events)
    if chance.random() < 0.2:
        calling.cancel()
    for called in b.received:
        if chance.random() < 0.8:
            called.ring(ANSWER if chance.random() < 0.3 else None)
            line.run(chance.uniform(0, 5))
        if chance.random() < 0.2:
            calling.cancel()
        if chance.random() < 0.75:
            called.answer(ANSWER)
        else:
            called.reject(chance.choice((404, 486, 603)))
    line.run(chance.uniform(0, 40))
    for session in (calling, *b.received):
        if session.state is SessionState.CONFIRMED and chance.random() < 0.3:
            session.reoffer(OFFER)
            line.run(chance.uniform(0, 10))
    line.run(chance.uniform(0, 40))
    enders = [session for session in (calling, *b.received) if session.state is SessionState.CONFIRMED]
    for session in enders:
        if chance.random() < 0.6:
            session.bye()
    calling.cancel()  # which is BYE, where it was answered
    for called in b.received:
        if called.state is SessionState.PROCEEDING:
            called.reject(480)
        else:
            called.bye()
    line.run(200)
    return heard, [session.events for session in b.received], a, b


@pytest.mark.parametrize("first", range(0, SEEDS, BATCH))
def test_every_call_comes_to_a_right_end(first: int) -> None:
    for seed in range(first, first + BATCH):
        heard, others, a, b = live(seed)
        assert (a.left(), b.left()) == ((0, 0, 0), (0, 0, 0)), f"seed {seed}: something is left"
        assert len(others) <= 1, f"seed {seed}: one INVITE made {len(others)} calls"
        for events in (heard, *others):
            ends = [event for event in events if isinstance(event, TERMINAL)]
            assert len(ends) == 1, f"seed {seed}: {events}"
            assert events[-1] is ends[0], f"seed {seed}: {events}"
        if any(isinstance(event, Answered) for event in heard):
            assert others, f"seed {seed}: answered by nobody"
            assert isinstance(heard[-1], Ended), f"seed {seed}: {heard}"
        for events in others:
            if isinstance(events[-1], Ended) and events[-1].by is EndedBy.REMOTE:
                assert isinstance(heard[-1], Ended | Cancelled), f"seed {seed}: {heard}, {events}"


@pytest.mark.parametrize("first", range(0, 300, BATCH))
def test_every_transfer_is_heard_of_once_and_answered(first: int) -> None:
    """A REFER over such a line: one referral, 202 (or nothing, where the line lost all), and its NOTIFYs."""
    for seed in range(first, first + BATCH):
        line = Line(seed=seed)
        a, b = pair(line)
        calling, _ = a.call(b)
        line.run(1)
        (called,) = b.received
        called.answer(ANSWER)
        line.run(1)
        referrals: list[Referral] = []

        def heard(event: object, referrals: list[Referral] = referrals) -> None:
            if isinstance(event, Referred):
                referrals.append(event.referral)
                event.referral.accept()

        called.on_event = heard
        line.loss, line.duplication, line.jitter_s = 0.2, 0.2, 0.4
        answers: list[int] = []
        assert calling.dialog is not None
        refer = calling.dialog.request(
            "REFER", headers=[("Refer-To", "<sip:300@192.0.2.3>"), ("Contact", f"<sip:200@{a.address}>")]
        )
        a.core.endpoint.send(
            refer,
            Flow("udp", b.address),
            lambda response, answers=answers: answers.append(response.status),
            lambda cause, answers=answers: answers.append(0),
        )
        line.run(40)
        assert len(referrals) <= 1, f"seed {seed}"
        assert answers in ([202], [0]), f"seed {seed}: {answers}"
        for referral in referrals:
            referral.tell(180)
            referral.tell(200)
        calling.bye()
        line.run(200)
        assert (a.left(), b.left()) == ((0, 0, 0), (0, 0, 0)), f"seed {seed}: something is left"
