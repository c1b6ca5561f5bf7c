"""The agent board: counts go up only through reservations, and always come down again."""

import asyncio

import pytest

from pbx.agents import AgentBoard, AgentState
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
