"""Recordings and supervision with softphones: who is heard where and when, by the pitch that each hums."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from media.convert import samples_of
from pbx.phonecall import Phone
from tests.support.phones import agent_plan, caller_plan, registered
from tests.support.server import Server, eventually, server
from tests.support.sounds import heard_in, hum, longest_s, samples_in

pytestmark = pytest.mark.peers

CUSTOMER, AGENT, SUPERVISOR, BEEP = 400, 1000, 1800, 1400
EVERYBODY = (CUSTOMER, AGENT, SUPERVISOR)
FLOWS = {"alice": "name: alice\nstart: ring\nsteps:\n  ring: {dial: alice, timeout: 15s}\n"}
ASKING = """recording:
  format: flac
  beep: 2s
  consent: {say: "Press 9 if you do not want to be recorded.", decline: 9}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, hz in (("customer", CUSTOMER), ("agent", AGENT), ("supervisor", SUPERVISOR)):
        hum(tmp_path / f"{name}-says.wav", hz)
    return tmp_path


def voice(folder: Path, name: str) -> dict[str, Any]:
    return {"play": str(folder / f"{name}-says.wav"), "record": str(folder / f"{name}-hears.wav")}


def heard_by(folder: Path, name: str, pitches: tuple[int, ...] = EVERYBODY) -> list[set[int]]:
    return heard_in(samples_in(folder / f"{name}-hears.wav"), pitches)


def kept(site: Server, call_id: str, form: str) -> list[list[set[int]]]:
    """What is on each channel of the file, once it has its form."""
    files = site.folder / "data" / "recordings"
    path = eventually(f"the {form} file", lambda: next(files.rglob(f"{call_id}{form}"), None))
    eventually("no other form", lambda: list(files.rglob(f"{call_id}.*")) == [path])
    _, sound = samples_of(path)
    return [heard_in(sound[:, channel], (*EVERYBODY, BEEP)) for channel in range(sound.shape[1])]


def happened(site: Server, call_id: str, *kinds: str) -> list[dict[str, Any]]:
    return [event for event in site.get(f"/api/calls/{call_id}")["events"] if event["kind"] in kinds]


@pytest.fixture(scope="module")
def asking(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    def edit(config: str) -> str:
        return config.replace("recording: {enabled: true, keep: 30d}\n", ASKING)

    with server(tmp_path_factory.mktemp("site"), FLOWS, edit=edit) as running:
        yield running


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with server(tmp_path_factory.mktemp("site"), FLOWS) as running:
        yield running


def live_call(site: Server) -> str:
    """The call that is up, once two talk on it."""

    def probe() -> str:
        calls = [call for call in site.calls() if call["status"] == "in_progress"]
        talking = [call for call in calls if happened(site, call["id"], "call.connected")]
        return str(talking[0]["id"]) if talking else ""

    return str(eventually("a talk", probe))


def test_consent_beep_pause_by_key_and_by_the_api_and_the_form_of_the_file(
    asking: Server, folder: Path
) -> None:
    before = len(asking.calls())

    async def scene() -> None:
        plan = agent_plan(asking, "alice", press="*9,,,*9", press_after_s=10, **voice(folder, "agent"))
        async with Phone(plan) as alice:
            await registered(alice)
            async with Phone(caller_plan(asking, **voice(folder, "customer"))):
                await alice.until("answered")
                call_id = await asyncio.to_thread(live_call, asking)
                for _ in "*9*9":
                    await alice.until("pressed")
                await asyncio.to_thread(
                    eventually, "the resumption", lambda: happened(asking, call_id, "recording.resumed")
                )
                for action, state in (("pause", "paused"), ("resume", "recording")):
                    answer = await asyncio.to_thread(
                        asking.post, f"/api/calls/{call_id}/recording", {"action": action}
                    )
                    assert answer == {"state": state}
            await alice.until("ended")

    asyncio.run(asyncio.wait_for(scene(), 90))
    call = asking.ended_call(before + 1)
    events = happened(asking, call["id"], "recording.consent", "recording.paused", "recording.resumed")
    said = [(event["kind"], event.get("by")) for event in events]
    assert said[0] == ("recording.consent", None)
    assert said[1:3] == [("recording.paused", "alice"), ("recording.resumed", "alice")]
    assert [kind for kind, _ in said[3:]] == ["recording.paused", "recording.resumed"]
    left, right = kept(asking, call["id"], ".flac")
    assert longest_s(left, {CUSTOMER}) > 1
    assert longest_s(right, {AGENT}) > 1
    assert not any({AGENT, SUPERVISOR, BEEP} & window for window in left)
    assert any(BEEP in window for window in heard_by(folder, "agent", (BEEP,))), "the agent heard no beep"
    assert any(BEEP in window for window in heard_by(folder, "customer", (BEEP,))), "the customer heard none"
    together_s = len([window for window in heard_by(folder, "agent") if CUSTOMER in window]) * 0.4
    assert len(left) * 0.4 < together_s - 2, "what was paused is in the file"


def test_who_presses_the_key_is_not_recorded(asking: Server, folder: Path) -> None:
    before = len(asking.calls())

    async def scene() -> None:
        async with Phone(agent_plan(asking, "alice", **voice(folder, "agent"))) as alice:
            await registered(alice)
            plan = caller_plan(asking, press="9", press_after_s=1, hang_up_after_s=12)
            async with Phone(plan) as caller:
                await alice.until("answered")
                await caller.finish()

    asyncio.run(asyncio.wait_for(scene(), 90))
    call = asking.ended_call(before + 1)
    (consent,) = happened(asking, call["id"], "recording.consent")
    assert consent["given"] is False
    assert call["status"] == "answered"
    assert call["recording"] is None


def test_a_supervisor_dials_in_and_listens_whispers_and_speaks_to_both(plain: Server, folder: Path) -> None:
    before = len(plain.calls())

    async def scene() -> None:
        async with Phone(agent_plan(plain, "alice", **voice(folder, "agent"))) as alice:
            await registered(alice)
            async with Phone(caller_plan(plain, **voice(folder, "customer"))):
                await alice.until("answered")
                await asyncio.to_thread(live_call, plain)
                plan = agent_plan(
                    plain, "carol", call=f"sip:*33101@127.0.0.1:{plain.sip}", srtp=True,
                    press="2,,,3", press_after_s=3, hang_up_after_s=11, **voice(folder, "supervisor"),
                )  # fmt: skip
                async with Phone(plan) as carol:
                    await carol.finish()
            await alice.until("ended")

    asyncio.run(asyncio.wait_for(scene(), 90))
    plain.ended_call(before + 2)
    talk = next(call for call in plain.calls() if call["agent"] == "alice")
    modes = [event["mode"] for event in happened(plain, talk["id"], "call.supervised")]
    assert modes == ["listen", "whisper", "barge", "left"]
    supervisor, agent, customer = (heard_by(folder, name) for name in ("supervisor", "agent", "customer"))
    assert longest_s(supervisor, {CUSTOMER, AGENT}) > 4
    assert longest_s(agent, {CUSTOMER}) > 1
    assert longest_s(agent, {CUSTOMER, SUPERVISOR}) > 4
    assert longest_s(customer, {AGENT}) > 4
    assert longest_s(customer, {AGENT, SUPERVISOR}) > 1.5
    assert not any(SUPERVISOR in window for window in supervisor)
    left, right = kept(plain, talk["id"], ".wav")
    assert not any(window - {CUSTOMER} for window in left)
    assert longest_s(right, {AGENT, SUPERVISOR}) > 1.5, "what was said to both is not in the recording"
    assert sum(SUPERVISOR in window for window in right) < sum(SUPERVISOR in window for window in agent) - 3


def test_the_api_rings_a_supervisor_and_changes_the_mode(plain: Server, folder: Path) -> None:
    before = len(plain.calls())

    async def scene() -> None:
        async with (
            Phone(agent_plan(plain, "alice", **voice(folder, "agent"))) as alice,
            Phone(agent_plan(plain, "carol", srtp=True, **voice(folder, "supervisor"))) as carol,
        ):
            await registered(alice)
            await registered(carol)
            async with Phone(caller_plan(plain, **voice(folder, "customer"))):
                await alice.until("answered")
                call_id = await asyncio.to_thread(live_call, plain)
                where = f"/api/calls/{call_id}/supervise"
                asked = await asyncio.to_thread(plain.post, where, {"agent": "carol", "mode": "whisper"})
                assert asked["mode"] == "whisper"
                await carol.until("audio")
                for mode in ("whisper", "barge"):
                    if mode == "barge":
                        changed = await asyncio.to_thread(plain.post, where, {"agent": "carol", "mode": mode})
                        assert changed == {"mode": mode}
                    await asyncio.sleep(4)  # what is heard meanwhile is what is measured
            await alice.until("ended")
            await carol.until("ended")

    asyncio.run(asyncio.wait_for(scene(), 90))
    plain.ended_call(before + 2)
    agent, customer = heard_by(folder, "agent"), heard_by(folder, "customer")
    assert longest_s(agent, {CUSTOMER, SUPERVISOR}) > 4
    assert longest_s(customer, {AGENT}) > 1
    assert longest_s(customer, {AGENT, SUPERVISOR}) > 1
