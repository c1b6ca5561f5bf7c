"""What a checked configuration amounts to: the one value that the server, the simulator and the
command line start from. Numbers in it are E.164, paths are absolute."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pbx.config.models import Config, Number, Pool
from pbx.flows.languages import is_language
from pbx.spend import Spent

if TYPE_CHECKING:
    from pbx.flows.flow import Flow

FLOWS_FOLDER = "ivr_flows"
PROMPTS_FOLDER = "prompts"
FLOW_TESTS_FOLDER = "flow_tests"


@dataclass(frozen=True, slots=True)
class Site:
    """``config.yaml``, its flows, and where things are."""

    config: Config
    flows: Mapping[str, "Flow"]  # by the file's name without its ending
    path: Path  # of config.yaml
    data_dir: Path
    database_url: str
    pool_of: Mapping[str, str]  # E.164 → the pool that lends this number out
    spend: tuple[Spent, ...] = ()  # on sources, from the file that the config names

    @property
    def folder(self) -> Path:
        """Where config.yaml lies; what it names is relative to it."""
        return self.path.parent

    def number(self, did: str) -> Number | None:
        """The static tracking number ``did`` (E.164)."""
        return self.config.numbers.get(did)

    def pool(self, did: str) -> Pool | None:
        """The pool that ``did`` (E.164) belongs to."""
        name = self.pool_of.get(did)
        return self.config.pools[name] if name is not None else None

    @property
    def languages(self) -> frozenset[str]:
        """Every one that some call may be spoken to in."""
        numbers, pools = self.config.numbers.values(), self.config.pools.values()
        of_numbers = {number.language for number in numbers if number.language}
        of_numbers |= {pool.language for pool in pools if pool.language}
        chosen = {
            step.language for flow in self.flows.values() for step in flow.steps.values() if step.language
        }
        of_flows = {flow.language for flow in self.flows.values() if flow.language}
        return frozenset({self.config.server.language, *of_numbers, *of_flows, *chosen})

    def language(self, did: str, flow: str) -> str:
        """What a call to ``did`` is spoken to in at first."""
        number, pool = self.number(did), self.pool(did)
        own = number.language if number else pool.language if pool else None
        return own or self.flows[flow].language or self.config.server.language

    def find_audio(self, flow: "Flow", name: str) -> Path | None:
        """A prompt's file: beside the flow, then in ``prompts/``."""
        return find_audio(name, flow.path.parent, self.folder)


def find_audio(name: str, beside: Path, folder: Path) -> Path | None:
    """The first that exists of ``beside/name`` and ``folder/prompts/name``."""
    candidates = (beside / name, folder / PROMPTS_FOLDER / name)
    return next((path for path in candidates if path.is_file()), None)


def in_languages(name: str, beside: Path, folder: Path) -> list[Path]:
    """The same prompt in the languages' own folders, such as ``prompts/es/name``."""
    places = (beside, folder / PROMPTS_FOLDER)
    folders = [
        each for place in places if place.is_dir() for each in place.iterdir() if is_language(each.name)
    ]
    return [each / name for each in folders if (each / name).is_file()]


_SQLITE = "sqlite:///"


def database_url(url: str, folder: Path) -> str:
    """``sqlite:///data/pbx.db`` with its path made absolute; any other URL as it is."""
    if not url.startswith(_SQLITE):
        return url
    path, question, options = url.removeprefix(_SQLITE).partition("?")
    if path in ("", ":memory:") or path.startswith("file:"):
        return url
    return f"{_SQLITE}{(folder / path).resolve()}{question}{options}"
