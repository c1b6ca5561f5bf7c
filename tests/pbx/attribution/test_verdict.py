"""Which source, and why."""

from datetime import UTC, datetime

import pytest

from pbx.attribution.verdict import NumberKind, Verdict, verdict
from pbx.attribution.visitors import Callers
from pbx.config.load import load

NOW = datetime(2026, 12, 5, 15, 0, tzinfo=UTC)
CALLER = "+12125557788"


@pytest.fixture
def site(tmp_path):
    (tmp_path / "ivr_flows").mkdir()
    (tmp_path / "ivr_flows" / "main.yaml").write_text("start: a\nsteps: {a: {dial: alice}}\n")
    config = tmp_path / "config.yaml"
    config.write_text("""\
sources: {radio: {name: Radio spot, kind: offline}}
agents: {alice: {name: Alice, contact: "sip:alice@127.0.0.1:5080"}}
numbers: {"+12125550100": {source: radio, flow: main, whisper: Radio}}
pools: {website: {numbers: ["+12125550110"], flow: main}}
""")
    return load(config, {})


def test_a_static_number_stands_for_its_source(site):
    assert verdict(site, "+12125550100", CALLER, NOW) == Verdict(
        source="radio",
        reasons=("(212) 555-0100 is the tracking number of Radio spot (radio)",),
        flow="main",
        whisper="Radio",
        number_kind=NumberKind.STATIC,
    )


def test_a_pool_number_without_a_lease_is_unknown(site):
    assert verdict(site, "+12125550110", CALLER, NOW) == Verdict(
        source="unknown",
        reasons=(
            "(212) 555-0110 belongs to the pool website",
            "no website visitor is known to have been shown this number",
        ),
        flow="main",
        whisper="",
        number_kind=NumberKind.POOL,
        pool="website",
        callers=Callers((), 1.0),
    )


@pytest.mark.parametrize("did", ["+12125550199", "alice", ""])
def test_a_number_of_nobody(site, did):
    assert verdict(site, did, CALLER, NOW) is None
