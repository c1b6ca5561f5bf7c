"""The webhook step: what is sent, what becomes of the answer, and which way the call goes."""

import json

import pytest

from pbx import events
from pbx.clock import VirtualClock
from pbx.flows.interpreter import run
from pbx.flows.outcome import Outcome
from pbx.flows.simulated import Script, SimulatedCall
from pbx.flows.trace import trace
from pbx.httpcalls import TIMEOUT, WebAnswer
from pbx.signing import HEADER, verify
from tests.pbx.flows.worlds import facts, flow, surroundings

AFTER = "\nyes: {say: 'yes'}\nno: {say: 'no'}\nlate: {say: late}\n"
GOLD = WebAnswer(200, b'{"customer": {"tier": "gold", "vip": true}, "orders": [3, null], "long": "x"}')


class Asked:
    """A flow whose webhook is answered so, time by time."""

    def __init__(self, step: str, *answers: WebAnswer, values: dict[str, str] | None = None) -> None:
        self.happened: list[events.CallEvent] = []
        self.clock = VirtualClock()

        async def main() -> Outcome:
            script = Script(webhooks={"ask": answers} if answers else {})
            self.call = SimulatedCall(facts(), self.clock, self.happened.append, script)
            self.call.values.update(values or {})
            around = surroundings(self.clock)
            return await run(self.call, flow(f"ask: {step}" + AFTER), around, self.happened.append)

        self.path = list(self.clock.run(main()).path)
        self.because = trace(self.happened)[0].because


STEP = (
    '{webhook: "https://crm.test/c/{caller}?zip={zip}", next: yes, on_failure: no, on_timeout: late,'
    ' body: {who: "{caller}", list: ["{zip}", 1], deep: {s: "{source}"}}, headers: {X-Did: "{did}"}}'
)


def test_values_are_filled_in_where_they_are_named_and_cannot_break_out() -> None:
    asked = Asked(STEP, GOLD, values={"zip": '07"1&x'})
    (request,) = asked.call.fetched
    assert request.url == "https://crm.test/c/%2B12125557788?zip=07%221%26x"
    assert json.loads(request.body) == {
        "who": "+12125557788",
        "list": ['07"1&x', "1"],
        "deep": {"s": "yellow-pages"},
    }
    assert request.headers["X-Did"] == "+12125550100"
    assert request.headers["Idempotency-Key"] == "call/ask"
    assert not asked.call.fetched[0].headers.get(HEADER)


def test_an_answers_fields_become_values() -> None:
    asked = Asked(STEP, GOLD)
    assert asked.path == ["ask", "yes"]
    assert asked.call.values == {
        "ask": "success",
        "ask.status": "200",
        "ask.customer.tier": "gold",
        "ask.customer.vip": "true",
        "ask.orders.0": "3",
        "ask.long": "x",
    }


def test_only_what_is_to_be_kept_is_kept() -> None:
    asked = Asked('{webhook: "https://crm.test/", keep: {tier: customer.tier, none: customer.age}}', GOLD)
    assert asked.call.values == {"ask": "success", "ask.status": "200", "ask.tier": "gold"}


@pytest.mark.parametrize(
    ("answers", "path", "because", "tries"),
    [
        ([WebAnswer(200, b"no json")], "yes", "crm.test: status 200, at once", 1),
        ([WebAnswer(404)], "no", "crm.test: status 404, at once", 1),
        ([WebAnswer(503), GOLD], "yes", "crm.test: status 200, after 2 tries", 2),
        ([WebAnswer(503)], "no", "crm.test: status 503, after 2 tries", 2),
        ([WebAnswer(problem=TIMEOUT)], "late", "crm.test: timeout, after 2 tries", 2),
        ([WebAnswer(problem="ConnectError")], "no", "crm.test: ConnectError, after 2 tries", 2),
    ],
)
def test_ways_out(answers: list[WebAnswer], path: str, because: str, tries: int) -> None:
    asked = Asked(STEP, *answers)
    assert asked.path == ["ask", path]
    assert asked.because == because
    assert len(asked.call.fetched) == tries


def test_each_try_has_its_time_and_pauses_grow() -> None:
    step = '{webhook: "https://crm.test/", timeout: 2s, retries: 3}'
    asked = Asked(step, WebAnswer(problem=TIMEOUT))
    assert asked.clock.monotonic() == pytest.approx(4 * 2 + 0.5 + 1 + 2)


def test_a_failure_without_a_way_goes_on() -> None:
    assert Asked('{webhook: "https://crm.test/", next: yes}', WebAnswer(404)).path == ["ask", "yes"]


def test_a_get_has_no_body_and_no_body_is_the_facts() -> None:
    (request,) = Asked('{webhook: "https://crm.test/", method: GET}').call.fetched
    assert (request.method, request.body) == ("GET", b"")
    (request,) = Asked('{webhook: "https://crm.test/"}', values={"zip": "07102"}).call.fetched
    assert json.loads(request.body) == {
        "call_id": "call",
        "from": "+12125557788",
        "to": "+12125550100",
        "source": "yellow-pages",
        "flow": "main",
        "values": {"zip": "07102"},
    }


def test_a_secret_signs() -> None:
    asked = Asked('{webhook: "https://crm.test/", secret: long enough}')
    (request,) = asked.call.fetched
    assert verify("long enough", request.headers[HEADER], request.body, asked.clock.now()) == ""
