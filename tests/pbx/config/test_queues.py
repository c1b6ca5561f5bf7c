"""What ``pbx check`` says of queues."""

import pytest

AGENTS = 'desk: {name: Front desk, contact: "sip:desk@127.0.0.1:5080"}'
QUEUE = "sales: {members: [alice, desk]}"


def queue(complaints, text: str) -> list[str]:
    """What is said of the queue ``sales`` with these further keys."""
    said = complaints(old=QUEUE, new=f"sales: {{members: [alice, desk], {text}}}")
    return [line.split(": ", 1)[1] for line in said]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("weights: {alise: 3}, strategy: weighted-random", "no member 'alise'; did you mean 'alice'?"),
        ("weights: {alice: 3}", "warning: weights count only with the strategy weighted-random"),
        ("source_priority: {radios: 3}", "no source 'radios'; did you mean 'radio'?"),
        ("overflow_to: sales, overflow_after: 1m", "'sales' overflows to itself; name another queue"),
        ("overflow_to: sale, overflow_after: 1m", "no queue 'sale'; did you mean 'sales'?"),
        ("sticky: 5m", "warning: nobody but the last agent is ever rung: max_wait is over after 300 s"),
        ("overflow_after: 20m", "warning: nobody overflows: max_wait is over after 300 s"),
        ("announce_wait: true", "warning: the wait is told with the place, which needs announce_position"),
        ("announce_every: 2m", "warning: there are no announcements"),
        (
            "announce_every: 2s, announcements: ['Thank you very much for your patience with us']",
            "warning: takes about 3 s to say, and announce_every is 2 s: it never ends",
        ),
        ("announcements: [{play: ad.wav}]", "no audio file 'ad.wav' in prompts/"),
        ("announce_position: 0s", "announcements come at most once a second; write 1s or more"),
        ("say_position: You wait", "nobody hears the place; write {place} where it is to be said"),
        (
            "say_wait: {en: 'about {minute}'}",
            "nobody hears the minutes; write {minutes} where it is to be said",
        ),
        ("announcements: ['{nowhere} of you']", "no call has a value 'nowhere'"),
        (
            "announcements: ['{queue.sales.waitin} wait']",
            "no call has a value 'queue.sales.waitin'; did you mean 'queue.sales.waiting'?",
        ),
        ("announcements: ['a {brace']", "a '{' alone; a value is {name}, a plain brace is written twice"),
        ("strategy: skills", "warning: no member of 'sales' has skills to choose by"),
        ("extension: 101", "the extension 101 is the agent 'alice''s already"),
    ],
)
def test_each_mistake_is_told(complaints, text, said):
    assert queue(complaints, text) == [said]


def test_a_queue_that_never_overflows_is_told_so(complaints):
    said = complaints(old=QUEUE, new=f"{QUEUE}\n  support: {{members: [alice], overflow_to: sales}}")
    assert said == ["11:31: 'support' never overflows: say when, with overflow_after or overflow_length"]


def test_everything_at_once_is_well_formed(complaints):
    assert (
        queue(
            complaints,
            "strategy: weighted-random, weights: {alice: 2.5}, max_length: 9, autopause: 2, sticky: 10s,"
            " source_priority: {radio: 5}, empty_when: paused, leave_when_empty: false, overflow_length: 4,"
            " overflow_after: 1m, announce_position: 30s, announce_wait: true,"
            " announcements: [Hello], service_level: 30s, extension: 601",
        )
        == []
    )


def test_skills_have_levels_or_none(complaints):
    assert complaints(old=AGENTS, new=AGENTS.replace("contact", "skills: {sales: 11}, contact")) == [
        "8:44: '11' is out of range: at most 10"
    ]
    assert complaints(old=AGENTS, new=AGENTS.replace("contact", "skills: {sales: 3}, contact")) == []


def test_an_exit_that_is_never_taken_is_told(disk):
    disk.write("ivr_flows/main.yaml", "start: a\nsteps:\n  a: {queue: sales, on_overflow: hangup}\n")
    assert disk.said() == [
        "ivr_flows/main.yaml:3:21: warning: 'sales' never overflows: give it overflow_after or overflow_length"
    ]


def test_a_callback_needs_a_trunk_that_calls_out(disk):
    config = disk.config.read_text().replace(", host: 192.0.2.1", "")
    disk.write("config.yaml", config)
    disk.write("ivr_flows/main.yaml", "start: a\nsteps:\n  a: {callback: sales, otherwise: hangup}\n")
    assert any("no trunk has a host, so nobody can be called back" in line for line in disk.said())
