"""``pbx check`` on values that no call has, and on what a caller would miss in a language."""

import struct

WAV = b"RIFF" + struct.pack("<I", 36) + b"WAVEfmt " + struct.pack("<IHHIIHH", 16, 1, 1, 8000, 16000, 2, 16)
NUMBER = '  "+12125550100": {source: radio, flow: main'


def said(disk, steps: str, *, spanish: bool = False, **others: str) -> list[str]:
    """Errors, and warnings of the kinds meant here, of a flow whose every way ends with somebody."""
    if spanish:
        config = disk.config.read_text()
        disk.write("config.yaml", config + NUMBER.replace("0100", "0101") + ", language: es}\n")
    for name, text in others.items():
        disk.write(f"ivr_flows/{name}.yaml", text)
    lines = [f"  {line}" for line in steps.strip().splitlines()]
    disk.write(
        "ivr_flows/main.yaml", "\n".join(["start: a", "steps:", *lines, "  end: {dial: alice}"]) + "\n"
    )
    return [
        f"{p.line}:{p.column}: {p.message}"
        for p in disk.examine()[1]
        if p.is_error or p.code in ("language", "never")
    ]


def test_a_value_that_no_call_has_is_told_with_the_one_that_was_meant(disk):
    steps = """
a: {collect: "Your ZIP code, please.", digits: 5, next: b}
b: {say: "From {zip} or {a}, on {dya}: {a|digit}.", next: c}
c: {say: "From {aa} on {dya}.", next: end}
"""
    assert said(disk, steps) == [
        "4:12: no filter 'digit'; did you mean 'digits'?",
        "5:12: no call has a value 'aa'; did you mean 'a'?",
        "5:12: no call has a value 'dya'; did you mean 'day'?",
    ]


def test_what_steps_tell_and_set_can_be_named(disk):
    steps = """
a: {set: {who: "{caller}"}, next: b}
b: {dial: alice, on_no_answer: c, next: c}
c: {webhook: "https://crm.example.com/{who}", next: d}
d: {say: "{b.agent} {b.talked} {c.anything.at.all} {c} {queue.sales.position}", next: end}
"""
    assert said(disk, steps) == []


def test_queues_are_named_right(disk):
    steps = 'a: {say: "{queue.sale.position} {queue.sales.place}", next: end}'
    assert said(disk, steps) == [
        "3:12: no queue 'sale' in 'queue.sale.position'; did you mean 'sales'?",
        "3:12: queues tell nothing of 'place'; there are 'available', 'estimate', 'longest_wait',"
        " 'on_duty', 'position' and 'waiting'",
    ]


def test_conditions_name_what_there_is(disk):
    steps = """
a:
  condition:
    - {when: {any: [{sourc: radio}, {not: {caller.call: 1}}]}, to: end}
    - {when: {day: funday, time: "9-17", all: {}}, to: end}
  otherwise: end
"""
    assert [line.partition(";")[0] for line in said(disk, steps)] == [
        "5:24: no call has a value 'sourc'",
        "5:46: no call has a value 'caller.call'",
        "6:22: 'funday' is no day",
        "6:36: '9-17' is no time range",
        "6:49: 'all' takes a list of conditions: all: [{source: radio}, …]",
    ]


def test_a_value_that_only_comes_later_is_told(disk):
    steps = """
a: {say: "Your ZIP code was {b}.", next: b}
b: {collect: "Your ZIP code, please.", next: end}
"""
    assert said(disk, steps) == [
        "3:12: no call has 'b' yet when it comes to 'a': what tells it never comes before"
    ]


def test_what_a_flow_found_out_that_came_back_is_known(disk):
    steps = """
a: {goto: {flow: ask, return: b}}
b: {say: "From {zip}.", next: end}
"""
    ask = "start: zip\nsteps:\n  zip: {collect: Your ZIP code, digits: 5}\n"
    assert said(disk, steps, ask=ask) == []


def test_a_circle_over_a_flow_that_waits_is_no_dead_loop(disk):
    steps = """
a: {goto: {flow: ask, return: b}}
b: {condition: [{when: {zip: 1}, to: end}], otherwise: a}
"""
    ask = "start: zip\nsteps:\n  zip: {collect: Your ZIP code}\n"
    assert said(disk, steps, ask=ask) == []
    ask = "start: x\nsteps:\n  x: {set: {zip: 1}}\n"
    assert "lead in a circle" in said(disk, steps, ask=ask)[0]


def test_a_text_that_a_language_misses_is_told(disk):
    steps = """
a: {say: {en: Hello}, next: b}
b: {say: {en: Hello, es: Hola, fr: Bonjour}, next: c}
c: {say: One for all, next: end}
"""
    assert said(disk, steps, spanish=True) == [
        "3:12: no text for callers in 'es'",
        "4:34: no call is spoken to in 'fr' here; there is 'en' and 'es'",
        "5:12: callers in 'en' and 'es' hear the same text; write one for each: {en: …, es: …}",
    ]


def test_languages_are_followed_from_where_they_are_set(disk):
    steps = """
a: {menu: {en: Press 1., es: Oprima 1.}, keys: {"1": spanish}, otherwise: b}
spanish: {set: {language: es}, next: c}
b: {say: Only in English, next: end}
c: {say: Solo en español, next: end}
"""
    assert said(disk, steps) == [
        "3:28: no call is spoken to in 'es' here; there is 'en'",
    ]


def test_files_are_looked_for_in_each_language(disk):
    disk.write("prompts/hello.wav", WAV)
    steps = "a: {play: hello.wav, next: end}"
    assert said(disk, steps) == []
    assert said(disk, steps, spanish=True) == [
        "3:13: callers in 'en' and 'es' hear the same file; record one for each, such as prompts/en/hello.wav"
    ]
    disk.write("prompts/es/hello.wav", WAV)
    assert said(disk, steps) == []
    (disk.folder / "prompts" / "hello.wav").unlink()
    assert said(disk, steps) == ["3:13: no audio file 'hello.wav' for callers in 'en'"]


def test_digits_are_read_back_only_in_languages_that_we_know(disk):
    disk.write("config.yaml", disk.config.read_text().replace("flow: main}", "flow: main, language: sv}"))
    steps = "a: {collect: Ditt postnummer, confirm: yes, next: end}"
    assert said(disk, steps) == ["3:42: no text for callers in 'sv'"]


def test_what_a_step_says_of_itself_is_told_at_its_place(disk):
    steps = """
a: {split: {b: 30, end: 60}}
b: {collect: x, digits: 0-99, pattern: "[", hidden: true, confirm: yes, next: c}
c: {set: {source: x, language: klingon}, next: end}
"""
    assert said(disk, steps) == [
        "3:14: the shares are 90 % together, not 100",
        "4:27: '0-99' is no number of digits; write 5, or a range such as 3-10 (at most 32)",
        "4:42: '[' is no regular expression: unterminated character set at position 0",
        "4:70: hidden digits are not read back: what is spoken is kept as an audio file",
        "5:21: 'source' is the call's own; choose another name",
        "5:34: 'klingon' is no language that can be spoken; its code is like en or es",
    ]


def test_who_waits_is_told_everything_in_their_language(disk):
    """Also of a queue that another one overflows to."""
    config = disk.config.read_text().replace(
        "sales: {members: [alice, desk]}",
        "sales: {members: [alice], overflow_after: 1m, overflow_to: support}\n"
        "  support:\n"
        "    members: [desk]\n"
        "    announce_position: 30s\n"
        "    announcements: [Hello, {en: Hi, sv: Hej}, {en: Hi}]\n",
    )
    number = NUMBER.replace("0100", "0101")
    disk.write("config.yaml", config + f"{number}, language: sv}}\n")
    assert said(disk, "a: {queue: sales, on_timeout: end}") == [
        "13:5: callers in 'sv' hear English; write say_position: {sv: …}",
        "14:21: callers in 'en' and 'sv' hear the same text; write one for each: {en: …, sv: …}",
        "14:47: no text for callers in 'sv'",
    ]
