"""Codecs and encryption with phones that we did not write: each talks to a plain one, and both are heard."""

import asyncio
import wave
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soxr

from media.wav import read_wav
from pbx.phonecall import Phone
from tests.peers.test_baresip import baresip_agent
from tests.support.phones import agent_plan, caller_plan, recording, registered, spoken
from tests.support.server import Server, server

pytestmark = pytest.mark.peers

FLOWS = {
    name: f"name: {name}\nstart: ring\nsteps:\n  ring: {{dial: {name}, timeout: 10s}}\n"
    for name in ("alice", "carol")
}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with server(tmp_path_factory.mktemp("site"), FLOWS) as running:
        yield running


@pytest.fixture(scope="module")
def voices(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, Path]]:
    folder = tmp_path_factory.mktemp("voices")
    with (
        spoken(folder, "hello i would like to speak to somebody about a new kitchen please") as caller,
        spoken(folder, "thank you for calling how can i help you on this lovely day", "en-us+f4") as agent,
    ):
        yield caller, agent


def reshaped(voice: Path, path: Path, rate_hz: int, channels: int) -> Path:
    """The same voice as baresip wants its file: at the codec's own rate and channels."""
    samples = soxr.resample(read_wav(voice), 8000, rate_hz)
    with wave.open(str(path), "wb") as file:
        file.setparams((channels, 2, rate_hz, 0, "NONE", ""))
        file.writeframes(np.repeat(samples[:, None], channels, axis=1).astype("<i2").tobytes())
    return path


def assert_both_recorded(site: Server, before: int, agent: str) -> None:
    call = site.ended_call(before + 1)
    assert (call["status"], call["agent"]) == ("answered", agent)
    sound = recording(site, call["id"])
    assert np.abs(sound[:, 0]).max() > 1000, "the caller's channel is silent"
    assert np.abs(sound[:, 1]).max() > 1000, "the agent's channel is silent"


@pytest.mark.parametrize(
    ("index", "agent", "caller_more", "agent_more"),
    [
        (0, "alice", {"codec": "PCMU"}, {"codec": "G722"}),
        (0, "alice", {"codec": "G722"}, {"codec": "PCMA"}),
        (0, "alice", {"srtp": True}, {}),
        (1, "carol", {"codec": "G722"}, {"srtp": True}),
        (1, "carol", {"srtp": True}, {"srtp": True, "codec": "PCMA"}),
    ],
)
def test_pjsua2_speaks_and_is_heard(
    site: Server, voices, tmp_path: Path, index, agent, caller_more, agent_more
) -> None:
    before = len(site.calls())

    async def scene() -> tuple[list[dict], list[dict]]:
        agent_hears = str(tmp_path / "agent.wav")
        async with Phone(
            agent_plan(site, agent, play=str(voices[1]), record=agent_hears, **agent_more)
        ) as phone:
            await registered(phone)
            plan = caller_plan(
                site, index, play=str(voices[0]), record=str(tmp_path / "caller.wav"), hang_up_after_s=5,
                **caller_more,
            )  # fmt: skip
            async with Phone(plan) as caller:
                heard = await caller.finish()
            await phone.until("ended")
        return heard, phone.events

    caller, _ = asyncio.run(scene())
    assert next(event for event in caller if event["event"] == "heard")["speech"], caller
    assert_both_recorded(site, before, agent)


def test_an_agent_who_must_encrypt_and_does_not_is_not_reached(site: Server) -> None:
    before = len(site.calls())

    async def scene() -> None:
        async with Phone(agent_plan(site, "carol")) as phone:
            await registered(phone)
            async with Phone(caller_plan(site, 1, hang_up_after_s=20)) as caller:
                await caller.finish()

    asyncio.run(scene())
    call = site.ended_call(before + 1)
    assert call["status"] == "missed"
    assert next(leg for leg in call["legs"] if leg["role"] == "agent")["sip_status"] in (488, 606)


@pytest.mark.parametrize(
    ("module", "account", "shape"),
    [
        ("g722.so", "audio_codecs=G722/16000/1", (16000, 1)),
        ("opus.so", "audio_codecs=opus/48000/2", (48000, 2)),
        ("srtp.so", "mediaenc=srtp-mand", (8000, 1)),
    ],
)
def test_baresip_speaks_and_is_heard(
    site: Server, voices, tmp_path: Path, module: str, account: str, shape: tuple[int, int]
) -> None:
    before = len(site.calls())
    who, index = ("carol", 1) if module == "srtp.so" else ("alice", 0)

    async def scene() -> list[dict]:
        plan = caller_plan(
            site, index, play=str(voices[0]), record=str(tmp_path / "caller.wav"), hang_up_after_s=6
        )
        async with Phone(plan) as caller:
            return await caller.finish()

    says = reshaped(voices[1], tmp_path / "says.wav", *shape)
    with baresip_agent(site, tmp_path / "baresip", says, who, modules=(module,), account=account):
        heard = asyncio.run(scene())
    assert next(event for event in heard if event["event"] == "heard")["speech"], heard
    assert_both_recorded(site, before, who)


def test_no_key_is_in_the_servers_log(site: Server) -> None:
    assert "inline:" not in site.log.read_text()
