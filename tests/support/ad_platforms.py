"""The ad platforms, as far as they refuse: GA4, Google Ads and Meta behind one port on loopback.

Each enforces what its documentation says and keeps what it accepted. As the real ones do, GA4 answers 204
to whatever it gets and drops what is wrong; Google Ads answers each row by itself (partial failure); Meta
refuses a request as a whole. :attr:`AdPlatforms.violations` says what was wrong with what was dropped.

``python -m tests.support.ad_platforms 9990`` runs them by hand and prints what they take and refuse: point
each platform's ``url`` there, and ``token_url`` to ``…/token``. The secrets that they know are ``secret``
(GA4), ``developer`` and ``refresh`` (Google Ads), and ``token`` (Meta).
"""

import contextlib
import json
import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

HOST = "127.0.0.1"
DAY_S = 86400
GA_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,39}")
ADS_TIME = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d[+-]\d\d:\d\d")
FBC, FBP = re.compile(r"fb\.1\.\d{13}\.[\w.-]+"), re.compile(r"fb\.1\.\d{13}\.\d+")
HASH = re.compile(r"[0-9a-f]{64}")
PHONE = re.compile(r"\+?\d[\d\s().-]{6,}\d")

Answer = tuple[int, Any, dict[str, str]]


@dataclass
class AdPlatforms:
    """``now`` is the platforms' clock; ``instead`` may answer in place of them (429, 503 …)."""

    now: Callable[[], float] = time.time
    clicks: dict[str, float] = field(default_factory=dict)
    """Google's clicks by id, with their time; one that is not here is as old as it says."""
    accepted: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    violations: list[str] = field(default_factory=list)
    sizes: list[tuple[str, int]] = field(default_factory=list)
    instead: Callable[[str, int], Answer | None] = lambda path, count: None
    largest_body: int = 10_000_000
    port: int = 0
    _server: ThreadingHTTPServer | None = None
    _orders: set[tuple[str, str]] = field(default_factory=set)
    _requests: int = 0
    _arrived: threading.Condition = field(default_factory=threading.Condition)

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.port}"

    def of(self, platform: str) -> list[dict[str, Any]]:
        """What a platform accepted."""
        return [what for name, what in self.accepted if name == platform]

    def until(self, count: int, within_s: float = 60) -> list[tuple[str, dict[str, Any]]]:
        """What was accepted, once it is so much."""
        with self._arrived:
            assert self._arrived.wait_for(lambda: len(self.accepted) >= count, within_s), self.violations
        return self.accepted[:count]

    # Going away and coming back

    def up(self) -> None:
        platforms = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
                status, answer, headers = platforms.answer(self.path, dict(self.headers.items()), body)
                sent = b"" if answer is None else json.dumps(answer).encode()
                self.send_response(status)
                for name, value in {**headers, "Content-Length": str(len(sent))}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(sent)

            def log_message(self, *_: Any) -> None:
                pass

        self._server = ThreadingHTTPServer((HOST, self.port), Handler)
        self._server.daemon_threads = True
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()

    def down(self) -> None:
        assert self._server is not None
        self._server.shutdown()
        self._server.server_close()
        self._server = None

    # Answers

    def answer(self, path: str, headers: dict[str, str], body: bytes) -> Answer:
        self._requests += 1
        if (instead := self.instead(path, self._requests)) is not None:
            return instead
        if len(body) > self.largest_body:
            return 413, None, {}
        where = urlsplit(path)
        if where.path == "/token":
            form = parse_qs(body.decode())
            good = form.get("grant_type") == ["refresh_token"] and form.get("refresh_token") == ["refresh"]
            return (
                (200, {"access_token": "access", "expires_in": 3599}, {})
                if good
                else (400, {"error": "invalid_grant"}, {})
            )
        said = json.loads(body)
        if where.path == "/mp/collect":
            return self._ga4(parse_qs(where.query), said, len(body))
        if where.path.endswith(":uploadClickConversions"):
            return self._google_ads({name.lower(): value for name, value in headers.items()}, said)
        if where.path.endswith("/events"):
            return self._meta(said)
        return 404, None, {}

    def _accept(self, platform: str, what: dict[str, Any]) -> None:
        with self._arrived:
            self.accepted.append((platform, what))
            self._arrived.notify_all()

    def _ga4(self, query: dict[str, list[str]], said: dict[str, Any], size: int) -> Answer:
        events = said.get("events", [])
        self.sizes.append(("ga4", len(events)))
        wrong = []
        if not query.get("measurement_id") or query.get("api_secret") != ["secret"]:
            wrong.append("no account")
        if not re.fullmatch(r"\d+\.\d+", str(said.get("client_id", ""))):
            wrong.append("no client_id")
        if not 1 <= len(events) <= 25:
            wrong.append(f"{len(events)} events in a request")
        if size > 130_000:
            wrong.append(f"a body of {size} bytes")
        for event in events:
            faults = [*wrong, *self._ga4_faults(event)]
            self.violations += faults
            if not faults:
                self._accept("ga4", {"client_id": said["client_id"], **event})
        return 204, None, {}

    def _ga4_faults(self, event: dict[str, Any]) -> Iterator[str]:
        params = event.get("params", {})
        if not GA_NAME.fullmatch(event.get("name", "")):
            yield f"the name {event.get('name')!r}"
        if len(params) > 25:
            yield f"{len(params)} parameters"
        if not 0 <= self.now() - event.get("timestamp_micros", 0) / 1e6 + 60 <= 72 * 3600 + 60:
            yield "older than 72 hours"
        for name, value in params.items():
            if len(name) > 40 or len(str(value)) > 100:
                yield f"the parameter {name} is too long"
            if name != "transaction_id" and isinstance(value, str) and (PHONE.search(value) or "@" in value):
                yield f"personal data in {name}"

    def _google_ads(self, headers: dict[str, str], said: dict[str, Any]) -> Answer:
        rows = said.get("conversions", [])
        self.sizes.append(("google_ads", len(rows)))
        if headers.get("authorization") != "Bearer access" or headers.get("developer-token") != "developer":
            return 401, {"error": {"code": 401, "status": "UNAUTHENTICATED", "message": "who?"}}, {}
        if said.get("partialFailure") is not True:
            return 400, {"error": {"code": 400, "message": "partial_failure must be true"}}, {}
        if len(rows) > 2000:
            fault = {"errorCode": {"conversionUploadError": "TOO_MANY_CONVERSIONS_IN_REQUEST"}}
            return 400, {"error": {"code": 400, "details": [{"errors": [fault]}]}}, {}
        errors, results = [], []
        for index, row in enumerate(rows):
            code = self._ads_fault(row)
            if code:
                self.violations.append(code)
                path: list[dict[str, Any]] = [{"fieldName": "conversions"}, {"fieldName": "gclid"}]
                if index:
                    path[0]["index"] = index
                errors.append(
                    {
                        "errorCode": {"conversionUploadError": code},
                        "message": "No.",
                        "location": {"fieldPathElements": path},
                    }
                )
                results.append({})
            else:
                self._accept("google_ads", row)
                results.append({"conversionAction": row["conversionAction"]})
        answer: dict[str, Any] = {"results": results}
        if errors:
            failure = {"@type": "type.googleapis.com/…GoogleAdsFailure", "errors": errors}
            answer["partialFailureError"] = {"code": 3, "message": "Some failed.", "details": [failure]}
        return 200, answer, {}

    def _ads_fault(self, row: dict[str, Any]) -> str:
        clicks = [name for name in ("gclid", "gbraid", "wbraid") if name in row]
        persons = row.get("userIdentifiers", [])
        if len(clicks) > 1:
            return "VALUE_MUST_BE_UNSET"
        if not clicks and not persons:
            return "UNPARSEABLE_GCLID"
        for person in persons:
            if not all(HASH.fullmatch(value) for value in person.values()):
                return "INVALID_USER_IDENTIFIER"
        if not re.fullmatch(r"customers/\d+/conversionActions/\d+", row.get("conversionAction", "")):
            return "INVALID_CONVERSION_ACTION"
        if not ADS_TIME.fullmatch(row.get("conversionDateTime", "")):
            return "INVALID_CONVERSION_DATE_TIME"
        at_s = datetime.fromisoformat(row["conversionDateTime"]).timestamp()
        if at_s > self.now() + 60:
            return "FUTURE_CONVERSION_DATE_TIME"
        if clicks:
            clicked_s = self.clicks.get(row[clicks[0]], at_s - 60)
            if clicked_s > at_s:
                return "CONVERSION_PRECEDES_EVENT"
            if self.now() - clicked_s > 90 * DAY_S:
                return "EXPIRED_EVENT"
            if clicked_s == 0:
                return "CLICK_NOT_FOUND"
        order = (row["conversionAction"], row.get("orderId", ""))
        if order in self._orders:
            return "ORDER_ID_ALREADY_IN_USE"
        self._orders.add(order)
        return ""

    def _meta(self, said: dict[str, Any]) -> Answer:
        events = said.get("data", [])
        self.sizes.append(("meta", len(events)))
        if said.get("access_token") != "token":
            return 401, {"error": {"code": 190, "type": "OAuthException", "message": "expired"}}, {}
        faults = [fault for event in events if (fault := self._meta_fault(event))]
        if len(events) > 1000:
            faults.append("more than 1,000 events")
        if faults:
            self.violations += faults
            return (
                400,
                {"error": {"code": 100, "message": "Invalid parameter", "error_user_msg": faults[0]}},
                {},
            )
        for event in events:
            key = (event["event_name"], event["event_id"])
            if key not in self._orders:
                self._orders.add(key)
                self._accept("meta", event)
        return 200, {"events_received": len(events), "messages": [], "fbtrace_id": "x"}, {}

    def _meta_fault(self, event: dict[str, Any]) -> str:
        person = event.get("user_data", {})
        if not event.get("event_name") or not event.get("event_id"):
            return "no event_name or event_id"
        if not 0 <= self.now() + 60 - event.get("event_time", 0) <= 7 * DAY_S + 60:
            return "event_time is more than 7 days ago"
        if event.get("action_source") not in (
            "phone_call", "website", "chat", "other", "system_generated", "email", "physical_store",
        ):  # fmt: skip
            return "no action_source"
        if event["action_source"] == "website" and not (
            event.get("event_source_url") and person.get("client_user_agent")
        ):
            return "a website event without its page or browser"
        if not set(person) - {"client_user_agent"}:
            return "nothing in user_data"
        if "fbc" in person and not FBC.fullmatch(person["fbc"]):
            return "fbc is not written so"
        if "fbp" in person and not FBP.fullmatch(person["fbp"]):
            return "fbp is not written so"
        if any(not HASH.fullmatch(value) for name in ("ph", "em") for value in person.get(name, [])):
            return "personal data that is not hashed"
        value = event.get("custom_data", {})
        if "value" in value and not re.fullmatch(r"[A-Z]{3}", value.get("currency", "")):
            return "a value without its currency"
        return ""


@contextmanager
def ad_platforms(**more: Any) -> Iterator[AdPlatforms]:
    """They listen inside the block."""
    made = AdPlatforms(**more)
    made.up()
    try:
        yield made
    finally:
        with contextlib.suppress(AssertionError):
            made.down()


if __name__ == "__main__":
    import sys

    by_hand = AdPlatforms(port=int(sys.argv[1]) if len(sys.argv) > 1 else 0)
    by_hand.up()
    print(f"GA4, Google Ads and Meta at {by_hand.url}", flush=True)
    shown, refused = 0, 0
    while True:
        time.sleep(0.2)
        for name, what in by_hand.accepted[shown:]:
            print(f"{name} took {json.dumps(what, ensure_ascii=False)}", flush=True)
        for fault in by_hand.violations[refused:]:
            print(f"refused: {fault}", flush=True)
        shown, refused = len(by_hand.accepted), len(by_hand.violations)
