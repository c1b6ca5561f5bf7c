"""What a queue can do beside serving callers in their order."""

import asyncio
from datetime import timedelta

import pytest

from pbx import events
from pbx.agents import AgentState
from pbx.flows.control import DialOutcome
from pbx.flows.simulated import Reaction
from pbx.queues import Asking, Needs, QueueEnd
from pbx.queues.figures import Figures
from tests.pbx.queues.office import BUSY, SILENT, Office, queue

ANSWER_AT_ONCE = Reaction(DialOutcome.ANSWERED)

SKILLS = {"alice": ["sales"], "bob": {"sales": 2, "spanish": 5}}


def served(office: Office) -> list[str]:
    return [call for call, _ in office.talks()]


# --- who goes first ----------------------------------------------------------------------------------


def test_a_higher_priority_goes_first_and_within_one_the_order_holds():
    office = Office({"sales": queue("alice")})
    office.run(
        lambda: office.call("first"),
        lambda: office.call("plain", at=1),
        lambda: office.call("vip", at=2, asking=Asking(priority=5)),
        lambda: office.call("also", at=3),
        lambda: office.call("vip-too", at=4, asking=Asking(priority=5)),
    )
    assert served(office) == ["first", "vip", "vip-too", "plain", "also"]


def test_a_source_has_a_priority_unless_the_step_says_otherwise():
    office = Office({"sales": queue("alice", source_priority={"google-ads": 5})})
    office.run(
        lambda: office.call("first"),
        lambda: office.call("plain", at=1),
        lambda: office.call("told", at=2, source="google-ads", asking=Asking(priority=0)),
        lambda: office.call("paid", at=3, source="google-ads"),
    )
    assert served(office) == ["first", "paid", "plain", "told"]


def test_a_caller_is_kept_for_the_last_agent_for_a_while():
    office = Office({"sales": queue("alice", "bob", strategy="top-down", sticky="20s")})
    office.run(
        lambda: office.call("busy-bob", talks=10, last_agent="bob"),
        lambda: office.call("back", at=5, last_agent="bob"),
        lambda: office.call("also-back", at=6, last_agent="bob", talks=5),
    )
    # bob is free again at 13 s; who came last is not waited for longer than 20 s
    assert office.rings() == [("busy-bob", "bob", 0), ("back", "bob", 13), ("also-back", "alice", 26)]


@pytest.mark.parametrize("why", ["away", "paused", "refused", "no member"])
def test_nobody_waits_for_a_last_agent_who_is_not_to_be_had(why):
    office = Office(
        {"sales": queue("alice", "bob", strategy="top-down", sticky="60s")},
        away={"bob"} if why == "away" else set(),
        reacts=lambda agent: BUSY if agent == "bob" else ANSWER_AT_ONCE,
    )

    async def call():
        if why == "paused":
            office.board.pause("bob", "lunch", "web")
        await office.call("back", last_agent="carol" if why == "no member" else "bob")

    office.run(call)
    assert office.rings()[-1] == ("back", "alice", 0)


def test_skills_are_needed_and_then_less_of_them():
    needs = Needs(((0, {"spanish": 3, "sales": 1}), (30, {"sales": 1}), (60, {})))
    office = Office(
        {"sales": queue("carol", "alice", "bob", strategy="longest-idle")},
        agents=("alice", "bob", "carol"),
        skills=SKILLS,
    )
    office.run(
        lambda: office.call("one", asking=Asking(needs=needs), talks=300),
        lambda: office.call("two", at=1, asking=Asking(needs=needs), talks=300),
        lambda: office.call("three", at=2, asking=Asking(needs=needs)),
    )
    assert office.rings() == [("one", "bob", 0), ("two", "alice", 31), ("three", "carol", 62)]


def test_who_needs_no_skill_is_not_held_up_by_one_who_does():
    office = Office(
        {"sales": queue("alice", "bob", strategy="top-down", max_wait="100s")}, away={"bob"}, skills=SKILLS
    )
    office.run(
        lambda: office.call("spanish", asking=Asking(needs=Needs(((0, {"spanish": 1}),)))),
        lambda: office.call("any", at=1),
    )
    assert served(office) == ["any"]
    assert office.results["spanish"].end is QueueEnd.TIMEOUT


def test_fewest_calls_counts_this_queues_calls_of_today():
    office = Office({"sales": queue("alice", "bob", strategy="fewest-calls"), "other": queue("alice")})
    office.run(
        lambda: office.call("elsewhere", "other", talks=1),
        *(lambda at=at: office.call(f"call-{at}", at=at, talks=1) for at in (10, 20, 30, 40)),
    )
    assert [agent for _, agent, _ in office.rings()] == ["alice", "bob", "alice", "bob", "alice"]


# --- agents ------------------------------------------------------------------------------------------


def test_paused_and_logged_out_agents_are_not_rung():
    office = Office({"sales": queue("alice", "bob"), "support": queue("alice")})

    async def scenario():
        office.board.pause("bob", "lunch", "web")
        office.board.log_out("alice", "sales", "phone")
        waiting = asyncio.create_task(office.call("sales-call"))
        await office.call("support-call", "support", talks=5)
        office.board.resume("bob", "web")
        await waiting

    office.run(scenario)
    assert [(call, agent) for call, agent, _ in office.rings()] == [
        ("support-call", "alice"),
        ("sales-call", "bob"),
    ]


def test_an_agent_who_misses_calls_in_a_row_is_paused():
    office = Office(
        {"sales": queue("alice", autopause=2, ring_timeout="10s", max_wait="60s")},
        reacts=lambda agent: SILENT,
    )
    office.run(lambda: office.call("one"))
    assert [at for _, _, at in office.rings()] == [0, 10]
    presence = office.board.presence("alice")
    assert (presence.paused, presence.reason, presence.by) == (
        True,
        "did not take 2 calls in a row",
        "autopause",
    )


def test_a_caller_who_hangs_up_while_it_rings_is_no_missed_call():
    office = Office({"sales": queue("alice", autopause=1)}, reacts=lambda agent: SILENT)
    office.run(lambda: office.call("one", leaves_after=5))
    assert office.board.state("alice") is AgentState.AVAILABLE


# --- ways out ----------------------------------------------------------------------------------------


def test_a_key_leads_out_of_the_queue_and_others_do_not():
    office = Office({"sales": queue("alice", max_wait="60s")}, away={"alice"})
    asking = Asking(keys=frozenset("1#"))
    office.run(
        lambda: office.call("leaves", presses=("1",), asking=asking),
        lambda: office.call("stays", presses=("7",), asking=asking),
        lambda: office.call("both", presses=("7", "#"), asking=asking),
    )
    assert [office.results[name].end for name in ("leaves", "stays", "both")] == [
        QueueEnd.KEY,
        QueueEnd.TIMEOUT,
        QueueEnd.KEY,
    ]
    assert (office.results["both"].key, office.results["leaves"].because) == ("#", "the caller pressed 1")


def test_a_key_interrupts_an_announcement():
    long = "x" * 900  # a minute
    office = Office({"sales": queue("alice", announcements=[long], announce_every="3s")}, away={"alice"})
    asking = Asking(keys=frozenset("1"))
    office.run(lambda: office.call("one", asking=asking, presses=("7", "8", "9", "1")))  # one a second
    result = office.results["one"]
    assert (result.end, round(result.waited_s)) == (QueueEnd.KEY, 4)
    assert office.heard["one"] == [long]


def test_a_full_queue_takes_nobody_more():
    office = Office({"sales": queue("alice", max_length=2, max_wait="30s")}, away={"alice"})
    office.run(*(lambda at=at: office.call(str(at), at=at) for at in range(3)))
    assert office.results["2"].end is QueueEnd.FULL
    assert office.results["2"].because == "sales is full: 2 wait already"


def test_overflow_to_another_queue_keeps_the_place():
    office = Office(
        {
            "sales": queue("alice", overflow_after="10s", overflow_to="support"),
            "support": queue("bob"),
        },
        away={"alice"},
    )
    office.run(
        lambda: office.call("talks", "support", talks=30),
        lambda: office.call("early", "sales", at=1),
        lambda: office.call("late", "support", at=6),
    )
    assert served(office) == ["talks", "early", "late"]
    moved = [(e.call_id, e.end) for e in office.happened if isinstance(e, events.QueueLeft)]
    assert ("early", "overflow") in moved
    visits = [(e.call_id, e.queue) for e in office.happened if isinstance(e, events.QueueJoined)]
    assert visits == [("talks", "support"), ("early", "sales"), ("late", "support"), ("early", "support")]


def test_two_queues_that_overflow_to_each_other_have_each_caller_once():
    office = Office(
        {
            "sales": queue("alice", overflow_after="10s", overflow_to="support", max_wait="30s"),
            "support": queue("alice", overflow_after="10s", overflow_to="sales", max_wait="30s"),
        },
        away={"alice"},
    )
    office.run(lambda: office.call("one"))
    assert [e.queue for e in office.happened if isinstance(e, events.QueueJoined)] == ["sales", "support"]
    assert office.results["one"].end is QueueEnd.TIMEOUT


def test_overflow_by_length_looks_at_those_ahead():
    office = Office({"sales": queue("alice", overflow_length=1, max_wait="30s")}, away={"alice"})
    asking = Asking(may_overflow=True)
    office.run(*(lambda at=at: office.call(str(at), at=at, asking=asking) for at in range(3)))
    assert [office.results[str(at)].end for at in range(3)] == [
        QueueEnd.TIMEOUT,
        QueueEnd.TIMEOUT,
        QueueEnd.OVERFLOW,
    ]
    assert office.results["2"].because == "sales overflows: 2 wait already"


def test_without_anywhere_to_overflow_to_the_caller_waits():
    office = Office({"sales": queue("alice", overflow_after="5s", max_wait="30s")}, away={"alice"})
    office.run(lambda: office.call("one"))
    assert office.results["one"].end is QueueEnd.TIMEOUT


def test_those_who_wait_leave_when_the_queue_becomes_empty():
    office = Office({"sales": queue("alice", empty_when="paused")})

    async def scenario():
        talking = asyncio.create_task(office.call("talks", talks=100))
        waiting = asyncio.create_task(office.call("waits", asking=Asking(leave_if_empty=True)))
        await asyncio.sleep(10)
        office.board.pause("alice", "no more", "web")
        await waiting
        assert office.clock.monotonic() == pytest.approx(10, abs=0.1)
        await talking

    office.run(scenario)
    assert office.results["waits"].end is QueueEnd.EMPTY
    assert office.results["talks"].end is QueueEnd.TALKED


def test_where_pauses_do_not_make_it_empty_the_caller_waits():
    office = Office({"sales": queue("alice", max_wait="20s")})

    async def scenario():
        office.board.pause("alice", "lunch", "web")
        await office.call("one", asking=Asking(leave_if_empty=True))

    office.run(scenario)
    assert office.results["one"].end is QueueEnd.TIMEOUT


# --- what is heard -----------------------------------------------------------------------------------


def test_place_wait_and_announcements_are_heard_in_turn():
    office = Office(
        {
            "sales": queue(
                "alice",
                "bob",
                announce_position="30s",
                announce_wait=True,
                announcements=["Book online.", "Or write."],
                announce_every="45s",
                max_wait="100s",
            )
        },
        reacts=lambda agent: SILENT,
    )
    office.run(lambda: office.call("one", talks=600, leaves_after=120), lambda: office.call("two", at=1))
    # 180 s are taken for a call until there are three: two places, two agents
    assert office.heard["two"] == [
        "You are number two in line. Your wait is about three minutes.",
        "Book online.",
        "You are number two in line. Your wait is about three minutes.",
        "You are number two in line. Your wait is about three minutes.",
        "Or write.",
    ]


@pytest.mark.parametrize(
    ("language", "values", "heard"),
    [
        ("es", {}, "Usted es el número 1 en la fila. El tiempo de espera es de 3 minutos, aproximadamente."),
        ("de-CH", {}, "Sie sind Nummer 1 in der Warteschlange. Die Wartezeit beträgt etwa 3 Minuten."),
        ("sv", {}, "You are number one in line. Your wait is about three minutes."),
        (
            "sv",
            {
                "say_position": {"sv": "Du är nummer {place}."},
                "say_wait": {"sv": "Det tar {minutes} minuter."},
            },
            "Du är nummer 1. Det tar 3 minuter.",
        ),
    ],
)
def test_place_and_wait_are_told_in_the_callers_language(language, values, heard):
    sales = queue("alice", announce_position="30s", announce_wait=True, max_wait="40s", **values)
    office = Office({"sales": sales})
    office.run(lambda: office.call("one", talks=600), lambda: office.call("two", at=1, language=language))
    assert office.heard["two"] == [heard]


def test_nobody_on_duty_means_no_estimate():
    office = Office(
        {"sales": queue("alice", announce_position="30s", announce_wait=True, max_wait="40s")}, away={"alice"}
    )
    office.run(lambda: office.call("one"))
    assert office.heard["one"] == ["You are number one in line."]


# --- figures -----------------------------------------------------------------------------------------


def test_both_service_levels():
    office = Office({"sales": queue("alice", service_level="20s", max_wait="200s")})
    office.run(
        lambda: office.call("at once", talks=30),  # answered after 3 s
        lambda: office.call("late", at=1, talks=30),  # after 35 s
        lambda: office.call("gone", at=2, leaves_after=10),
        lambda: office.call("out", at=3, asking=Asking(keys=frozenset("1")), presses=("1",)),
    )
    figures = office.line.line.figures["sales"]
    assert (figures.offered, figures.answered, figures.in_time, figures.abandoned) == (4, 2, 1, 1)
    assert figures.left_otherwise == 1
    assert figures.level_of_answered == pytest.approx(1 / 2)
    assert figures.level_of_offered == pytest.approx(1 / 3)


def test_a_new_day_begins_at_nothing_but_knows_how_long_calls_take():
    figures = Figures()
    today = Office({}).clock.now().date()
    figures.begin(today)
    for _ in range(3):
        figures.taken("alice", 10, 20)
        figures.talked("alice", 50, 10)
    assert figures.estimate_s(2, 2) == 60
    figures.begin(today + timedelta(days=1))
    assert (figures.answered, figures.calls["alice"], figures.level_of_answered) == (0, 0, None)
    assert figures.estimate_s(2, 2) == 60
    assert figures.estimate_s(2, 0) is None


def test_who_passes_a_call_on_is_free_and_not_billed_for_the_rest_of_it():
    office = Office({"sales": queue("alice", wrap_up="5s")}, agents=("alice",))

    async def passes_it_on() -> None:
        await asyncio.sleep(33)
        office.board.let_go("alice")  # as a transfer does
        assert office.board.state("alice") is AgentState.WRAPPING_UP
        await asyncio.sleep(6)
        assert office.board.available("alice")

    office.run(lambda: office.call("one", talks=300), passes_it_on)
    assert office.line.line.figures["sales"].talk_s["alice"] == pytest.approx(30, abs=0.1)
