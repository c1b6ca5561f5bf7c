"""The house's rules, read from the source: which package imports which, and who touches the world.

``sip`` and ``media`` are packages of their own; ``pbx`` joins them, and only in the files named here.
What is to run on a virtual clock neither opens sockets nor asks the machine for the time.
"""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("sip", "media", "pbx")

JOINS_SIP_AND_MEDIA = {
    "pbx/legs/leg.py": "a dialog and its audio as one thing",
    "pbx/legs/caller.py": "the same, of who called",
    "pbx/legs/exchange.py": "session descriptions as the engine's terms",
    "pbx/server.py": "puts the parts together",
    "pbx/switchboard.py": "refuses a call with a status when media cannot be had",
    "pbx/cli/serve.py": "tells the admin which part could not start",
}

WORLD = {"asyncio", "select", "selectors", "socket", "ssl", "subprocess", "threading", "time", "datetime"}
SIP_SHELL = {
    "sip/stack.py",
    "sip/transport/connections.py",
    "sip/transport/door.py",
    "sip/transport/dns.py",
    "sip/transport/tls.py",
    "sip/transport/udp.py",
}

MEDIA_SHELL = {
    "media/client.py": "the application's end of the worker's socket",
    "media/poll.py": "the worker's epoll",
    "media/session.py": "sends on the socket that it is given",
    "media/udp.py": "opens the sockets",
    "media/worker.py": "the loop and its clock",
}

TIMELESS = ("pbx/flows", "pbx/attribution", "pbx/queues", "pbx/agents", "pbx/calls.py", "pbx/geo.py")
CLOCKS = {"time", "monotonic", "perf_counter", "now", "utcnow", "today", "time_ns", "monotonic_ns"}


def sources(*under: str) -> list[Path]:
    found: list[Path] = []
    for part in under:
        path = ROOT / part
        found += sorted(path.rglob("*.py")) if path.is_dir() else [path]
    return found


def name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def imported(path: Path) -> set[str]:
    """The full names of the modules that a file imports, wherever in the file it does."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(), str(path))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            package = path.relative_to(ROOT).with_suffix("").parts[: -node.level] if node.level else ()
            module = ".".join([*package, *([node.module] if node.module else [])])
            found |= {module, *(f"{module}.{alias.name}" for alias in node.names)}
    return found


def tops(path: Path) -> set[str]:
    return {module.partition(".")[0] for module in imported(path)}


def importers(package: str, *modules: str) -> set[str]:
    """The files of a package that import one of some top-level modules."""
    return {name(path) for path in sources(package) if tops(path) & set(modules)}


def clock_readings(path: Path) -> Iterator[str]:
    """Where a file asks the machine for the time: ``time.…``, ``datetime.now`` and their like."""
    for node in ast.walk(ast.parse(path.read_text(), str(path))):
        if (
            isinstance(node, ast.Attribute)
            and node.attr in CLOCKS
            and isinstance(node.value, ast.Name)
            and node.value.id in ("time", "datetime", "date")
        ):
            yield f"{name(path)}:{node.lineno}: {node.value.id}.{node.attr}"


@pytest.mark.parametrize(("package", "others"), [("sip", ("media", "pbx")), ("media", ("sip", "pbx"))])
def test_sip_and_media_stand_alone(package: str, others: tuple[str, ...]) -> None:
    assert importers(package, *others) == set()


@pytest.mark.parametrize("package", PACKAGES)
def test_nothing_imports_tests_or_bench(package: str) -> None:
    assert importers(package, "tests", "bench") == set()


def test_sip_and_media_meet_only_where_it_is_said() -> None:
    assert importers("pbx", "sip") & importers("pbx", "media") == set(JOINS_SIP_AND_MEDIA)


def test_flows_know_neither_sip_nor_media() -> None:
    """A step sees a call by its CallControl alone: that is why the simulator can run it."""
    assert {file for path in ("pbx/flows", "pbx/config") for file in importers(path, "sip", "media")} == set()


def test_nothing_above_the_store_reaches_back() -> None:
    """The store and the flows are used by the web and the command line, never the other way round."""
    for path in sources("pbx/flows", "pbx/store", "pbx/attribution", "pbx/config", "pbx/intelligence"):
        upward = {module for module in imported(path) if module.startswith(("pbx.web", "pbx.cli"))}
        assert upward == set(), name(path)


def test_sip_has_one_shell() -> None:
    assert importers("sip", *WORLD) <= SIP_SHELL


def test_media_touches_sockets_and_clock_in_its_shell_alone() -> None:
    assert importers("media", "socket", "select", "selectors", "time") <= set(MEDIA_SHELL)


def test_flows_queues_and_attribution_are_given_the_time() -> None:
    for path in sources(*TIMELESS):
        assert tops(path).isdisjoint({"time", "socket", "select", "selectors"}), name(path)
    assert [reading for path in sources(*TIMELESS) for reading in clock_readings(path)] == []


def test_the_files_named_here_exist() -> None:
    named = [*JOINS_SIP_AND_MEDIA, *SIP_SHELL, *MEDIA_SHELL, *TIMELESS]
    assert [each for each in named if not (ROOT / each).exists()] == []


def test_a_relative_import_is_read_in_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(globals(), "ROOT", tmp_path)
    file = tmp_path / "pbx" / "flows" / "made.py"
    file.parent.mkdir(parents=True)
    file.write_text("from ..web import app\nfrom . import step\nimport socket as s\n")
    assert imported(file) >= {"pbx.web.app", "pbx.flows.step", "socket"}
