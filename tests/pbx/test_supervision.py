"""Who hears whom while a call is supervised: by the frequency that each party hums, over a real worker."""

import asyncio
from dataclasses import dataclass

import numpy as np

from media import Codec, Dtmf, Endpoint
from media.coding import encode_frames
from media.dtmf import KEYS
from media.g711 import decode
from pbx.supervision import Audience, Mode
from tests.media.phone import FRAME, Phone, studio
from tests.media.test_engine import run
from tests.media.test_transcoding import speak, tone

CUSTOMER, AGENT, SUPERVISOR = 400, 1000, 1600
WINDOW = 10  # frames that are listened to


@dataclass(frozen=True)
class Party:
    """As much of a leg as a talk looks at."""

    agent: str | None
    endpoint: Endpoint
    phone: Phone


async def heard(party: Party) -> set[int]:
    """The parties that this one hears."""
    sound = np.zeros(0)
    while len(sound) < WINDOW * FRAME:
        packet = await party.phone.hear()
        if packet.payload_type == party.phone.codec.value:
            sound = np.append(sound, decode(party.phone.codec, packet.payload))
    power = np.abs(np.fft.rfft(sound * np.hanning(len(sound)))) ** 2
    at = {hz: power[round(hz * len(sound) / 8000)] for hz in (CUSTOMER, AGENT, SUPERVISOR)}
    return {hz for hz, level in at.items() if level > 1e-3 * power.max() and power.max() > 1e9}


async def until_heard(party: Party, expected: set[int]) -> None:
    while await heard(party) != expected:
        pass


async def hum(party: Party, hz: int) -> None:
    while True:
        await speak(party.phone, encode_frames(party.phone.codec, tone(hz, 50)))


def test_each_mode_is_heard_by_those_it_is_for_and_by_nobody_else() -> None:
    async def test() -> None:
        async with studio() as media:
            phones = [Phone(), Phone(codec=Codec.PCMA), Phone()]
            customer, agent, supervisor = [
                Party(who, await media.connect(phone), phone)
                for who, phone in zip((None, "alice", "carol"), phones, strict=True)
            ]
            humming = [
                asyncio.ensure_future(hum(party, hz))
                for party, hz in ((customer, CUSTOMER), (agent, AGENT), (supervisor, SUPERVISOR))
            ]
            talk = Audience(media.engine, customer, agent)
            try:
                with talk.joined():
                    await until_heard(customer, {AGENT})
                    await until_heard(agent, {CUSTOMER})
                    for mode in (Mode.LISTEN, Mode.WHISPER, Mode.BARGE, Mode.LISTEN):
                        talk.supervise(supervisor, mode)
                        await until_heard(supervisor, {CUSTOMER, AGENT})
                        await until_heard(
                            agent, {CUSTOMER} if mode is Mode.LISTEN else {CUSTOMER, SUPERVISOR}
                        )
                        await until_heard(customer, {AGENT, SUPERVISOR} if mode is Mode.BARGE else {AGENT})
                        for party, never in ((customer, CUSTOMER), (agent, AGENT), (supervisor, SUPERVISOR)):
                            assert never not in await heard(party)
                        if mode is not Mode.BARGE:
                            assert SUPERVISOR not in await heard(customer)
                    talk.leave(supervisor)
                    await until_heard(supervisor, set())
                    talk.supervise(supervisor, Mode.BARGE)
                await until_heard(supervisor, set())
                await until_heard(customer, set())
                assert talk.over.done()
            finally:
                for each in humming:
                    each.cancel()
                await asyncio.gather(*humming, return_exceptions=True)

    run(test())


def test_the_supervisors_keys_reach_nobody() -> None:
    async def test() -> None:
        async with studio() as media:
            customer, agent, supervisor = [
                Party(who, await media.connect(phone), phone)
                for who, phone in zip((None, "alice", "carol"), (Phone(), Phone(), Phone()), strict=True)
            ]
            talk = Audience(media.engine, customer, agent)
            quiet = encode_frames(Codec.PCMU, np.zeros(10 * FRAME, np.int16))
            with talk.joined():
                talk.supervise(supervisor, Mode.BARGE)
                await asyncio.gather(*(speak(party.phone, quiet) for party in (customer, agent, supervisor)))
                supervisor.phone.press(KEYS.index("2"))
                assert (await media.event(Dtmf)).endpoint == supervisor.endpoint.id
                talking = [
                    asyncio.ensure_future(hum(agent, AGENT)),
                    asyncio.ensure_future(hum(customer, CUSTOMER)),
                ]
                for party in (customer, agent):
                    kinds = {(await party.phone.hear()).payload_type for _ in range(40)}
                    assert 101 not in kinds
                for each in talking:
                    each.cancel()
                await asyncio.gather(*talking, return_exceptions=True)

    run(test())


def test_an_agent_who_called_out_is_the_one_who_is_whispered_to() -> None:
    async def test() -> None:
        async with studio() as media:
            one, other = [
                Party(who, await media.connect(phone), phone)
                for who, phone in zip(("alice", None), (Phone(), Phone()), strict=True)
            ]
            talk = Audience(media.engine, one, other)
            assert (talk.agent, talk.customer) == (one, other)
            colleagues = Audience(media.engine, one, Party("bob", other.endpoint, other.phone))
            assert colleagues.agent.agent == "bob"

    run(test())
