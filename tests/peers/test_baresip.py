"""baresip as a registered agent: answers by itself, says its words, and hangs up at the end of them."""

import asyncio
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from pbx.phonecall import Phone
from tests.support.phones import caller_plan, recording, spoken
from tests.support.server import PASSWORDS, Server, eventually, need, server

pytestmark = pytest.mark.peers

FLOWS = {"alice": "name: Alice\nstart: alice\nsteps:\n  alice: {dial: alice, timeout: 15s}\n"}
MODULES = ("/usr/lib/baresip/modules", "/usr/lib/x86_64-linux-gnu/baresip/modules")
CONFIG = """
module_path {modules}
module g711.so
module aufile.so
{more}
module_app account.so
sip_listen 127.0.0.1:0
{authority}
audio_source aufile,{says}
"""


@contextmanager
def baresip_agent(
    site: Server,
    folder: Path,
    says: Path,
    name: str = "alice",
    *,
    modules: tuple[str, ...] = (),
    account: str = "audio_codecs=PCMU",
    transport: str = "udp",
) -> Iterator[None]:
    """An agent on baresip, registered, with a file for a voice and no loudspeaker."""
    program = need("baresip")
    folder.mkdir()
    where = next(path for path in MODULES if Path(path).is_dir())
    more = "\n".join(f"module {module}" for module in modules)
    authority = f"sip_cafile {site.folder / 'authority.pem'}" if transport == "tls" else ""
    (folder / "config").write_text(CONFIG.format(modules=where, says=says, more=more, authority=authority))
    password = PASSWORDS[f"{name.upper()}_PASSWORD"]
    (folder / "accounts").write_text(
        f"<sip:{name}@127.0.0.1:{site.tls if transport == 'tls' else site.sip};transport={transport}>"
        f";auth_pass={password};answermode=auto;regint=60;{account}\n"
    )
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [program, "-f", str(folder)], stdin=subprocess.DEVNULL, stdout=log, stderr=log
        )
    try:
        eventually("baresip's registration", lambda: site.metric("pbx_sip_registrations") == 1, within_s=20)
        yield
    finally:
        process.terminate()
        process.wait(20)


@pytest.mark.parametrize("transport", ["udp", "tcp", "tls"])
def test_baresip_answers_is_recorded_and_hangs_up(tmp_path: Path, transport: str) -> None:
    async def scene(site: Server, says: Path) -> list[dict]:
        async with Phone(caller_plan(site, 0, play=str(says), hang_up_after_s=30)) as caller:
            return await caller.finish()

    with (
        spoken(tmp_path, "hello i would like to speak to somebody please") as says,
        spoken(tmp_path, "thank you for calling how can i help you", "en-us+f4") as agent_says,
        server(tmp_path / "site", FLOWS, tls=True) as site,
    ):
        with baresip_agent(site, tmp_path / "baresip", agent_says, transport=transport):
            happened = asyncio.run(scene(site, says))
            assert any(event["event"] == "answered" for event in happened), happened
            call = site.ended_call()
            assert (call["status"], call["agent"], call["cause"]) == ("answered", "alice", "flow_ended")
            assert {leg["role"]: leg["cause"] for leg in call["legs"]}["agent"] == "agent_hung_up"
            sound = recording(site, call["id"])
            assert np.abs(sound[:, 0]).max() > 1000, "the caller's channel is silent"
            assert np.abs(sound[:, 1]).max() > 1000, "the agent's channel is silent"
        eventually("baresip's goodbye", lambda: site.metric("pbx_sip_registrations") == 0)
