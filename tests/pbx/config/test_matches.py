"""What pbx check says of sources' match rules, of pools and of the tracking code."""

from datetime import UTC, datetime

import pytest
from hypothesis import given

from pbx.attribution.match import holds
from pbx.attribution.verdict import NumberKind, verdict
from pbx.config.matchcheck import covers
from pbx.config.sources import Match
from tests.pbx.attribution.test_sources import RULES, VIEWS


def said_of(disk, *sources, more=""):
    lines = "".join(f"  s{n}: {{name: S{n}, match: {match}}}\n" for n, match in enumerate(sources, 1))
    disk.write("config.yaml", f"sources:\n{lines}{more}")
    return in_the_config(disk)


def in_the_config(disk):
    return [line.removeprefix("config.yaml:") for line in disk.said() if line.startswith("config.yaml:")]


@pytest.mark.parametrize(
    ("match", "says"),
    [
        ("{referer: none}", "2:26: unknown key 'referer'; did you mean 'referrer'?"),
        ("{referrer_group: serch}", "2:42: no group of referrers 'serch'; did you mean 'search'?"),
        ("{click_id: gclick}", "2:36: 'gclick' is no click identifier; did you mean 'gclid'?"),
        ("{any: [{click_id: [google, foo]}]}", "2:52: 'foo' is no click identifier"),
        (
            "{utm_source: 'goo*'}",
            "2:38: 'goo*': utm_source is compared whole; list the values instead of a glob",
        ),
        ("{referrer: https://google.com/}", "2:36: 'https://google.com/' is no host; write only the host"),
        ("{}", "2:25: an empty match would be every visitor's; say what must be true, or leave it out"),
        ("{any: []}", "2:31: 'any' is empty"),
        ("gclid", "2:25: expected a mapping (key: value), not 'gclid'"),
        ("{not: {referrer: 5}}", "2:42: expected text"),
    ],
)
def test_a_fault_has_its_place_and_a_remedy(disk, match, says):
    (line,) = said_of(disk, match)
    assert line.startswith(says)


@pytest.mark.parametrize(
    ("first", "second", "shadowed"),
    [
        ("{param: gclid}", "{param: gclid}", True),
        ("{param: gclid}", "{click_id: google}", False),
        ("{click_id: google}", "{param: gclid, referrer: none}", True),
        ("{referrer: 'google.*'}", "{referrer: [google.com, www.google.de]}", True),
        ("{referrer: 'google.*'}", "{referrer: [google.com, bing.com]}", False),
        ("{referrer: google.com}", "{referrer: 'google.*'}", False),
        ("{any: [{param: a}, {referrer: none}]}", "{any: [{param: {a: x}}, {referrer: none, utm_id: y}]}", True),
        ("{utm_source: google}", "{utm_source: Google, utm_medium: cpc}", True),
        ("{utm_source: google, utm_medium: cpc}", "{utm_source: google}", False),
        ("{landing_page: '/offer/*'}", "{landing_page: /offer/spring}", True),
        ("{not: {param: a}}", "{not: {any: [{param: a}, {param: b}]}}", True),
    ],
)  # fmt: skip
def test_a_source_that_never_gets_a_visitor(disk, first, second, shadowed):
    said = said_of(disk, first, second)
    assert said == (
        ["3:18: warning: 's2' never gets a visitor: all of its own match 's1' (line 2), which comes first;"
         " move 's2' before it"]
        if shadowed
        else []
    )  # fmt: skip


@given(RULES, RULES, VIEWS)
def test_what_is_said_to_be_covered_is(wide, narrow, view):
    wide_, narrow_ = Match.model_validate(wide), Match.model_validate(narrow)
    if covers(wide_, narrow_) and holds(narrow_, view):
        assert holds(wide_, view)


def test_groups_of_ones_own(disk):
    assert (
        said_of(
            disk, "{referrer_group: locals}", more="tracking: {referrer_groups: {locals: [town.example]}}\n"
        )
        == []
    )


@pytest.mark.parametrize(
    ("config", "says"),
    [
        ("web: {sites: [www.acme.example]}\n", "1:15: 'www.acme.example' is no website's origin, such as"),
        (
            "web: {sites: ['https://acme.example/shop']}\n",
            "1:15: 'https://acme.example/shop' is no website's",
        ),
        ("web: {public_listen: '127.0.0.1:8081'}\n", "1:7: warning: web.sites is empty: any website may use"),
        ("tracking: {consent: maybe}\n", "1:21: 'maybe' is not known here"),
        ("tracking: {honour: [dtn]}\n", "1:21: 'dtn' is not known here; did you mean 'dnt'?"),
        (
            "tracking: {images: [{image: a.png, target: '+12125550199'}]}\n",
            "1:44: '+12125550199' is no pool's target",
        ),
        ("tracking: {sessions: 5m}\n", "1:12: unknown key 'sessions'; did you mean 'session'?"),
    ],
)
def test_faults_of_the_tracking_code(disk, config, says):
    disk.write("config.yaml", config)
    (line,) = in_the_config(disk)
    assert line.startswith(says)


def test_two_pools_for_the_same_visitors(disk):
    disk.write("ivr_flows/main.yaml", "start: a\nsteps: {a: {hangup: busy}}\n")
    disk.write(
        "config.yaml",
        "sources: {a: {name: A}}\n"
        "pools:\n"
        '  one: {flow: main, numbers: ["+12125550110"], targets: ["+12125550199"]}\n'
        '  two: {flow: main, numbers: ["+12125550111"], targets: ["(212) 555-0199"], sources: [a]}\n'
        '  three: {flow: main, numbers: ["+12125550112"]}\n',
    )
    assert in_the_config(disk) == [
        "4:58: warning: the pool 'one' lends for '(212) 555-0199' to visitors of 'a' already,"
        " and comes first",
        "5:3: warning: the pool 'three' has no targets: its numbers are never shown to anybody",
    ]


def test_a_static_number_on_the_page_beats_the_pool_and_check_tells(disk):
    """The page shows the static number; a pool that is to replace it there gets none of its calls."""
    disk.write("ivr_flows/main.yaml", "start: a\nsteps: {a: {hangup: busy}}\n")
    disk.write(
        "config.yaml",
        "sources: {radio: {name: Radio}}\n"
        'numbers: {"+12125550199": {source: radio, flow: main}}\n'
        "pools:\n"
        '  website: {flow: main, numbers: ["+12125550110"], targets: ["(212) 555-0199"]}\n',
    )
    assert in_the_config(disk) == [
        "4:62: warning: the target +12125550199 is also a tracking number (numbers, line 2), which beats the pool"
    ]
    site, _ = disk.examine()
    found = verdict(site, "+12125550199", "+13125550123", datetime(2026, 11, 25, tzinfo=UTC))
    assert (found.source, found.number_kind) == ("radio", NumberKind.STATIC)


def test_whispers_have_the_values_of_a_call_that_comes_in(disk):
    disk.write("ivr_flows/main.yaml", "start: a\nsteps: {a: {hangup: busy}}\n")
    disk.write(
        "config.yaml",
        "sources: {radio: {name: Radio}}\n"
        "numbers:\n"
        '  "+12125550100": {source: radio, flow: main, whisper: "{source}: {caller|phone}, {{sic}}"}\n'
        '  "+12125550101": {source: radio, flow: main, whisper: "{sorce}"}\n'
        '  "+12125550102": {source: radio, flow: main, whisper: "{tag}"}\n'
        "pools:\n"
        '  web: {flow: main, numbers: ["+12125550110"], targets: ["+12125550199"], whisper: "{source"}\n',
    )
    sorce, tag, alone = in_the_config(disk)
    nobody = "no call that has just come in has a value"
    assert sorce == f"4:56: {nobody} 'sorce'; did you mean 'source'?"
    assert tag == f"5:56: {nobody} 'tag'"
    assert alone.startswith("7:84: a '{' alone")
