"""A visitor calls by real SIP; a webhook and the ad platforms hear of it, over an outage and kill -9."""

import json
import signal
from collections import Counter
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest

from pbx.signing import HEADER, verify
from tests.support.ad_platforms import ad_platforms
from tests.support.phones import sipp_calls
from tests.support.server import eventually, free_port, server

pytestmark = pytest.mark.peers

FLOWS = {"wait": "name: Wait\nstart: wait\nsteps:\n  wait: {wait: 60s}\n"}
TARGET = "+12125550199"
MORE = """
pools:
  website:
    numbers: ["+12125550110", "+12125550111"]
    targets: ["+1 (212) 555-0199"]
    flow: wait
webhooks:
  crm: {{url: "http://127.0.0.1:{crm}/hook", secret: shared, events: ["call.*", "leg.*"]}}
conversions:
  certainty: 0.5
  events:
    called: {{value: 10}}
    sale: {{outcome: [sale], value: {{sale: 250}}}}
  ga4: {{measurement_id: G-ABC123, api_secret: secret, send: {{called: called}}, url: "{url}"}}
  google_ads:
    customer_id: 123-456-7890
    developer_token: developer
    client_id: client
    client_secret: secret
    refresh_token: refresh
    send: {{called: "111", sale: "222"}}
    url: "{url}"
    token_url: "{url}/token"
"""


class Crm:
    """A receiver of webhooks; before :meth:`up` nobody listens."""

    def __init__(self) -> None:
        self.port = free_port()
        self.got: list[tuple[dict[str, str], bytes]] = []

    def up(self) -> None:
        crm = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                crm.got.append((dict(self.headers.items()), body))
                self.send_response(204)
                self.end_headers()

            def log_message(self, *_) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", self.port), Handler)
        Thread(target=self._server.serve_forever, daemon=True).start()

    def down(self) -> None:
        self._server.shutdown()
        self._server.server_close()


def test_a_call_is_told_in_order_and_converts_once(tmp_path) -> None:
    crm = Crm()
    with ad_platforms() as platforms, server(tmp_path, FLOWS) as site:
        site.stop()
        text = site.config.read_text()
        ads = "sources:\n  google-ads: {name: Google Ads, match: {click_id: google}}\n"
        more = MORE.format(crm=crm.port, url=platforms.url)
        site.config.write_text(text.replace("sources:\n", ads) + more)
        site.start()
        platforms.down()
        shown = site.post(
            "/api/dni",
            {
                "visitor": None,
                "consent": True,
                "page": "https://www.acme.example/offer?gclid=Cj0",
                "referrer": "",
                "targets": [TARGET],
            },
        )
        sipp_calls(site, "hangs_up", 0, service=shown["swaps"][TARGET])
        call = site.ended_call()
        eventually("what waits", lambda: "waiting  0" not in site.pbx("outbox").stdout)
        site.stop(signal.SIGKILL)
        crm.up()
        platforms.up()
        site.start()
        platforms.until(2)
        site.patch(f"/api/calls/{call['id']}", {"outcome": "sale"})
        site.patch(f"/api/calls/{call['id']}", {"note": "sold"})
        platforms.until(3)
        site.patch(f"/api/calls/{call['id']}", {"score": 5})
        eventually("the last change", lambda: any(b'"score"' in body for _, body in crm.got))
        eventually("an empty outbox", lambda: "waiting  0" in site.pbx("outbox").stdout)

        orders = [(row["conversionAction"][-3:], row["orderId"]) for row in platforms.of("google_ads")]
        assert orders == [("111", call["id"]), ("222", call["id"])]
        assert [row["gclid"] for row in platforms.of("google_ads")] == ["Cj0", "Cj0"]
        assert [event["params"]["transaction_id"] for event in platforms.of("ga4")] == [call["id"]]
        assert platforms.violations == []

        told = [json.loads(body) for _, body in crm.got]
        mine = [event["id"] for event in told if event["call_id"] == call["id"]]
        assert mine == sorted(mine)
        assert set(Counter(mine).values()) == {1}
        kinds = [event["kind"] for event in told if event["call_id"] == call["id"]]
        assert kinds[0] == "call.started"
        assert kinds.index("call.ended") < kinds.index("call.edited")
        for headers, body in crm.got:
            assert verify("shared", headers[HEADER], body, datetime.now(UTC)) == ""
        crm.down()
