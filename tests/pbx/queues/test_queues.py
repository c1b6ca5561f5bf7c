"""Queues: who gets whom, when, and that nobody is lost or stuck on the way."""

import asyncio
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pbx import events
from pbx.agents import AgentState
from pbx.config.queues import Queue, Strategy
from pbx.flows.control import CallerGone, DialOutcome
from pbx.flows.simulated import Reaction, Script, SimulatedCall
from pbx.queues import Asking, QueueEnd
from tests.pbx.flows.worlds import facts
from tests.pbx.queues.office import ANSWER, BUSY, SILENT, Office, queue


def test_ring_all_rings_every_free_member_and_the_first_to_answer_talks():
    office = Office({"sales": queue("alice", "bob")})
    office.run(lambda: office.call("one"))
    assert office.rings() == [("one", "alice", 0), ("one", "bob", 0)]
    assert office.talks() == [("one", "alice")]
    result = office.results["one"]
    assert (result.end, result.agent, round(result.talk_s)) == (QueueEnd.TALKED, "alice", 60)
    assert result.because == "alice answered after 3 s and hung up after 60 s"


def test_callers_are_served_in_the_order_in_which_they_came():
    office = Office({"sales": queue("alice")})
    office.run(*(lambda name=name, at=at: office.call(name, at=at) for at, name in enumerate("abcd")))
    assert office.talks() == [("a", "alice"), ("b", "alice"), ("c", "alice"), ("d", "alice")]


def test_ring_all_does_not_keep_a_second_caller_from_agents_who_came_free():
    office = Office({"sales": queue("alice", "bob")})
    office.run(lambda: office.call("one"), lambda: office.call("two", at=1))
    assert office.talks() == [("one", "alice"), ("two", "bob")]


def test_longest_idle_rings_one_agent_at_a_time_and_takes_turns():
    office = Office({"sales": queue("alice", "bob", strategy="longest-idle")})
    office.run(*(lambda at=at: office.call(f"call-{at}", at=at) for at in (0, 100, 200, 300)))
    assert [agent for _, agent, _ in office.rings()] == ["alice", "bob", "alice", "bob"]


def test_longest_idle_goes_on_to_another_agent_when_one_does_not_answer():
    office = Office(
        {"sales": queue("alice", "bob", strategy="longest-idle", ring_timeout="20s")},
        reacts=lambda agent: SILENT if agent == "alice" else ANSWER,
    )
    office.run(lambda: office.call("one"))
    assert office.rings() == [("one", "alice", 0), ("one", "bob", 20)]


def test_a_round_that_nobody_takes_leads_to_another():
    office = Office(
        {"sales": queue("alice", ring_timeout="20s", max_wait="50s")}, reacts=lambda agent: SILENT
    )
    office.run(lambda: office.call("one"))
    assert office.rings() == [("one", "alice", 0), ("one", "alice", 20), ("one", "alice", 40)]
    result = office.results["one"]
    assert (result.end, round(result.waited_s)) == (QueueEnd.TIMEOUT, 50)


def test_the_first_in_line_keeps_their_place_when_nobody_answered_them():
    office = Office(
        {"sales": queue("alice", ring_timeout="10s", max_wait="60s")}, reacts=lambda agent: SILENT
    )
    office.run(lambda: office.call("first"), lambda: office.call("second", at=1))
    assert {call for call, _, at in office.rings() if at < 60} == {"first"}


def test_a_phone_that_goes_on_refusing_is_left_in_peace_longer_and_longer():
    office = Office({"sales": queue("alice", max_wait="120s")}, reacts=lambda agent: BUSY)
    office.run(lambda: office.call("one"))
    assert [at for _, _, at in office.rings()] == [0, 5, 15, 35, 65, 95]


def test_a_phone_that_takes_a_call_after_refusals_begins_with_the_short_rest_again():
    reactions = iter([BUSY, BUSY, BUSY, ANSWER, BUSY, BUSY, ANSWER])
    office = Office({"sales": queue("alice", max_wait="120s")}, reacts=lambda agent: next(reactions))
    office.run(lambda: office.call("one", talks=60), lambda: office.call("two", at=100))
    assert [at for _, _, at in office.rings()] == [0, 5, 15, 35, 100, 105, 115]


def test_a_phone_that_rings_after_refusals_refuses_no_more():
    reactions = iter([BUSY, BUSY, SILENT, BUSY, ANSWER])
    office = Office(
        {"sales": queue("alice", ring_timeout="10s", max_wait="120s")}, reacts=lambda agent: next(reactions)
    )
    office.run(lambda: office.call("one"))
    assert [at for _, _, at in office.rings()] == [0, 5, 15, 25, 30]


def test_refusals_long_past_are_forgotten():
    reactions = iter([BUSY, BUSY, BUSY, BUSY])
    office = Office({"sales": queue("alice", max_wait="6s")}, reacts=lambda agent: next(reactions))
    office.run(lambda: office.call("one"), lambda: office.call("two", at=200))
    assert [at for _, _, at in office.rings()] == [0, 5, 200, 205]


def test_an_agent_who_resumes_is_rung_at_once_and_begins_with_the_short_rest_again():
    office = Office({"sales": queue("alice", max_wait="60s")}, reacts=lambda agent: BUSY)

    async def resumes() -> None:
        await asyncio.sleep(20)
        office.board.resume("alice", by="phone")

    office.run(lambda: office.call("one"), resumes)
    assert [at for _, _, at in office.rings()] == [0, 5, 15, 20, 25, 35, 55]


def test_a_ring_timeout_of_nothing_does_not_spin():
    office = Office({"sales": queue("alice", ring_timeout="0s", max_wait="12s")}, reacts=lambda agent: SILENT)
    office.run(lambda: office.call("one"))
    assert len(office.rings()) == 3


def test_wrap_up_keeps_the_next_caller_waiting():
    office = Office({"sales": queue("alice", wrap_up="10s")})
    office.run(lambda: office.call("one", talks=60), lambda: office.call("two"))
    assert office.rings() == [("one", "alice", 0), ("two", "alice", 73)]


def test_max_wait_also_runs_while_phones_ring():
    office = Office({"sales": queue("alice", ring_timeout="20s", max_wait="5s")}, reacts=lambda agent: SILENT)
    office.run(lambda: office.call("one"))
    assert round(office.results["one"].waited_s) == 5


def test_an_empty_queue_keeps_the_caller_until_max_wait():
    office = Office({"sales": queue("alice", max_wait="30s")}, away={"alice"})
    office.run(lambda: office.call("one"))
    assert office.rings() == []
    assert office.results["one"].because == "nobody answered within 30 s"


def test_an_empty_queue_is_left_at_once_where_the_flow_says_where_to():
    office = Office({"sales": queue("alice", max_wait="30s")}, away={"alice"})
    office.run(lambda: office.call("one", asking=Asking(leave_if_empty=True)))
    result = office.results["one"]
    assert (result.end, result.waited_s) == (QueueEnd.EMPTY, 0)


def test_an_agent_who_registers_is_rung_at_once():
    office = Office({"sales": queue("alice", max_wait="60s")}, away={"alice"})

    async def registers() -> None:
        await asyncio.sleep(7)
        office.away.clear()
        office.board.notify()

    office.run(lambda: office.call("one"), registers)
    assert office.rings() == [("one", "alice", 7)]


def test_nobody_is_rung_after_the_caller_left():
    office = Office({"sales": queue("alice", "bob")})
    office.run(
        lambda: office.call("busy-maker"),
        lambda: office.call("also"),
        lambda: office.call("gone", at=1, leaves_after=20),
    )
    assert office.results["gone"] == "left"
    assert "gone" not in {call for call, _, _ in office.rings()}


def test_a_caller_who_leaves_in_the_very_moment_of_being_served_gives_the_agent_back():
    office = Office({"sales": queue("alice")})

    async def frees_and_leaves() -> None:
        held = office.board.ringing(["alice"])
        script = Script(reacts=lambda target: ANSWER)
        call = SimulatedCall(facts("one"), office.clock, office.happened.append, script)
        waiting = asyncio.create_task(office.line.wait("sales", call))
        await asyncio.sleep(5)
        held.release()
        call.hang_up()
        with pytest.raises(CallerGone):
            await waiting
        assert office.board.state("alice") is AgentState.AVAILABLE

    office.run(frees_and_leaves)
    assert office.rings() == []


def test_an_agent_of_two_queues_goes_to_whoever_has_waited_longest_in_either():
    office = Office({"sales": queue("alice"), "support": queue("alice")}, agents=("alice",))
    office.run(
        lambda: office.call("one", "sales"),
        lambda: office.call("two", "support", at=1),
        lambda: office.call("three", "sales", at=2),
    )
    assert [call for call, _ in office.talks()] == ["one", "two", "three"]


def test_the_position_is_announced_while_waiting():
    office = Office({"sales": queue("alice", announce_position="30s")})
    heard: dict[str, list[str]] = {}

    async def call(name: str, at: float) -> None:
        await asyncio.sleep(at)
        script = Script(reacts=lambda target: ANSWER, talk_s=100, agent_hangs_up=True)
        it = SimulatedCall(facts(name), office.clock, office.happened.append, script)
        await office.line.wait("sales", it)
        heard[name] = it.heard

    office.run(lambda: call("one", 0), lambda: call("two", 1), lambda: call("three", 2))
    assert heard["one"] == []
    assert heard["two"] == ["You are number one in line."] * 3
    assert heard["three"][:3] == ["You are number two in line."] * 3
    assert heard["three"][-1] == "You are number one in line."


def test_a_free_agent_interrupts_the_announcement():
    office = Office({"sales": queue("alice", announce_position="30s")})
    # The talk ends at 31 s, while the announcement of 30 s is spoken.
    office.run(lambda: office.call("one", talks=27.5), lambda: office.call("two"))
    assert office.rings()[1][2] in (30, 31)


def test_every_caller_who_joins_also_leaves_the_line():
    office = Office({"sales": queue("alice", max_wait="30s")})
    office.run(*(lambda at=at: office.call(str(at), at=at, leaves_after=at * 7 + 1) for at in range(9)))
    joined = [e.call_id for e in office.happened if isinstance(e, events.QueueJoined)]
    left = [e.call_id for e in office.happened if isinstance(e, events.QueueLeft)]
    assert sorted(joined) == sorted(left) == [str(at) for at in range(9)]
    assert office.line.waiting("sales") == 0


def test_cancelling_a_callers_task_frees_everybody():
    office = Office({"sales": queue("alice")}, reacts=lambda agent: SILENT)

    async def cancels() -> None:
        for after in (0, 1, 25):
            task = asyncio.create_task(office.call(f"cancelled-{after}"))
            await asyncio.sleep(after)
            task.cancel()
            await asyncio.wait((task,))
            assert office.line.waiting("sales") == 0
            assert office.board.available("alice")

    office.run(cancels)


# --- whatever happens ----------------------------------------------------------------------------

AGENTS = ("alice", "bob", "carol", "dave")
reactions = st.builds(
    Reaction,
    st.sampled_from([DialOutcome.ANSWERED, DialOutcome.NO_ANSWER, DialOutcome.BUSY, DialOutcome.DECLINED]),
    st.sampled_from([0.0, 0.5, 4.0, 15.0]),
)
a_queue = st.builds(
    lambda members, strategy, ring, wait, wrap, position: Queue(
        members=members,
        strategy=strategy,
        ring_timeout=timedelta(seconds=ring),
        max_wait=timedelta(seconds=wait),
        wrap_up=timedelta(seconds=wrap),
        announce_position=timedelta(seconds=position) if position else None,
    ),
    st.lists(st.sampled_from(AGENTS), min_size=1, max_size=4, unique=True),
    st.sampled_from(Strategy),
    st.sampled_from([0, 5, 20]),
    st.sampled_from([0, 10, 90, 600]),
    st.sampled_from([0, 10]),
    st.sampled_from([0, 7]),
)
a_caller = st.tuples(
    st.sampled_from(["sales", "support"]),
    st.floats(0, 300),  # comes at
    st.none() | st.floats(0, 400),  # hangs up after
    st.floats(0, 90),  # talks for
    st.booleans(),  # the agent hangs up
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.data())
def test_no_caller_is_lost_no_busy_agent_rung_and_nobody_stuck(data: st.DataObject):
    callers = data.draw(st.lists(a_caller, min_size=1, max_size=40))
    moods = {agent: data.draw(st.lists(reactions, min_size=1, max_size=5)) for agent in AGENTS}
    _check_office(
        {"sales": data.draw(a_queue), "support": data.draw(a_queue)},
        callers,
        moods,
        comes_and_goes=data.draw(st.lists(st.tuples(st.sampled_from(AGENTS), st.floats(0, 300)), max_size=8)),
    )


def test_hundreds_of_callers_at_once():
    queues = {
        "sales": queue("alice", "bob", "carol", wrap_up="5s", max_wait="600s", announce_position="30s"),
        "support": queue("carol", "dave", strategy="longest-idle", max_wait="400s", ring_timeout="10s"),
    }
    callers = [
        (
            ("sales", "support")[i % 2],
            (i * 37 % 900) / 3,
            (i * 53 % 500) if i % 3 else None,
            i * 7 % 40,
            i % 2 == 0,
        )
        for i in range(400)
    ]
    moods = {
        "alice": [ANSWER, BUSY],
        "bob": [SILENT, ANSWER, ANSWER],
        "carol": [Reaction(DialOutcome.ANSWERED, 0.0)],
        "dave": [Reaction(DialOutcome.DECLINED, 1.0), ANSWER],
    }
    _check_office(queues, callers, moods, comes_and_goes=[("alice", 50.0), ("alice", 120.0), ("dave", 200.0)])


def _check_office(queues, callers, moods, comes_and_goes):
    rung = dict.fromkeys(AGENTS, 0)

    def reacts(agent: str) -> Reaction:
        rung[agent] += 1
        return moods[agent][rung[agent] % len(moods[agent])]

    office = Office(queues, agents=AGENTS, reacts=reacts)

    async def toggles(agent: str, at: float) -> None:
        await asyncio.sleep(at)
        office.away ^= {agent}
        office.board.notify()

    office.run(
        *(
            lambda i=i, caller=caller: office.call(
                str(i),
                caller[0],
                at=caller[1],
                leaves_after=caller[2],
                talks=caller[3],
                agent_hangs_up=caller[4],
            )
            for i, caller in enumerate(callers)
        ),
        *(lambda agent=agent, at=at: toggles(agent, at) for agent, at in comes_and_goes),
    )

    assert len(office.results) == len(callers), "a caller was lost"
    assert office.line.waiting("sales") == office.line.waiting("support") == 0
    for view in office.board.snapshot():
        assert view.state in (AgentState.AVAILABLE, AgentState.WRAPPING_UP, AgentState.OFFLINE), view
    _assert_one_call_an_agent(office.happened)
    _assert_waits_end_in_time(office, queues, callers)


def _assert_one_call_an_agent(happened):
    """Between the start and the end of a leg, its agent has no other."""
    busy: dict[str, str] = {}
    gone: set[str] = set()
    for event in happened:
        if isinstance(event, events.LegStarted):
            assert event.target not in busy, f"{event.target} was rung while busy"
            assert event.call_id not in gone, "rung for a caller who had left the queue"
            busy[event.target] = event.leg_id + event.call_id
        elif isinstance(event, events.LegEnded):
            agent = next(name for name, leg in busy.items() if leg == event.leg_id + event.call_id)
            del busy[agent]
        elif isinstance(event, events.QueueLeft):
            gone.add(event.call_id)
    assert busy == {}, "a leg never ended"


def _assert_waits_end_in_time(office, queues, callers):
    waits = {e.call_id: e.waited_s for e in office.happened if isinstance(e, events.QueueLeft)}
    for i, (name, *_) in enumerate(callers):
        assert waits[str(i)] <= queues[name].max_wait.total_seconds() + 0.01
