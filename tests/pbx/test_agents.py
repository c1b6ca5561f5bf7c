"""The agent board: counts go up only through reservations, and always come down again."""

import asyncio

import pytest

from pbx import events
from pbx.agents import AgentBoard, AgentState, AgentWatch, Presence
from pbx.clock import VirtualClock


def board_of(clock: VirtualClock, *, away: tuple[str, ...] = ()) -> AgentBoard:
    return AgentBoard(["alice", "bob"], clock, lambda agent: agent not in away)


def test_an_agent_rings_talks_wraps_up_and_is_free_again():
    clock = VirtualClock()

    async def main() -> list[AgentState]:
        board = board_of(clock)
        seen = [board.state("alice")]
        with board.ringing(["alice", "bob"]) as held:
            seen.append(board.state("alice"))
            held.connected("alice", wrap_up_s=10)
            seen.append(board.state("alice"))
            assert board.available("bob")
        seen.append(board.state("alice"))
        await clock.sleep(10.1)
        return [*seen, board.state("alice")]

    assert clock.run(main()) == [
        AgentState.AVAILABLE,
        AgentState.RINGING,
        AgentState.TALKING,
        AgentState.WRAPPING_UP,
        AgentState.AVAILABLE,
    ]


@pytest.mark.parametrize("connected", [False, True])
def test_an_error_gives_everybody_back(connected: bool):
    board = board_of(VirtualClock())

    def breaks() -> None:
        with board.ringing(["alice", "bob"]) as held:
            if connected:
                held.connected("alice")
            raise ConnectionError

    with pytest.raises(ConnectionError):
        breaks()
    assert board.available("alice")
    assert board.available("bob")


def test_releasing_twice_gives_back_once():
    board = board_of(VirtualClock())
    other = board.ringing(["alice"])
    held = board.ringing(["alice"])
    held.release()
    held.release()
    assert board.state("alice") is AgentState.RINGING
    other.release()
    assert board.available("alice")


def test_somebody_who_is_no_agent_may_answer():
    board = board_of(VirtualClock())
    with board.ringing(["alice"]) as held:
        held.connected(None)
        assert board.available("alice")


def test_without_a_phone_an_agent_is_offline_and_unavailable():
    board = board_of(VirtualClock(), away=("bob",))
    assert board.state("bob") is AgentState.OFFLINE
    assert not board.available("bob")
    assert board.available("alice")


def test_two_talks_at_once_are_counted():
    board = board_of(VirtualClock())
    with board.ringing(["alice"]) as one:
        one.connected("alice")
        with board.ringing(["alice"]) as other:
            other.connected("alice")
            assert board.snapshot()[0].talks == 2
        assert board.state("alice") is AgentState.TALKING


def test_changed_wakes_at_a_change_and_at_the_end_of_a_wrap_up():
    clock = VirtualClock()

    async def main() -> tuple[float, bool]:
        board = board_of(clock)
        with board.ringing(["alice"]) as held:
            held.connected("alice", wrap_up_s=30)
        await board.changed()
        return clock.monotonic(), board.available("alice")

    woken_at, available = clock.run(main())
    assert woken_at == pytest.approx(30, abs=0.01)
    assert available


def test_one_waiter_who_gives_up_does_not_deafen_the_others():
    clock = VirtualClock()

    async def main() -> bool:
        board = board_of(clock)
        one, other = (asyncio.create_task(board.changed()) for _ in range(2))
        await clock.sleep(1)
        one.cancel()
        await clock.sleep(1)
        board.notify()
        await other
        return one.cancelled()

    assert clock.run(main())


def test_idle_time_begins_when_the_talk_ends():
    clock = VirtualClock()

    async def main() -> dict[str, float]:
        board = board_of(clock)
        await clock.sleep(60)
        with board.ringing(["alice"]) as held:
            held.connected("alice")
            await clock.sleep(30)
            assert board.snapshot()[0].idle_s == 0
        await clock.sleep(5)
        return {view.agent: view.idle_s for view in board.snapshot()}

    assert clock.run(main()) == {"alice": pytest.approx(5, abs=0.01), "bob": pytest.approx(95, abs=0.01)}


def test_a_reload_keeps_who_talks_and_forgets_who_is_gone():
    board = board_of(VirtualClock())
    with board.ringing(["alice"]) as held:
        held.connected("alice")
        board.update(["carol"])
        assert [view.agent for view in board.snapshot()] == ["alice", "carol"]
    assert board.available("carol")


# --- what agents decide ----------------------------------------------------------------------------


def test_who_pauses_in_a_talk_goes_on_talking_and_is_paused_afterwards():
    board = board_of(VirtualClock())
    with board.ringing(["alice"]) as held:
        held.connected("alice")
        board.pause("alice", "lunch", "phone")
        assert board.state("alice") is AgentState.TALKING
    assert board.state("alice") is AgentState.PAUSED
    assert not board.available("alice")
    board.resume("alice", "phone")
    assert board.available("alice")


def test_resuming_ends_a_wrap_up_too():
    clock = VirtualClock()

    async def main() -> None:
        board = board_of(clock)
        board.rest("alice", 60)
        assert board.state("alice") is AgentState.WRAPPING_UP
        board.resume("alice", "web")
        assert board.available("alice")

    clock.run(main())


def test_offline_says_more_than_paused():
    board = board_of(VirtualClock(), away=("alice",))
    board.pause("alice", "lunch", "web")
    assert board.state("alice") is AgentState.OFFLINE


def test_queues_are_left_and_joined_one_by_one():
    board = board_of(VirtualClock())
    board.log_out("alice", "sales", "phone")
    board.log_out("alice", "support", "phone")
    board.log_in("alice", "sales", "phone")
    assert board.presence("alice").logged_out == {"support"}
    assert board.available("alice")


def test_missed_calls_are_counted_until_one_is_answered():
    board = board_of(VirtualClock())
    assert [board.missed("alice"), board.missed("alice")] == [1, 2]
    with board.ringing(["alice"]) as held:
        held.connected("alice")
    assert board.missed("alice") == 1


def watched(scenario) -> list[events.CallEvent]:
    """What a watch publishes while ``scenario(board, away)`` runs."""
    clock, published, away = VirtualClock(), [], {"bob"}

    async def main() -> None:
        board = AgentBoard(["alice", "bob"], clock, lambda agent: agent not in away)
        AgentWatch(board, clock, published.append)
        await scenario(board, away)
        await clock.sleep(1)

    clock.run(main())
    return published


def test_the_watch_shows_every_state_and_records_who_could_be_rung():
    async def scenario(board: AgentBoard, away: set[str]) -> None:
        with board.ringing(["alice"], "call-1") as held:
            await asyncio.sleep(3)
            held.connected("alice", wrap_up_s=10)
            board.pause("alice", "lunch", "phone")
            await asyncio.sleep(60)
        away.discard("bob")
        board.notify()
        await asyncio.sleep(1)
        board.resume("alice", "web")

    published = watched(scenario)
    states = [(e.agent, e.state, e.call_id) for e in published if isinstance(e, events.AgentStateChanged)]
    assert states == [
        ("alice", "available", ""),
        ("bob", "offline", ""),
        ("alice", "ringing", "call-1"),
        ("alice", "talking", "call-1"),
        ("alice", "paused", ""),
        ("bob", "available", ""),
        ("alice", "available", ""),
    ]
    recorded = [e for e in published if isinstance(e, events.AgentPresenceChanged)]
    assert [(e.agent, e.reachable, e.paused, e.reason, e.by) for e in recorded] == [
        ("alice", True, False, "", ""),
        ("bob", False, False, "", ""),
        ("alice", True, True, "lunch", "phone"),
        ("bob", True, False, "", ""),
        ("alice", True, False, "", "web"),
    ]


def test_a_pause_outlives_the_board():
    board = board_of(VirtualClock())
    board.restore({"alice": Presence(True, "lunch"), "gone": Presence(True)})
    assert board.state("alice") is AgentState.PAUSED
    assert [view.agent for view in board.snapshot()] == ["alice", "bob"]
