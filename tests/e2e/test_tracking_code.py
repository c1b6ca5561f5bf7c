"""The tracking code in a real browser, on pages as people write them."""

import json
import re
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, Route, expect

from tests.e2e.website import Website, website

REACT = Path(__file__).resolve().parents[1] / "data" / "react"
SWAPPED = re.compile(r"\(212\) 555-011\d")
STATIC = "(212) 555-0101"

pytestmark = pytest.mark.browser


@pytest.fixture
def site(tmp_path):
    with website(tmp_path) as made:
        yield made


@pytest.fixture
def context(browser: Browser):
    context = browser.new_context()
    context.set_default_timeout(60_000)
    yield context
    context.close()


@pytest.fixture
def page(context):
    return new_page(context)


def new_page(context) -> Page:
    page = context.new_page()
    page.complaints = []
    page.on("pageerror", lambda error: page.complaints.append(str(error)))
    page.on("console", lambda message: heard(page, message.type, message.text))
    return page


def heard(page: Page, kind: str, text: str) -> None:
    if kind == "error" and not text.startswith("Failed to load resource"):  # no favicon here
        page.complaints.append(text)


def number_of(site: Website, page: Page) -> str:
    """The number lent to this page's visitor, as ten digits."""
    # The first answer may be to a page that had not come as far as its numbers.
    page.wait_for_function("localStorage.pbx_v && '+12125550199' in JSON.parse(localStorage.pbx_v).swaps")
    swaps = json.loads(page.evaluate("localStorage.pbx_v"))["swaps"]
    return swaps["+12125550199"].removeprefix("+1")


def test_every_way_to_write_the_number_is_kept(site, page):
    forms = [
        "+1 (212) 555-0199", "(212) 555-0199", "212-555-0199", "212.555.0199", "212 555 0199", "2125550199",
        "1-212-555-0199", "+12125550199", "+1.212.555.0199", "212/555/0199", "(212)\u00a0555\u20110199",
        "011 1 212 555 0199", "Call 212-555-0199 24/7!", "Tel.:212-555-0199, fax 212-555-0142",
    ]  # fmt: skip
    strangers = ["+44 212 555 0199", "9212555-0199", "212-555-01990", "212-555-0142", "2025550199"]
    site.write("".join(f"<p>{form}</p>" for form in [*forms, *strangers]))
    page.goto(site.url())
    number = number_of(site, page)
    expect(page.locator("p").first).to_have_text(f"+1 ({number[:3]}) {number[3:6]}-{number[6:]}")
    shown = [each.text_content() for each in page.locator("p").all()]
    assert [re.sub(r"0199(?!0)", number[6:], form) for form in forms] + strangers == shown
    assert page.complaints == []


def test_numbers_of_another_country_and_another_length(site, page):
    forms = ["+49 30 1234567", "+49 (0)30 1234567", "030 123 45 67", "030/1234567", "0049 30 1234567"]
    site.write("".join(f"<p>{form}</p>" for form in forms))
    page.goto(site.url())
    expect(page.locator("p").first).to_have_text("+49 30 98765432")
    assert [each.text_content() for each in page.locator("p").all()] == [
        "+49 30 98765432", "+49 (0)30 98765432", "030 987 65 432", "030/98765432", "0049 30 98765432"
    ]  # fmt: skip


def test_a_number_split_across_elements(site, page):
    site.write(
        "<h1 id=a><span>(212)</span> <b>555</b>-<i>01</i><i>99</i></h1><div id=b>212-<wbr>555-0199</div>"
        "<p id=c>212</p><p id=d>555-0199</p><div id=e><svg><text><tspan>(212) 555</tspan><tspan>-0199</tspan></text></svg></div>"
    )
    page.goto(site.url())
    expect(page.locator("#a")).to_have_text(SWAPPED)
    assert page.locator("#a").inner_html().count("<") == 8
    assert re.fullmatch(r"212-555-011\d", page.locator("#b").text_content())
    assert (page.locator("#c").text_content(), page.locator("#d").text_content()) == ("212", "555-0199")
    assert SWAPPED.fullmatch(page.locator("#e").text_content())


def test_links_and_attributes(site, page):
    site.write(
        '<a id=t href="tel:+1-212-555-0199">Call</a><a id=s href="sms:2125550199?body=hi">Text</a>'
        '<a id=w href="/page/2125550199">Not a call</a>'
        '<img id=i alt="Call (212) 555-0199" title="212.555.0199"><b id=d data-phone="+12125550199" data-x=y aria-label="Phone 212 555 0199"></b>'
        '<img id=p src="/img/phone.png" width=200 height=40>'
    )
    page.goto(site.url())
    number = number_of(site, page)
    last = number[6:]
    expect(page.locator("#t")).to_have_attribute("href", f"tel:+1-212-555-{last}")
    assert page.get_attribute("#s", "href") == f"sms:{number}?body=hi"
    assert page.get_attribute("#w", "href") == "/page/2125550199"
    assert page.get_attribute("#i", "alt") == f"Call (212) 555-{last}"
    assert page.get_attribute("#i", "title") == f"212.555.{last}"
    assert page.get_attribute("#d", "data-phone") == f"+1{number}"
    assert page.get_attribute("#d", "aria-label") == f"Phone 212 555 {last}"
    drawn = page.get_attribute("#p", "src")
    assert drawn.startswith("data:image/svg+xml,")
    assert last in drawn
    page.wait_for_function("document.getElementById('p').naturalWidth == 200")


def test_what_is_never_touched(site, page):
    site.write(
        '<script type="application/ld+json" id=ld>{"telephone": "+12125550199"}</script>'
        '<script id=js>window.number = "212-555-0199"</script><style id=css>/* 212-555-0199 */</style>'
        '<input id=in value="212-555-0199" placeholder="212-555-0199" title="212-555-0199">'
        "<textarea id=ta>212-555-0199</textarea><select><option id=op>212-555-0199</select>"
        "<div id=ce contenteditable>212-555-0199 <b>212-555-0199</b></div>"
        "<div id=ig data-pbx-ignore><p>212-555-0199</p></div><template id=tp>212-555-0199</template><p id=x>212-555-0199</p>"
    )
    page.goto(site.url())
    before = site.pages["/"]
    expect(page.locator("#x")).to_have_text(re.compile("212-555-011"))
    for each in ("ld", "js", "css", "ta", "op", "ce", "ig", "tp"):
        assert page.locator(f"#{each}").inner_html() in before
        assert "0199" in page.locator(f"#{each}").inner_html()
    page.evaluate("document.querySelector('#ce b').append(' 212-555-0199')")
    page.evaluate("document.querySelector('#ig p').append(' 212-555-0199')")
    settled(page)
    assert "011" not in page.locator("#ce").inner_html() + page.locator("#ig").inner_html()
    assert page.input_value("#in") == "212-555-0199"
    assert page.get_attribute("#in", "placeholder") == page.get_attribute("#in", "title") == "212-555-0199"


def settled(page: Page) -> None:
    """Two frames later: whatever a mutation brings has been done."""
    page.evaluate("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")


def test_late_content_and_texts_that_change(site, page):
    site.write("<div id=a>Loading</div><p id=b>212-555-0199</p>")
    page.goto(site.url())
    expect(page.locator("#b")).to_have_text(re.compile("212-555-011"))
    seen = page.evaluate(
        """async () => {
          document.getElementById('a').innerHTML = '<p>Call <b>(212)</b> 555-0199</p><a href="tel:2125550199">x</a>';
          await new Promise(requestAnimationFrame);
          return document.getElementById('a').innerHTML;
        }"""
    )
    assert "0199" not in seen, "swapped before the next frame"
    page.evaluate("document.querySelector('#b').firstChild.data = 'now 212.555.0199'")
    expect(page.locator("#b")).to_have_text(re.compile(r"now 212\.555\.011"))
    page.evaluate("document.querySelector('#a a').href = 'tel:+12125550199'")
    expect(page.locator("#a a")).to_have_attribute("href", re.compile(r"tel:\+1212555011"))


def test_a_target_that_comes_late_gets_its_number(site, page):
    site.write("<div id=a>Nothing yet</div>")
    page.goto(site.url("/?gclid=1"))
    page.wait_for_function("localStorage.pbx_v")
    assert site.viewed()[0].shown == ""
    page.evaluate("document.getElementById('a').textContent = '(212) 555-0199'")
    expect(page.locator("#a")).to_have_text(SWAPPED)
    assert len(site.viewed()) == 1


def test_a_single_page_application(site, page):
    site.write("<p id=b>212-555-0199</p>")
    page.goto(site.url("/?gclid=7"))
    expect(page.locator("#b")).to_have_text(re.compile("212-555-011"))
    with page.expect_response("**/api/dni"):
        page.evaluate("history.pushState({}, '', '/offers?x=1')")
    with page.expect_response("**/api/dni"):
        page.evaluate(
            "history.replaceState({}, '', '/contact'); document.querySelector('#b').textContent = '(212) 555-0199'"
        )
    expect(page.locator("#b")).to_have_text(SWAPPED)
    with page.expect_response("**/api/dni"):
        page.go_back()
    views = site.viewed()
    assert [view.page.rpartition(f":{site.port}")[2] for view in views] == ["/", "/offers", "/contact", "/"]
    assert [view.referrer.rpartition(f":{site.port}")[2] for view in views] == [
        "",
        "/",
        "/offers",
        "/contact",
    ]
    assert [view.arrival is not None for view in views] == [True, False, False, False]
    assert len({view.visitor for view in views}) == 1
    page.evaluate("history.pushState({}, '', '#top')")
    settled(page)
    assert len(site.viewed()) == 4


HYDRATED = """
<div id=root>{rendered}</div>
<script src="/react.js"></script><script src="/react-dom.js"></script>
<script>
const e = React.createElement;
function App() {{
  const [count, setCount] = React.useState(0);
  return e('main', null,
    e('h1', {{title: '212-555-0199'}}, 'Call (212) 555-0199'),
    e('p', {{id: 'mixed'}}, 'Line ', count, ': ', '212-555-0199'),
    e('a', {{href: 'tel:+12125550199'}}, '+1 212 555 0199'),
    e('button', {{onClick: () => setCount(count + 1)}}, 'more'),
    count % 2 ? e('p', {{id: 'late'}}, 'or 212.555.0199') : null);
}}
window.problems = [];
setTimeout(() => {{
  ReactDOM.hydrateRoot(document.getElementById('root'), e(App), {{onRecoverableError: (x) => problems.push(String(x))}});
}}, {delay});
</script>
"""
RENDERED = (
    '<main><h1 title="212-555-0199">Call (212) 555-0199</h1><p id="mixed">Line <!-- -->0<!-- -->: <!-- -->212-555-0199</p>'
    '<a href="tel:+12125550199">+1 212 555 0199</a><button>more</button></main>'
)


@pytest.mark.parametrize("delay", [0, 600])
def test_react_hydrates_undisturbed(site, page, delay):
    site.pages["/react.js"] = (REACT / "react.production.min.js").read_text()
    site.pages["/react-dom.js"] = (REACT / "react-dom.production.min.js").read_text()
    site.write("<p id=plain>(212) 555-0199</p>" + HYDRATED.format(rendered=RENDERED, delay=delay))
    for _ in range(2):  # the second time the numbers are known from the start
        page.goto(site.url())
        expect(page.locator("#plain")).to_have_text(SWAPPED)
        expect(page.locator("h1")).to_have_text(re.compile(r"Call \(212\) 555-011"))
        expect(page.locator("h1")).to_have_attribute("title", re.compile("212-555-011"))
        expect(page.locator("#mixed")).to_have_text(re.compile("Line 0: 212-555-011"))
        expect(page.locator("a")).to_have_attribute("href", re.compile(r"tel:\+1212555011"))
        for count in range(1, 5):
            page.get_by_text("more").click()
            expect(page.locator("#mixed")).to_have_text(re.compile(f"Line {count}: 212-555-011"))
            if count % 2:
                expect(page.locator("#late")).to_have_text(re.compile(r"or 212\.555\.011"))
        assert page.evaluate("problems") == []
    assert page.complaints == []


SUSPENDED = """
<div id=root><main><h1>Call (212) 555-0199</h1><!--$--><section id="part"><p>212-555-0199</p></section><!--/$--></main></div>
<script src="/react.js"></script><script src="/react-dom.js"></script>
<script>
const e = React.createElement;
window.problems = [];
const Part = React.lazy(() => new Promise((done) => { window.come = () => done({default: () =>
  e('section', {id: 'part'}, e('p', {onClick: () => { window.clicked = true; }}, '212-555-0199'))}); }));
ReactDOM.hydrateRoot(document.getElementById('root'),
  e('main', null, e('h1', null, 'Call (212) 555-0199'), e(React.Suspense, {fallback: 'wait'}, e(Part))),
  {onRecoverableError: (x) => problems.push(String(x))});
addEventListener('load', () => setTimeout(() => come(), 300));
</script>
"""


def test_a_part_that_react_comes_to_later_is_left_to_it_until_then(site, page):
    site.pages["/react.js"] = (REACT / "react.production.min.js").read_text()
    site.pages["/react-dom.js"] = (REACT / "react-dom.production.min.js").read_text()
    site.write("<p id=plain>(212) 555-0199</p>" + SUSPENDED)
    for _ in range(2):  # the second time the numbers are known from the start
        page.goto(site.url())
        expect(page.locator("h1")).to_have_text(re.compile(r"Call \(212\) 555-011"))
        expect(page.locator("#part p")).to_have_text(re.compile("212-555-011"))
        page.locator("#part p").click()
        assert page.evaluate("[problems, window.clicked]") == [[], True]
    assert page.complaints == []


def test_numbers_written_with_letters(site, page):
    site.write(
        "<p>212-555-01AB</p><p>1-212-JKL-0199</p><p>1 (212) JJJ-0199</p><a href='tel:1212KKK0199'>x</a>"
    )
    page.goto(site.url())
    expect(page.locator("p").nth(1)).to_have_text(re.compile(r"1-212-555-011\d"))
    assert page.locator("p").first.text_content() == "212-555-01AB"
    assert re.fullmatch(r"1 \(212\) 555-011\d", page.locator("p").nth(2).text_content())
    assert re.fullmatch(r"tel:1212555011\d", page.get_attribute("a", "href"))


def test_attributes_that_change_later(site, page):
    site.write("<b id=d data-phone=x>Call</b><p id=b>212-555-0199</p>")
    page.goto(site.url())
    expect(page.locator("#b")).to_have_text(re.compile("212-555-011"))
    page.evaluate("d.dataset.phone = '+12125550199'; d.ariaLabel = 'Call 212 555 0199'; d.className = 'x'")
    expect(page.locator("#d")).to_have_attribute("data-phone", re.compile(r"\+1212555011"))
    expect(page.locator("#d")).to_have_attribute("aria-label", re.compile("212 555 011"))


def test_a_root_that_nothing_takes_over_is_swapped_in_the_end(site, page):
    site.write("<div id=app><p id=b>212-555-0199</p></div>")
    page.goto(site.url())
    expect(page.locator("#b")).to_have_text(re.compile("212-555-011"))


WATCH = """<script>
  window.frames_ = [];
  requestAnimationFrame(function look() {
    const p = document.getElementById('b');
    if (p) frames_.push(p.textContent);
    if (frames_.length < 5) requestAnimationFrame(look);
  });
</script>"""


def test_no_flash_on_the_next_page(site, page):
    site.write("<p id=b>212-555-0199</p>", head=WATCH)
    page.goto(site.url("/?gclid=1"))
    expect(page.locator("#b")).to_have_text(re.compile("212-555-011"))
    page.route("**/api/dni", lambda route: None)  # an answer that never comes
    page.goto(site.url("/"))
    page.wait_for_function("frames_.length == 5")
    assert all("0199" not in text for text in page.evaluate("frames_"))


def test_with_the_server_down_everything_stays(site, page):
    site.write("<p id=b>212-555-0199</p>")
    page.goto(site.url("/?gclid=1"))
    expect(page.locator("#b")).to_have_text(re.compile("212-555-011"))
    shown = page.locator("#b").text_content()
    page.route("**/api/dni", lambda route: route.abort())
    page.goto(site.url("/"))
    expect(page.locator("#b")).to_have_text(shown)
    page.evaluate("localStorage.pbx_v = JSON.stringify({until: 1, swaps: {'+12125550199': '+12125550110'}})")
    page.goto(site.url("/"))
    settled(page)
    assert page.locator("#b").text_content() == "212-555-0199", "a lease that is over is not shown"


@pytest.mark.parametrize("status", [403, 422, 503])
def test_a_server_that_refuses_leaves_this_page_and_the_next_as_they_were(site, page, status):
    site.write("<p id=b>(212) 555-0199</p>")

    def refuse(route):
        origin = {"Access-Control-Allow-Origin": site.url(""), "Access-Control-Allow-Credentials": "true"}
        route.fulfill(status=status, body='{"title": "No"}', headers=origin)

    page.route("**/api/dni", refuse)
    with page.expect_request_finished(lambda request: request.url.endswith("/api/dni")):
        page.goto(site.url())
    page.evaluate("b.append(' or +1 212 555 0199')")
    expect(page.locator("#b")).to_have_text("(212) 555-0199 or +1 212 555 0199")
    page.unroute("**/api/dni")
    page.reload()
    expect(page.locator("#b")).to_have_text(SWAPPED)
    assert page.complaints == []


def test_the_script_itself_comes_from_the_cache(site, page):
    site.write("<p id=b>212-555-0199</p>")
    page.goto(site.url())
    expect(page.locator("#b")).to_have_text(re.compile("212-555-011"))
    page.goto(site.url("/"))
    entry = page.evaluate(
        "performance.getEntriesByType('resource').find(e => e.name.endsWith('t.js')).transferSize"
    )
    assert entry == 0


def test_without_consent_nothing_is_stored(site, page, context):
    site.write("<p id=b>(212) 555-0199</p>", tag='data-consent="no"')
    page.goto(site.url("/?gclid=1"))
    expect(page.locator("#b")).to_have_text(STATIC)
    assert context.cookies() == []
    assert page.evaluate("localStorage.length") == 0
    assert site.recorded == []


def test_consent_given_and_taken_back_later(site, page, context):
    site.write("<p id=b>(212) 555-0199</p>", tag='data-consent="no"')
    page.goto(site.url("/?gclid=1"))
    expect(page.locator("#b")).to_have_text(STATIC)
    page.evaluate("dialtrace.consent(true)")
    expect(page.locator("#b")).to_have_text(SWAPPED)
    page.wait_for_function("document.cookie")
    assert [cookie["name"] for cookie in context.cookies()] == ["pbx_v"]
    page.evaluate("dialtrace.consent(false)")
    expect(page.locator("#b")).to_have_text(STATIC)
    assert context.cookies() == []
    assert page.evaluate("localStorage.length") == 0


def test_a_page_view_that_counted_counts_once_when_the_banner_says_yes(site, page):
    site.write("<p id=b>(212) 555-0199</p>")
    page.goto(site.url("/?gclid=1"))
    number_of(site, page)
    with page.expect_response("**/api/dni") as told:
        page.evaluate("dialtrace.consent(true)")
    assert told.value.request.post_data_json["consent"] is True
    page.wait_for_timeout(100)
    assert len(site.viewed()) == 1


@pytest.mark.parametrize(
    ("header", "script"),
    [
        ({"DNT": "1"}, "Object.defineProperty(Navigator.prototype, 'doNotTrack', {get: () => '1'})"),
        (
            {"Sec-GPC": "1"},
            "Object.defineProperty(Navigator.prototype, 'globalPrivacyControl', {get: () => true})",
        ),
    ],
)
def test_a_browser_that_refuses(site, browser, header, script):
    context = browser.new_context(extra_http_headers=header)
    context.add_init_script(script)
    page = new_page(context)
    site.write("<p id=b>(212) 555-0199</p>", tag='data-consent="yes"')
    page.goto(site.url("/?gclid=1", host="127.0.0.1"))
    expect(page.locator("#b")).to_have_text(STATIC)
    assert context.cookies() == []
    assert site.recorded == []
    context.close()


def test_the_visitor_is_the_same_on_all_hosts_of_the_site(site, page, context):
    site.write("<p id=b>(212) 555-0199</p>")
    page.goto(site.url("/?gclid=1"))
    expect(page.locator("#b")).to_have_text(SWAPPED)
    page.goto(site.url("/", host="shop.acme.localhost"))
    page.goto(site.url("/"))
    expect(page.locator("#b")).to_have_text(SWAPPED)
    (cookie,) = [cookie for cookie in context.cookies() if cookie["name"] == "pbx_v"]
    assert cookie["sameSite"] == "Lax"
    assert cookie["value"] == site.viewed()[0].visitor


def test_the_servers_own_cookie_on_one_site(site, page, context):
    site.write("<p id=b>(212) 555-0199</p>")
    page.goto(site.url("/?gclid=1", host="127.0.0.1"))
    expect(page.locator("#b")).to_have_text(SWAPPED)
    (cookie,) = [cookie for cookie in context.cookies() if cookie["name"] == "pbx_visitor"]
    assert cookie["httpOnly"]
    page.evaluate("localStorage.clear(); document.cookie = 'pbx_v=; max-age=0; path=/'")
    page.goto(site.url("/", host="127.0.0.1"))
    page.wait_for_function("localStorage.pbx_v")
    assert len({view.visitor for view in site.viewed()}) == 1


def test_a_link_hands_the_visitor_over_to_another_domain(site, page):
    site.write(
        f"<p id=b>(212) 555-0199</p><a href='{site.url('/cart?x=1#y', 'shop.example.localhost')}'>Shop</a>"
    )
    site.write("<p id=b>(212) 555-0199</p>", path="/cart")
    page.goto(site.url("/?gclid=1"))
    expect(page.locator("#b")).to_have_text(SWAPPED)
    with page.expect_navigation():
        page.get_by_text("Shop").click()
    expect(page.locator("#b")).to_have_text(SWAPPED)
    assert page.url == site.url("/cart?x=1#y", "shop.example.localhost")
    first, second = site.viewed()
    assert first.visitor == second.visitor
    assert second.arrival is None


def test_several_targets_on_a_page(site, page):
    site.write("<p id=b>(212) 555-0199</p><p id=c>+49 30 1234567</p>")
    page.goto(site.url())
    expect(page.locator("#b")).to_have_text(SWAPPED)
    expect(page.locator("#c")).to_have_text("+49 30 98765432")


def test_one_visitor_even_if_targets_come_while_the_first_question_is_on_its_way(site, page):
    held: list[Route] = []
    page.route("**/api/dni", lambda route: held.append(route) if not held else route.continue_())
    site.write("<p id=b>(212) 555-0199</p><div id=c></div>")
    page.goto(site.url())
    page.evaluate("document.getElementById('c').textContent = '+49 30 1234567'")
    settled(page)
    held[0].continue_()
    expect(page.locator("#c")).to_have_text("+49 30 98765432")
    assert len({view.visitor for view in site.viewed()}) == 1


def test_a_script_that_insists_is_let_go(site, page):
    site.write(
        "<p id=b>212-555-0199</p><script>let n = 0; new MutationObserver(() => { n++;"
        " const b = document.getElementById('b'); if (!b.textContent.includes('0199')) b.textContent = '212-555-0199'; })"
        ".observe(document.body, {subtree: true, childList: true, characterData: true})</script><p id=c>(212) 555-0199</p>"
    )
    page.goto(site.url())
    expect(page.locator("#c")).to_have_text(SWAPPED)
    settled(page)
    before = page.evaluate("n")
    settled(page)
    assert page.evaluate("n") == before
