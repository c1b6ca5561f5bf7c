"""What is sent to those whom we ring, whatever the caller calls itself."""

from dataclasses import dataclass
from types import SimpleNamespace

import pytest

from pbx.config.models import Agent
from pbx.flows.control import AgentTarget, NumberTarget
from pbx.routing import SiteRouter
from sip.headers import NameAddr


@dataclass
class Facts:
    caller: str
    did: str = "+12125550110"
    presents: str | None = None


@dataclass
class Party:
    """The call's own leg: an agent's, or that of a number."""

    agent: str | None = None
    number: str = ""


def caller_id(
    caller: str, target: AgentTarget | NumberTarget, host: str = "192.0.2.1", party: Party | None = None
) -> NameAddr:
    agents = {"bob": Agent(name="Bob Okafor", extension="102")}
    router = SiteRouter(SimpleNamespace(address=host), SimpleNamespace(agents=agents))
    call = SimpleNamespace(facts=Facts(caller), caller=party or Party())
    return NameAddr.parse(router.caller_id(call, target), "From")


@pytest.mark.parametrize(
    "caller", ["+13105550199", "front desk", 'x" <sip:boss@example.com>;tag=1, "', "a>b;c\\", "Zoë"]
)
@pytest.mark.parametrize("host", ["192.0.2.1", "2001:db8::1"])
def test_a_callers_name_says_nothing_but_itself(caller: str, host: str) -> None:
    shown = caller_id(caller, AgentTarget("alice"), host)
    assert (shown.display, shown.uri.user, shown.uri.host) == (caller, caller, host)
    assert shown.tag is None


def test_a_withheld_number_is_anonymous() -> None:
    assert caller_id("", AgentTarget("alice")).uri.user == "anonymous"


def test_a_colleague_is_shown_by_name_and_extension() -> None:
    shown = caller_id("102", AgentTarget("alice"), party=Party("bob"))
    assert (shown.display, shown.uri.user) == ("Bob Okafor", "102")


def test_a_trunk_is_shown_the_number_dialled() -> None:
    assert caller_id("+13105550199", NumberTarget("+13105550100", None)).uri.user == "+12125550110"
