"""Chat and forms of a website in a real browser, with an agent at the dashboard, on a real server."""

import re
import threading
from http.server import ThreadingHTTPServer

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.e2e.conftest import sign_in
from tests.e2e.website import Pages
from tests.support.server import Server, eventually, server

pytestmark = pytest.mark.browser

FLOWS = {"wait": "name: Wait\nstart: wait\nsteps:\n  wait: {wait: 60s}\n"}
MORE = """
pools:
  website: {numbers: ["+12125550110"], targets: ["+12125550199"], flow: wait}
channels: {chat: true, capture: true, missed_after: MISSED, away: "Nobody is here. Leave your number."}
"""
OPEN_ROOTS = (
    "const attach = Element.prototype.attachShadow;"
    "Element.prototype.attachShadow = function (o) { return attach.call(this, {...o, mode: 'open'}); };"
)
"""The chat keeps its shadow root closed; this lets the test look in."""


class Site:
    """The server, and pages of a website that carry its tracking code."""

    def __init__(self, server: Server, pages: dict[str, str], port: int) -> None:
        self.server = server
        self.pages = pages
        self.url = f"http://127.0.0.1:{port}/"

    def write(self, body: str) -> None:
        script = f'<script src="http://127.0.0.1:{self.server.web}/t.js"></script>'
        self.pages["/"] = f"<!doctype html><meta charset=utf-8><title>Acme</title>{script}<body>{body}"

    def messages(self, channel: str) -> list[dict]:
        threads = self.server.get(f"/api/messages?channel={channel}")["threads"]
        return [thread["last"] for thread in threads]


@pytest.fixture
def missed_after() -> str:
    return "10m"


@pytest.fixture
def site(tmp_path, missed_after):
    handler = type("Handler", (Pages,), {"pages": {"/thanks": "<p>Thank you</p>"}})
    pages = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=pages.serve_forever)
    thread.start()
    try:
        with server(tmp_path, FLOWS) as running:
            running.config.write_text(running.config.read_text() + MORE.replace("MISSED", missed_after))
            running.pbx("reload")
            eventually("the reload", lambda: "2125550199" in running.read("/t.js").decode())
            yield Site(running, handler.pages, pages.server_port)
    finally:
        pages.shutdown()
        pages.server_close()
        thread.join()


@pytest.fixture
def visitor(browser: Browser, site: Site):
    context = browser.new_context()
    context.add_init_script(OPEN_ROOTS)
    context.set_default_timeout(60_000)
    page = context.new_page()
    page.complaints = []
    page.on("pageerror", lambda error: page.complaints.append(str(error)))
    yield page
    assert page.complaints == []
    context.close()


@pytest.fixture
def agent(browser: Browser, site: Site):
    """Somebody at the dashboard's inbox."""
    password = site.server.pbx("user", "add", "maria", "--role", "manager").stdout.strip()
    context = browser.new_context(base_url=f"http://127.0.0.1:{site.server.web}")
    context.set_default_timeout(60_000)
    page = context.new_page()
    sign_in(page, "maria", password)
    page.wait_for_url("/")
    page.goto("/inbox")
    page.wait_for_selector("#link-state[data-state=open]")
    yield page
    context.close()


def begin_chat(visitor: Page, site: Site, text: str) -> None:
    visitor.goto(site.url)
    visitor.get_by_role("button", name="Chat").click()
    visitor.get_by_label("Your message").fill(text)
    visitor.keyboard.press("Enter")
    expect(visitor.locator("li.visitor")).to_have_text(text)


def test_a_chat_both_ways(site: Site, visitor: Page, agent: Page) -> None:
    site.write("<p>212-555-0199</p>")
    begin_chat(visitor, site, "Hello <img src=x onerror=alert(1)>")
    agent.get_by_text("Hello <img").first.click()  # came up by itself
    agent.get_by_label("Your answer").fill("Good day! <b>How</b> can I help?")
    agent.get_by_role("button", name="Send").click()
    answers = visitor.locator("li.agent")
    expect(answers.last).to_have_text("Good day! <b>How</b> can I help?")
    visitor.get_by_label("Your message").fill("Are you open?")
    visitor.get_by_role("button", name="Send").click()
    expect(agent.locator("#lines li").last).to_contain_text("Are you open?")
    visitor.reload()
    visitor.get_by_role("button", name="Chat").click()
    expect(visitor.locator("li.visitor")).to_have_text(
        ["Hello <img src=x onerror=alert(1)>", "Are you open?"]
    )
    expect(visitor.locator("li.agent").last).to_have_text("Good day! <b>How</b> can I help?")
    (last,) = site.messages("chat")
    assert last["visitor"]
    agent.get_by_role("link", name="This visitor's history").click()
    expect(agent.locator("#history li")).to_have_count(5)  # two page views, three lines


@pytest.mark.parametrize(
    "blocked",
    ["window.WebSocket = function () { throw new Error('blocked'); };", "window.WebSocket = class {};"],
)
def test_a_chat_goes_on_where_sockets_are_blocked_or_never_open(site: Site, visitor: Page, blocked) -> None:
    visitor.add_init_script(blocked)
    site.write("<p>212-555-0199</p>")
    begin_chat(visitor, site, "Hello?")
    (line,) = eventually("the line", lambda: site.messages("chat"))
    site.server.post("/api/messages", {"thread": line["thread"], "text": "Good day!"})
    expect(visitor.locator("li.agent").last).to_have_text("Good day!")
    expect(visitor.get_by_role("alert")).to_be_hidden()


@pytest.mark.parametrize("missed_after", ["1s"])
def test_a_chat_that_nobody_answers_is_a_message(site: Site, visitor: Page, agent: Page) -> None:
    site.write("<p>212-555-0199</p>")
    begin_chat(visitor, site, "Hello?")
    expect(agent.locator("#threads")).to_contain_text("Missed chat")
    expect(visitor.locator("li.agent").last).to_have_text("Nobody is here. Leave your number.")
    visitor.get_by_label("Your message").fill("Please call 973 555 0123, card 4111 1111 1111 1111")
    visitor.keyboard.press("Enter")
    expect(visitor.locator("li.visitor").last).to_contain_text("card number left out")
    eventually("the number", lambda: site.messages("chat")[0]["fields"].get("phone") == "+19735550123")


FORM = """
<form id=quote name=quote action=/thanks {attributes}>
  <input name=full_name value=Jo><input name=email type=email value=jo@acme.test>
  <input name=phone type=tel value="(973) 555-0123"><textarea name=message>Burst pipe. 5555 5555 5555 4444</textarea>
  <select name=rooms multiple><option selected>bath<option selected>cellar<option>roof</select>
  <label><input type=checkbox name=urgent value=yes checked>Urgent</label><input type=radio name=when value=now>
  <input name=user_pw type=password value=hunter2><input name=field_7 placeholder="Card number" value=4000>
  <label>CVV <input name=field_8 value=123></label><input name=f9 autocomplete=cc-exp value=12/29>
  <input name=cardNumber value=1><input type=hidden name=csrf value=abc><input name=honeypot value="{trap}">
  <button>Send</button>
</form>{script}
"""
KEPT = {
    "full_name": "Jo",
    "email": "jo@acme.test",
    "phone": "(973) 555-0123",
    "message": "Burst pipe. [card number left out]",
    "rooms": "bath, cellar",
    "urgent": "yes",
}
BY_SCRIPT = """<script>
  document.forms[0].addEventListener('submit', (event) => { event.preventDefault(); event.stopImmediatePropagation();
    fetch('/thanks').then(() => document.body.append('Sent')); });
</script>"""
BY_CALL = "<button id=other onclick='document.forms[0].submit()'>Other</button>"


def loaded(page: Page) -> None:
    page.wait_for_function(
        "performance.getEntriesByType('resource').some((e) => e.name.endsWith('/chat.js'))"
    )
    page.get_by_role("button", name="Chat").wait_for()


@pytest.mark.parametrize(
    ("script", "button", "then"),
    [("", "Send", "Thank you"), (BY_SCRIPT, "Send", "Sent"), (BY_CALL, "Other", "Thank you")],
)
def test_any_form_is_in_the_inbox_without_its_secrets(site, visitor, script, button, then) -> None:
    site.write(FORM.format(attributes="", trap="", script=script))
    visitor.goto(site.url)
    loaded(visitor)
    with visitor.expect_request("**/api/forms") as sent:
        visitor.get_by_role("button", name=button).click()
    assert not re.search(r'hunter2|user_pw|field_|"f9"|cardNumber|csrf|5555 5555', sent.value.post_data)
    expect(visitor.get_by_text(then)).to_be_visible()
    (last,) = eventually("the form", lambda: site.messages("form"))
    assert (last["fields"], last["via"], last["from"]) == (KEPT, "quote", "+19735550123")
    assert last["visitor"]


LEFT_ALONE = """
<form id=login><input name=user value=jo><input type=password name=pw value=x><button>Log in</button></form>
<form id=search role=search><input name=q value=pipes><button>Search</button></form>
<form id=private data-dialtrace=off><input name=name value=Jo><button>Keep</button></form>
<script>addEventListener('submit', (event) => event.preventDefault())</script>
"""


def test_forms_that_are_none_of_ours(site: Site, visitor: Page) -> None:
    site.write(FORM.format(attributes="onsubmit='return false'", trap="http://spam", script="") + LEFT_ALONE)
    visitor.goto(site.url)
    loaded(visitor)
    asked: list[str] = []
    visitor.on("request", lambda request: asked.append(request.url) if "/api/forms" in request.url else None)
    for name in ("Log in", "Search", "Keep"):
        visitor.get_by_role("button", name=name).click()
    assert asked == []
    with visitor.expect_response("**/api/forms") as answer:
        visitor.get_by_role("button", name="Send").click()
    assert answer.value.status == 202, "a machine is to think that it was heard"
    assert site.messages("form") == []
