"""A site with sources, static numbers and a pool."""

from datetime import UTC, datetime

import pytest

from pbx.config.load import load

CONFIG = """\
server: {name: Acme, timezone: UTC, country: US}
web: {sites: ["https://www.acme.example", "https://shop.acme.example"]}
sources:
  yellow-pages: {name: Yellow Pages ad, kind: offline, medium: print}
  google-ads:
    name: Google Ads
    match: {any: [{param: gclid}, {utm_source: google, utm_medium: cpc}]}
  organic-google: {name: Google organic, match: {referrer: "google.*"}}
  partners: {name: Partners, match: {param: {ref: [alpha, beta]}}}
  offer: {name: Spring offer, match: {landing_page: "/offer/*", not: {referrer_group: social}}}
  social: {name: Social, match: {referrer_group: social}}
  direct: {name: Direct, match: {referrer: none}}
numbers:
  "+12125550100": {source: yellow-pages, flow: main}
  "+12125550101": {source: google-ads, flow: main, whisper: Ads}
pools:
  website:
    numbers: ["+12125550110", "+12125550111"]
    flow: main
    targets: ["+1 (212) 555-0199"]
    hold: 30m
    sources: [google-ads, organic-google, direct]
agents: {alice: {name: Alice, contact: "sip:alice@127.0.0.1:5080"}}
"""
NOON = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)


def write_site(folder, config=CONFIG):
    (folder / "ivr_flows").mkdir(exist_ok=True)
    (folder / "ivr_flows" / "main.yaml").write_text("start: a\nsteps: {a: {dial: alice}}\n")
    (folder / "config.yaml").write_text(config)
    return load(folder / "config.yaml", {})


@pytest.fixture
def site(tmp_path):
    return write_site(tmp_path)
