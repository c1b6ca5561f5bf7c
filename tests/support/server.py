"""A real server for tests: ``pbx serve`` as a process, on a site of its own and free ports."""

import contextlib
import json
import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.support.certificates import Authority

REPOSITORY = Path(__file__).resolve().parents[2]
MODEL = REPOSITORY / "tests" / "data" / "vosk" / "model-tiny-en"
PASSWORDS = {"ALICE_PASSWORD": "alice-secret", "BOB_PASSWORD": "bob-secret", "CAROL_PASSWORD": "carol-secret"}
PATIENCE_S = 60.0


def free_port(kind: socket.SocketKind = socket.SOCK_DGRAM) -> int:
    """A port that is free for UDP and TCP alike at this moment."""
    while True:
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as tcp:
            tcp.bind(("127.0.0.1", 0))
            port: int = tcp.getsockname()[1]
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp, contextlib.suppress(OSError):
                udp.bind(("127.0.0.1", port))
                return port


def eventually(what: str, probe: Callable[[], Any], within_s: float = PATIENCE_S) -> Any:
    """The first true value of ``probe``; fails the test, naming ``what``, if none comes."""
    deadline = time.monotonic() + within_s
    while True:
        value = probe()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"{what} did not happen within {within_s:g} s; last seen: {value!r}")
        time.sleep(0.05)


GAUGES = ("pbx_calls_live", "pbx_media_endpoints", "pbx_sip_sessions", "pbx_sip_dialogs")
OPEN_ROWS = """
SELECT (SELECT count(*) FROM calls WHERE ended_ms IS NULL) + (SELECT count(*) FROM legs WHERE ended_ms IS NULL)
"""

SITE = """
server:
  {{name: Test, timezone: UTC, country: US, data_dir: ./data, database: "sqlite:///data/pbx.db", drain: 2s}}
sip: {{listen: ["udp://127.0.0.1:{sip}", "tcp://127.0.0.1:{sip}"]}}
media: {{address: 127.0.0.1, rtp_ports: {rtp}, codecs: [pcmu, pcma, g722, opus], rtp_timeout: {rtp_timeout}}}
web: {{listen: "127.0.0.1:{web}"}}
trunks:
  carrier: {{allow_from: [127.0.0.1/32], host: 127.0.0.1, port: {carrier}}}
sources:
  radio: {{name: Radio spot, kind: offline}}
numbers:
{numbers}
agents:
  alice: {{name: Alice Moreno, extension: 101, password: "${{ALICE_PASSWORD}}", skills: []}}
  bob: {{name: Bob Okafor, extension: 102, password: "${{BOB_PASSWORD}}", skills: []}}
  carol: {{name: Carol Diaz, extension: 103, password: "${{CAROL_PASSWORD}}", srtp: required, supervisor: true}}
  desk: {{name: Front desk, contact: "sip:desk@127.0.0.1:{desk}"}}
queues:
  sales: {{strategy: ring-all, members: [alice, bob], ring_timeout: 5s, max_wait: {max_wait}, wrap_up: 1s}}
  support: {{strategy: longest-idle, members: [bob, desk], ring_timeout: 5s, max_wait: {max_wait}}}
conferences:
  staff: {{pin: "1234"}}
  open: {{music: false}}
recording: {{enabled: true, keep: 30d}}
transcription: {{enabled: true, model: "{model}"}}
"""


@dataclass
class Server:
    """A running server and how to ask it."""

    folder: Path
    sip: int
    web: int
    carrier: int
    desk: int
    environment: dict[str, str]
    program: tuple[str, ...] = ("pbx", "serve")
    tls: int = 0
    process: subprocess.Popen[bytes] | None = None
    token: str = ""
    log: Path = field(default_factory=Path)
    idle_tasks: float = 0.0

    @property
    def config(self) -> Path:
        return self.folder / "config.yaml"

    def pbx(self, *words: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run a ``pbx`` command on this site."""
        return subprocess.run(
            [sys.executable, "-m", "pbx", *words, "--config", str(self.config)],
            env=self.environment,
            capture_output=True,
            text=True,
            check=check,
            timeout=PATIENCE_S,
        )

    def start(self) -> None:
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", *self.program, "--config", str(self.config)],
                env=self.environment,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        eventually("readiness", self._is_ready)
        if not self.token:
            self.token = self.pbx("token", "create", "--name", "test", "--role", "admin").stdout.strip()
        self.idle_tasks = self.metric("pbx_event_loop_tasks")

    def _is_ready(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, f"the server ended: {self.log.read_text()[-3000:]}"
        with contextlib.suppress(OSError):
            return self.get_status("/healthz") == 200
        return False

    def get_status(self, path: str) -> int:
        request = urllib.request.Request(f"http://127.0.0.1:{self.web}{path}", headers=self._headers())
        try:
            with urllib.request.urlopen(request, timeout=5) as response:
                return int(response.status)
        except urllib.error.HTTPError as error:
            with error:
                return error.code

    def _headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"} if self.token else {}

    def read(self, path: str) -> bytes:
        request = urllib.request.Request(f"http://127.0.0.1:{self.web}{path}", headers=self._headers())
        with urllib.request.urlopen(request, timeout=10) as response:
            body: bytes = response.read()
            return body

    def post(self, path: str, body: Any, headers: dict[str, str] | None = None) -> Any:
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.web}{path}",
            data=json.dumps(body).encode(),
            headers={**self._headers(), "Content-Type": "application/json", **(headers or {})},
        )
        with urllib.request.urlopen(request, timeout=10) as response:
            return json.loads(response.read())

    def patch(self, path: str, body: Any) -> Any:
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.web}{path}",
            data=json.dumps(body).encode(),
            headers={**self._headers(), "Content-Type": "application/json"},
            method="PATCH",
        )
        with urllib.request.urlopen(request, timeout=10) as response:
            return json.loads(response.read())

    def get(self, path: str) -> Any:
        return json.loads(self.read(path))

    def calls(self) -> list[dict[str, Any]]:
        calls: list[dict[str, Any]] = self.get("/api/calls")["calls"]
        return calls

    def ended_call(self, at_least: int = 1) -> dict[str, Any]:
        """The newest call, whole, once ``at_least`` calls have ended."""

        def probe() -> Any:
            calls = self.calls()
            over = [call for call in calls if call["status"] not in ("ringing", "in_progress")]
            return over[0] if len(over) >= at_least and len(over) == len(calls) else None

        found: dict[str, Any] = self.get(f"/api/calls/{eventually('the end of the call', probe)['id']}")
        return found

    def metric(self, name: str) -> float:
        for line in self.read("/metrics").decode().splitlines():
            if line.startswith((f"{name} ", f"{name}{{")):
                return float(line.rsplit(" ", 1)[1])
        raise AssertionError(f"no metric {name}")

    def nothing_left(self) -> None:
        """Of the calls so far: no leg, port, dialog, task or open row remains. What SIP's timers keep may."""
        for gauge in GAUGES:
            eventually(f"{gauge} back at 0", lambda gauge=gauge: self.metric(gauge) == 0)
        eventually("the end of every task", lambda: self.metric("pbx_event_loop_tasks") <= self.idle_tasks)
        eventually("the end of every row", lambda: self._open_rows() == 0)

    def _open_rows(self) -> int:
        database = f"file:{self.folder / 'data' / 'pbx.db'}?mode=ro"
        with contextlib.closing(sqlite3.connect(database, uri=True)) as connection:
            (open_rows,) = connection.execute(OPEN_ROWS).fetchone()
        return int(open_rows)

    def stop(self, how: signal.Signals = signal.SIGTERM) -> int:
        assert self.process is not None
        if self.process.poll() is None:
            self.process.send_signal(how)
        return self.process.wait(PATIENCE_S)


@contextmanager
def server(
    folder: Path,
    flows: dict[str, str],
    *,
    model: Path | str = MODEL,
    max_wait: str = "20s",
    rtp_timeout: str = "60s",
    rtp_ports: int = 200,
    environment: dict[str, str] | None = None,
    at: str = "",
    tls: bool = False,
    edit: Callable[[str], str] = lambda config: config,
) -> Iterator[Server]:
    """``edit`` changes the text of the configuration before it is read. With ``tls``, SIP is spoken over TLS too, on ``Server.tls``, with a certificate that ``authority.pem``
    beside the config vouches for. A server whose number +1212555010N runs the N-th of ``flows`` (name -> YAML).

    When the test is through, nothing of its calls may be left. With ``at`` it believes that it starts at that moment, such as ``2026-12-07 10:00`` (UTC).
    """
    sip, web, carrier, desk = (free_port() for _ in range(4))
    first = 12000 + (os.getpid() % 90) * 200  # below the ports that the system hands out
    (folder / "ivr_flows").mkdir(parents=True)
    for name, text in flows.items():
        (folder / "ivr_flows" / f"{name}.yaml").write_text(text)
    numbers = "\n".join(
        f'  "+1212555{100 + n:04}": {{source: radio, flow: {name}}}' for n, name in enumerate(flows)
    )
    (folder / "config.yaml").write_text(
        SITE.format(
            sip=sip, web=web, carrier=carrier, desk=desk, rtp=f"{first}-{first + rtp_ports - 1}",
            numbers=numbers, model=model, max_wait=max_wait, rtp_timeout=rtp_timeout,
        )
    )  # fmt: skip
    tls_port = free_port() if tls else 0
    if tls:
        authority = Authority("authority")
        (folder / "authority.pem").write_bytes(authority.pem)
        authority.issue("127.0.0.1").write(folder / "cert.pem", folder / "key.pem")
        text = (folder / "config.yaml").read_text()
        section = (
            f'"], tls: {{listen: "tls://127.0.0.1:{tls_port}", certificate: cert.pem, key: key.pem}}}}\n'
        )
        (folder / "config.yaml").write_text(text.replace('"]}\n', section, 1))
    (folder / "config.yaml").write_text(edit((folder / "config.yaml").read_text()))
    running = Server(
        folder, sip, web, carrier, desk, {**os.environ, **PASSWORDS, **(environment or {})},
        log=folder / "server.log",
        program=("tests.support.serve_at", at) if at else ("pbx", "serve"),
    )  # fmt: skip
    running.tls = tls_port
    running.start()
    try:
        yield running
        if running.process is not None and running.process.poll() is None:
            running.nothing_left()
    finally:
        running.stop()


def need(program: str) -> str:
    """The path of somebody else's program. Its absence skips the test, except in CI, where it fails it."""
    import pytest

    path = shutil.which(program)
    if path is None:
        if os.environ.get("CI"):
            pytest.fail(f"{program} is not installed: make test-packages")
        pytest.skip(f"{program} is not installed: make test-packages")
    return path
