"""What agents dial, as the site reads it; and whose call a call out answers."""

from datetime import UTC, datetime

import pytest

from pbx.callbacks import attributed
from pbx.config.load import load
from pbx.dialplan import FeatureTarget, FlowTarget, QueueTarget, understand
from pbx.feature_codes import FEATURES, dialled_codes
from pbx.flows.control import AgentTarget, NumberTarget
from pbx.store.earlier import EarlierCall

CONFIG = """
server: {name: Test, country: US}
trunks: {carrier: {allow_from: [192.0.2.0/24], host: 192.0.2.1}}
sources: {radio: {name: Radio spot, kind: offline}}
numbers: {"+12125550100": {source: radio, flow: main}}
pools: {web: {flow: main, numbers: ["+12125550110"]}}
agents:
  alice: {name: Alice, extension: 101, password: "a long password", number: "+12125550177"}
  bob: {name: Bob, password: "a long password"}
queues: {sales: {members: [alice, bob]}}
outbound: {number: "(212) 555-0178", caller_id: CALLER_ID}
"""
FLOW = "start: ring\nsteps:\n  ring: {dial: alice}\n"
BEFORE = EarlierCall("c1", "+13105550199", "+12125550100", "radio", datetime(2026, 11, 24, 17, tzinfo=UTC))


@pytest.fixture
def site(tmp_path, request):
    (tmp_path / "ivr_flows").mkdir()
    (tmp_path / "ivr_flows" / "main.yaml").write_text(FLOW)
    rule = getattr(request, "param", "first")
    (tmp_path / "config.yaml").write_text(CONFIG.replace("CALLER_ID", rule))
    return load(tmp_path / "config.yaml", {})


@pytest.mark.parametrize(
    ("dialled", "means"),
    [
        ("101", AgentTarget("alice")),
        ("alice", AgentTarget("alice")),
        ("bob", AgentTarget("bob")),
        ("102", None),
        ("sales", QueueTarget("sales")),
        ("main", FlowTarget("main")),
        ("2125550100", FlowTarget("main", "+12125550100")),
        ("+12125550110", FlowTarget("main", "+12125550110")),
        ("3105550199", NumberTarget("+13105550199", None)),
        ("+442079460000", NumberTarget("+442079460000", None)),
        ("*43", FeatureTarget("echo")),
        ("*43101", FeatureTarget("echo", "101")),
        ("*", None),
        ("*99", None),
        ("", None),
        ("mallory", None),
    ],
)
def test_what_is_dialled_is_read(site, dialled, means) -> None:
    assert understand(dialled, site, dialled_codes({})) == means


def test_a_site_gives_codes_other_digits_and_takes_them_away() -> None:
    codes = dialled_codes({"echo": "*9", "call_back": ""})
    assert codes["*9"] == "echo"
    assert "call_back" not in codes.values()


def test_no_two_feature_codes_are_the_same() -> None:
    assert len({feature.code for feature in FEATURES}) == len(FEATURES)


def test_a_call_back_is_attributed_to_the_call_that_it_answers(site) -> None:
    found = attributed("+13105550199", site, BEFORE, "alice")
    assert (found.source, found.presents) == ("radio", "+12125550100")
    assert found.reasons == (
        "call back to (310) 555-0199, who called (212) 555-0100 on 24 November 2026 (call c1)",
    )


def test_who_has_never_called_is_shown_the_agents_number_or_the_sites(site) -> None:
    assert attributed("+13105550199", site, None, "alice").presents == "+12125550177"
    found = attributed("+13105550199", site, None, "bob")
    assert (found.source, found.presents) == ("unknown", "+12125550178")
    assert found.reasons == ("no call from (310) 555-0199 is known that this one could answer",)


@pytest.mark.parametrize("site", ["default"], indirect=True)
def test_the_site_may_always_show_its_default(site) -> None:
    found = attributed("+13105550199", site, BEFORE, "bob")
    assert (found.source, found.presents) == ("radio", "+12125550178")


def test_a_number_that_is_ours_no_more_is_not_shown(site) -> None:
    before = EarlierCall("c1", "+13105550199", "+12125550155", "radio", BEFORE.at)
    assert attributed("+13105550199", site, before, "bob").presents == "+12125550178"
