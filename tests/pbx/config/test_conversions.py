"""``conversions`` in ``pbx check``: names that nobody defined, events that nobody hears of."""

from tests.pbx.config.conftest import CONFIG, Disk

GA4 = "  ga4: {measurement_id: G-ABC123, api_secret: x, send: {%s}}\n"


def said(disk: Disk, conversions: str) -> list[str]:
    disk.write("config.yaml", f"{CONFIG}conversions:\n{conversions}")
    return disk.said()


def test_a_platform_is_told_only_of_events_that_there_are(disk: Disk) -> None:
    (problem,) = said(disk, "  events: {leads: {}}\n" + GA4 % "lead: generate_lead, leads: purchase")
    assert "conversions.events has no event 'lead'; did you mean leads?" in problem


def test_a_source_that_there_is_none(disk: Disk) -> None:
    text = "".join(said(disk, "  events: {lead: {source: [radoi]}}\n" + GA4 % "lead: generate_lead"))
    assert "there is no source 'radoi'; did you mean radio?" in text


def test_an_event_that_nobody_hears_of(disk: Disk) -> None:
    assert said(disk, "  events: {lead: {}}\n") == []
    (problem,) = disk.advice()
    assert "no platform is told of the event 'lead'" in problem


def test_names_and_ids_are_those_of_the_platforms(disk: Disk) -> None:
    (problem,) = said(disk, "  events: {lead: {}}\n" + GA4 % "lead: session_start")
    assert "no name of a GA4 event" in problem
