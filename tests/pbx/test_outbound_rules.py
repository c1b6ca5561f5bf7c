"""What keeps a stolen password from becoming a telephone bill."""

import pytest

from pbx.clock import VirtualClock
from pbx.config.outbound import Outbound
from pbx.failures import CATALOGUE
from pbx.outbound_rules import ALERT_AGAIN_S, HOUR_S, NotPermitted, OutboundRules

HOME = "+12125550150"


def make(**rules):
    clock, alerts = VirtualClock(), []
    return OutboundRules(Outbound(**rules), "US", clock, alerts.append), clock, alerts


def refusal(rules, number=HOME, agent="alice") -> str:
    with pytest.raises(NotPermitted) as caught, rules.permit("call", agent, number):
        pass
    assert caught.value.cause in CATALOGUE
    return f"{caught.value.cause}: {caught.value}"


@pytest.mark.parametrize(
    ("number", "why"),
    [
        ("+442071838750", "outbound_country: a number of GB; agents may call CA, US"),
        ("+18765550123", "outbound_country: a number of JM; agents may call CA, US"),
        ("+882999999999", "outbound_country: a number of 001; agents may call CA, US"),
        ("911", "outbound_country: no number of any country; agents may call CA, US"),
        ("+19005551234", "outbound_premium: a premium-rate number of US"),
    ],
)
def test_where_agents_may_not_call(number, why) -> None:
    rules, _, _ = make(countries=["US", "CA"])
    assert refusal(rules, number) == why


def test_without_a_list_the_servers_country_alone() -> None:
    rules, _, _ = make()
    with rules.permit("call", "alice", HOME):
        pass
    assert "agents may call US" in refusal(rules, "+14165550123")


def test_calls_at_the_same_time() -> None:
    rules, _, _ = make(per_agent_at_once=1, at_once=2)
    with rules.permit("1", "alice", HOME):
        assert refusal(rules) == "outbound_limit: 1 calls of alice at the same time, at most 1"
        with rules.permit("2", "bob", HOME):
            assert "2 calls of all agents at the same time" in refusal(rules, agent="carol")
    with rules.permit("3", "alice", HOME):
        pass


def test_calls_within_an_hour_and_refused_ones_do_not_count() -> None:
    rules, clock, _ = make(per_agent_hour=2, per_hour=3)
    for agent in ("alice", "alice", "bob"):
        with rules.permit("call", agent, HOME):
            pass
        clock.advance(60)
    assert "3 calls of all agents within an hour, at most 3" in refusal(rules)
    clock.advance(HOUR_S - 170)
    with rules.permit("call", "alice", HOME):  # her first one has aged
        pass
    assert "3 calls of all agents within an hour" in refusal(rules)
    rules.update(Outbound(per_agent_hour=2), "US")
    assert refusal(rules) == "outbound_limit: 2 calls of alice within an hour, at most 2"


def test_a_call_that_breaks_gives_its_place_back() -> None:
    rules, _, _ = make(per_agent_at_once=1)
    with pytest.raises(RuntimeError), rules.permit("1", "alice", HOME):
        raise RuntimeError
    with rules.permit("2", "alice", HOME):
        pass


def test_an_alert_once_for_each_agent_and_cause_and_without_the_number() -> None:
    rules, clock, alerts = make()
    for _ in range(5):
        refusal(rules, "+18765550123")
    refusal(rules, "+18765550123", agent="bob")
    assert [(alert.agent, alert.cause) for alert in alerts] == [
        ("alice", "outbound_country"),
        ("bob", "outbound_country"),
    ]
    assert all("5550123" not in repr(alert) for alert in alerts)
    clock.advance(ALERT_AGAIN_S)
    refusal(rules, "+18765550123")
    assert len(alerts) == 3


def test_a_reload_keeps_the_count() -> None:
    rules, _, _ = make()
    with rules.permit("1", "alice", HOME):
        rules.update(Outbound(per_agent_at_once=1, countries=["US", "JM"]), "US")
        assert "at the same time" in refusal(rules)
    with rules.permit("2", "alice", "+18765550123"):
        pass
