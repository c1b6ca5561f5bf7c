"""A site on disk that is right, and what is said when a part of it is changed."""

from collections.abc import Callable, Mapping
from datetime import date
from pathlib import Path

import pytest

from pbx.config.load import Problem, Site, examine

TODAY = date(2026, 11, 24)

CONFIG = """\
server: {name: Acme, country: US}
sources:
  radio: {name: Radio spot, kind: offline}
trunks:
  carrier: {allow_from: [192.0.2.0/24], host: 192.0.2.1}
agents:
  alice: {name: Alice, extension: 101, password: "a long password"}
  desk: {name: Front desk, contact: "sip:desk@127.0.0.1:5080"}
queues:
  sales: {members: [alice, desk]}
numbers:
  "+12125550100": {source: radio, flow: main}
"""

FLOW = """\
start: ring
steps:
  ring: {dial: alice, on_no_answer: line}
  line: {queue: sales, on_timeout: message}
  message: {voicemail: }
"""

ADVICE = {"reaches-nobody", "dead-end", "uncovered-hours"}
"""What a flow written for another test may be told."""


class Disk:
    """The site's folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.config = folder / "config.yaml"
        self.write("config.yaml", CONFIG)
        self.write("ivr_flows/main.yaml", FLOW)

    def write(self, name: str, text: str | bytes) -> Path:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    def examine(self, env: Mapping[str, str] | None = None) -> tuple[Site | None, list[Problem]]:
        return examine(self.config, env or {}, TODAY)

    def said(self, env: Mapping[str, str] | None = None) -> list[str]:
        """Every problem but advice, its file without the folder."""
        return self._shown([each for each in self.examine(env)[1] if not is_advice(each)])

    def advice(self) -> list[str]:
        """The advice."""
        return self._shown([each for each in self.examine()[1] if is_advice(each)])

    def _shown(self, problems: list[Problem]) -> list[str]:
        return [str(problem).removeprefix(f"{self.folder}/") for problem in problems]


def is_advice(problem: Problem) -> bool:
    """Whether it is of the kind that every short flow in a test is told."""
    unused = problem.code == "unused" and not problem.message.startswith("no number, pool or goto")
    return problem.code in ADVICE or unused


@pytest.fixture
def disk(tmp_path: Path) -> Disk:
    return Disk(tmp_path)


@pytest.fixture
def complaints(disk: Disk) -> Callable[..., list[str]]:
    """What is said of the good config plus ``more``, or with ``old`` replaced by ``new``."""

    def said(
        more: str = "", *, old: str = "", new: str = "", env: Mapping[str, str] | None = None
    ) -> list[str]:
        assert not old or old in CONFIG
        disk.write("config.yaml", (CONFIG.replace(old, new) if old else CONFIG) + more)
        return [line.removeprefix("config.yaml:") for line in disk.said(env)]

    return said
