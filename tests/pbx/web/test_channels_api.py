"""Forms, chats, texts and other services' webhooks, as strangers send them and as agents see them."""

import asyncio
import base64
import hashlib
import hmac
import json
from urllib.parse import urlencode

import httpx
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from pbx.config.inbound import Signature
from pbx.signing import verify
from pbx.web.app import create_public_app
from pbx.webserver import serve_web
from tests.support.server import free_port

VISITOR = "a" * 32
FORM = {
    "page": "https://acme.test/contact?x=1",
    "form": "contact",
    "fields": [
        {"name": "name", "value": "Jo"},
        {"name": "phone", "value": "(973) 555-0123", "type": "tel"},
        {"name": "password", "value": "hunter2", "type": "password"},
        {"name": "note", "value": "card 4111111111111111"},
    ],
}


def threads(site, **query):
    return site.get("/api/messages", params=query).json()["threads"]


def post(site, path, body, **options):
    return site.ask("POST", path, role=None, json=body, **options)


# Forms


def test_a_form_is_in_the_inbox_without_its_secrets(site):
    answer = post(site, "/api/forms", FORM)
    assert (answer.status_code, answer.json()) == (202, {"taken": True, "callback": ""})
    (thread,) = threads(site)
    last = thread["last"]
    assert (thread["thread"], thread["open"]) == ("form/+19735550123", 1)
    kept = {"name": "Jo", "phone": "(973) 555-0123", "note": "card [card number left out]"}
    assert last["fields"] == kept
    assert (last["from"], last["to"]) == ("+19735550123", "https://acme.test/contact")
    assert "hunter2" not in str(thread)
    assert "4111" not in str(thread)


def test_a_form_may_be_a_plain_mapping(site):
    assert post(site, "/api/forms", {"fields": {"email": "jo@acme.test"}}).status_code == 202
    assert threads(site)[0]["last"]["from"] == "jo@acme.test"


def test_a_machine_that_fills_in_the_trap_is_thanked_and_dropped(site):
    assert post(site, "/api/forms", {**FORM, "trap": "http://spam"}).status_code == 202
    assert threads(site) == []


def test_an_address_may_send_so_many_forms(site):
    statuses = [post(site, "/api/forms", FORM).status_code for _ in range(12)]
    assert statuses == [202] * 10 + [429] * 2


def test_a_form_of_nothing_but_secrets_is_no_form(site):
    answer = post(site, "/api/forms", {"fields": {"password": "x"}})
    assert (answer.status_code, answer.json()["field"]) == (422, "fields")


def test_a_form_asks_to_be_called_and_the_first_free_agent_is_rung(site):
    calls = []

    async def call_back(agent, to, because, source):
        calls.append((agent, to, because.partition(" (")[0]))
        return "call1"

    site.state.call_back = call_back
    answer = post(site, "/api/forms", {**FORM, "callback": True})
    assert answer.json()["callback"] == "call1"
    because = "a form on https://acme.test/contact asked to be called"
    assert calls == [("alice", "+19735550123", because)]  # bob has no phone
    assert post(site, "/api/forms", {**FORM, "callback": True}).json()["callback"] == ""  # called just now


def test_only_the_websites_own_pages_may(site):
    site.state.config = site.state.config.model_copy(
        update={"web": site.state.config.web.model_copy(update={"sites": ["https://acme.test"]})}
    )
    strange = {"origin": "https://evil.test"}
    own = {"origin": "https://acme.test"}
    assert post(site, "/api/forms", FORM, headers=strange).status_code == 403
    assert post(site, "/api/chats", {"text": "x"}, headers=strange).status_code == 403
    answer = post(site, "/api/forms", FORM, headers=own)
    assert answer.headers["access-control-allow-origin"] == "https://acme.test"


# Chats


def test_a_chat_is_begun_answered_and_read_on(site):
    begun = post(
        site, "/api/chats", {"text": "Hello?", "visitor": VISITOR, "page": "https://acme.test/"}
    ).json()
    chat, (line,) = begun["chat"], begun["lines"]
    assert (line["author"], line["text"]) == ("visitor", "Hello?")
    (thread,) = threads(site, channel="chat", open="true")
    assert (thread["thread"], thread["last"]["visitor"]) == (f"chat/{chat}", VISITOR)
    answer = site.ask("POST", "/api/messages", role="alice", json={"thread": thread["thread"], "text": "Hi!"})
    assert answer.status_code == 202
    assert threads(site, open="true") == []  # who answers has seen to it
    more = post(site, "/api/chats", {"chat": chat, "after": line["id"]}).json()["lines"]
    assert [(each["author"], each["text"]) for each in more] == [("agent", "Hi!")]
    of_visitor = site.get("/api/messages/thread", params={"visitor": VISITOR}).json()["messages"]
    assert [message["text"] for message in of_visitor] == ["Hello?"]


def test_an_agents_line_comes_by_socket(site):
    async def scene():
        port = free_port()
        stop = await serve_web(site.app, "127.0.0.1", port)
        at = f"127.0.0.1:{port}"
        headers = {"authorization": f"Bearer {site.tokens['alice']}"}
        async with httpx.AsyncClient(base_url=f"http://{at}") as http:
            chat = (await http.post("/api/chats", json={"text": "Hello?"})).json()["chat"]
            async with connect(f"ws://{at}/api/chats/socket?chat={chat}") as socket:
                said = {"thread": f"chat/{chat}", "text": "Hi!"}
                await http.post("/api/messages", json=said, headers=headers)
                heard = json.loads(await socket.recv())
            with pytest.raises(InvalidStatus, match="403"):
                await connect(f"ws://{at}/api/chats/socket?chat=x")
        await stop()
        return heard

    assert asyncio.run(asyncio.wait_for(scene(), 30))["text"] == "Hi!"


def test_an_answer_to_a_chat_that_is_not_there(site):
    answer = site.ask("POST", "/api/messages", json={"thread": f"chat/{'0' * 32}", "text": "Hi!"})
    assert (answer.status_code, answer.json()["field"]) == (422, "thread")


# Texts, and other services


def signed(body: bytes, secret: str = "shared") -> dict[str, str]:
    digest = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    return {"x-signature": f"sha256={digest}", "content-type": "application/x-www-form-urlencoded"}


def signed_json(body: bytes) -> dict[str, str]:
    return signed(body) | {"content-type": "application/json"}


def text_in(site, headers=None, **fields):
    body = urlencode(fields).encode()
    return site.ask("POST", "/api/inbound/sms", role=None, content=body, headers=headers or signed(body))


def test_a_signed_text_comes_in_once(site):
    fields = {"From": "(973) 555-0123", "To": "+12125550100", "Body": "Hi", "Sid": "SM1"}
    assert text_in(site, **fields).json() == {"taken": 1, "problems": []}
    assert text_in(site, **fields).json() == {"taken": 0, "problems": []}
    (thread,) = threads(site)
    assert thread["thread"] == "text/sms/+19735550123"
    assert (thread["last"]["text"], thread["last"]["source"]) == ("Hi", "yellow-pages")


@pytest.mark.parametrize("headers", [{}, {"x-signature": "sha256=00"}, signed(b"From=another")])
def test_an_unsigned_text_does_not(site, headers):
    body = {"From": "+19735550123", "Body": "Hi"}
    assert text_in(site, headers=headers or {"content-type": "text/plain"}, **body).status_code == 401
    assert threads(site) == []


def test_a_text_is_answered_on_its_thread(site):
    text_in(site, From="+19735550123", Body="Hi", Sid="SM1")
    answer = site.ask(
        "POST", "/api/messages", role="alice", json={"thread": "text/sms/+19735550123", "text": "Yes?"}
    )
    assert answer.status_code == 202
    found = answer.json()
    assert (found["to"], found["via"], found["agent"], found["state"]) == (
        "+19735550123",
        "sms",
        "alice",
        "queued",
    )


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"to": "nobody", "text": "x"}, "to"),
        ({"to": "+19735550123", "text": "x", "via": "pigeon"}, "via"),
        ({"to": "+19735550123", "text": ""}, "text"),
        ({"thread": "form/x", "text": "x"}, "thread"),
        ({"to": "+19735550123", "text": "x" * 1601}, "text"),
    ],
)
def test_what_is_wrong_with_a_text_is_told(site, body, field):
    answer = site.ask("POST", "/api/messages", json=body)
    assert (answer.status_code, answer.json()["field"]) == (422, field)


def social(site, **fields):
    body = json.dumps(fields).encode()
    headers = signed(body) | {"content-type": "application/json"}
    return site.ask("POST", "/api/inbound/social", role=None, content=body, headers=headers)


def test_a_social_message_is_answered_where_it_came_from(site):
    social(site, who="jo.1", page="acme", says="Open on Sunday?")
    (thread,) = threads(site, channel="social")
    query = {"thread": thread["thread"]}
    assert site.get("/api/messages/thread", params=query).json()["answered_by"] == "reply"
    said = site.ask("POST", "/api/messages", role="alice", json={**query, "text": "Yes."}).json()
    assert (said["channel"], said["from"], said["to"], said["state"]) == ("social", "acme", "jo.1", "queued")
    site.deliver()
    (request,) = site.sent
    assert (request.url, json.loads(request.body)) == (
        "https://social.test/send",
        {"to": "jo.1", "text": "Yes."},
    )
    assert verify("s", request.headers["Dialtrace-Signature"], request.body, site.clock.now()) == ""
    first, second = site.get("/api/messages/thread", params=query).json()["messages"]
    assert (first["handled_by"], second["state"], second["agent"]) == ("alice", "sent", "alice")


def test_a_lead_with_a_number_is_answered_by_text_and_one_without_cannot(site):
    body = {
        "leads": [{"fields": {"name": "Jo", "tel": "973 555 0123", "id": "a"}}, {"fields": {"name": "Al"}}]
    }
    post(site, "/api/inbound/leads", body, headers={"x-token": "word"})
    said = site.ask("POST", "/api/messages", json={"thread": "lead/leads/973 555 0123", "text": "Hi"}).json()
    assert (said["channel"], said["to"]) == ("text", "+19735550123")
    assert threads(site, open="true")[0]["thread"] == "lead/leads/Al"
    refused = site.ask("POST", "/api/messages", json={"thread": "lead/leads/Al", "text": "Hi"})
    assert (refused.status_code, refused.json()["field"]) == (422, "thread")


def test_a_form_is_answered_by_text(site):
    post(site, "/api/forms", FORM)
    said = site.ask("POST", "/api/messages", json={"thread": "form/+19735550123", "text": "Hi"}).json()
    assert (said["channel"], said["thread"]) == ("text", "text/sms/+19735550123")


def test_what_a_mapping_does_not_find_is_told_with_its_place(site):
    answer = text_in(site, Sender="+19735550123", Body="Hi")
    assert answer.json() == {"taken": 0, "problems": ["nothing at From (from)"]}
    answer = post(site, "/api/inbound/leads", {"leads": [{"fields": {"x": 1}}]}, headers={"x-token": "word"})
    assert answer.json()["problems"] == [
        "item 0: nothing at name (name), nothing at tel (phone), nothing at id (id)"
    ]
    answer = post(site, "/api/inbound/leads", {"entries": []}, headers={"x-token": "word"})
    assert answer.json()["problems"] == ["no list stands at leads.fields (items)"]


def test_half_a_letter_in_a_message_is_left_out(site):
    body = b'{"who": "anna", "says": "Hi \\ud83d there"}'
    answer = site.ask("POST", "/api/inbound/social", role=None, content=body, headers=signed_json(body))
    assert answer.json() == {"taken": 1, "problems": []}
    assert threads(site)[0]["last"]["text"] == "Hi ? there"


def test_lists_within_lists_have_an_end(site):
    body = b'{"leads": ' + b"[" * 900 + b"]" * 900 + b"}"
    answer = site.ask("POST", "/api/inbound/leads", role=None, content=body, headers={"x-token": "word"})
    assert answer.status_code in (200, 400)


def test_a_request_without_an_id_counts_once_too(site):
    fields = {"From": "+19735550123", "Body": "Hi"}
    assert [text_in(site, **fields).json()["taken"] for _ in range(2)] == [1, 0]


@pytest.mark.parametrize("public_url", [None, "https://pbx.acme.test"])
@pytest.mark.parametrize("called", ["https://pbx.acme.test", "https://calls.acme.test"])
def test_the_url_that_is_signed_may_be_the_dashboards_or_the_public_listeners(site, public_url, called):
    config = site.state.config
    scheme = Signature(scheme="url-params-sha1", header="X-Url-Signature", encoding="base64", secret="shared")
    receive = config.texts["sms"].receive.model_copy(update={"signature": scheme})
    web = config.web.model_copy(update={"public_url": public_url})
    texts = {"sms": config.texts["sms"].model_copy(update={"receive": receive})}
    site.state.config = config.model_copy(update={"web": web, "texts": texts})
    site.app = create_public_app(site.state)
    fields = {"From": "+19735550123", "Body": "Hi there"}
    told = f"{called}/api/inbound/sms?x=1" + "".join(name + fields[name] for name in sorted(fields))
    given = base64.b64encode(hmac.new(b"shared", told.encode(), hashlib.sha1).digest()).decode()
    headers = {
        "content-type": "application/x-www-form-urlencoded",
        "host": called.removeprefix("https://"),
        "x-url-signature": given,
    }
    body = urlencode(fields).encode()
    answer = site.ask("POST", "/api/inbound/sms?x=1", role=None, content=body, headers=headers)
    assert answer.json() == {"taken": 1, "problems": []}
    headers["x-url-signature"] = given.swapcase()
    answer = site.ask("POST", "/api/inbound/sms?x=1", role=None, content=body, headers=headers)
    assert answer.status_code == 401


def test_leads_come_several_at_a_time(site):
    body = {
        "leads": [{"fields": {"name": "Jo", "tel": "1", "id": "a"}}, {"fields": [{"name": "Al", "id": "b"}]}]
    }
    answer = post(site, "/api/inbound/leads", body, headers={"x-token": "word"})
    assert answer.json() == {"taken": 2, "problems": []}
    assert {thread["last"]["source"] for thread in threads(site, channel="lead")} == {"google-ads"}


def test_a_service_may_ask_whether_this_is_the_right_place(site):
    query = {"hub.verify_token": "really", "hub.challenge": "123"}
    assert site.ask("GET", "/api/inbound/leads", role=None, params=query).text == "123"
    assert site.ask("GET", "/api/inbound/leads", role=None, params={"hub.challenge": "1"}).status_code == 403
    assert post(site, "/api/inbound/nobody", {}).status_code == 404


def test_somebody_has_seen_to_it(site):
    post(site, "/api/forms", FORM)
    change = {"thread": "form/+19735550123", "handled": True}
    answer = site.ask("PATCH", "/api/messages/thread", role="alice", json=change)
    assert [message["handled_by"] for message in answer.json()["messages"]] == ["alice"]
    assert site.get("/api/messages").json()["open"] == 0


def test_strangers_read_nothing(site):
    assert site.ask("GET", "/api/messages", role=None).status_code == 401
    assert site.ask("GET", "/api/messages/thread?thread=x", role=None).status_code == 401


def test_the_chats_script_is_served(site):
    answer = site.ask("GET", "/chat.js", role=None)
    assert (answer.status_code, answer.headers["content-type"].partition(";")[0]) == (200, "text/javascript")
