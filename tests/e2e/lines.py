"""The flows that are called for real and simulated, by the number that leads to each.

Between them they have every step. PROGRAM stands for the URL of the program that they ask.
"""

MAIN = """
name: Main line
start: welcome
steps:
  welcome: {say: "Thanks for calling.", next: hours}
  hours:
    schedule: {mon-sun: "00:00-24:00"}
    open: menu
    closed: voicemail
  menu:
    menu: "Press 1 for sales, 2 for Alice, 3 for the office nearest you, 4 for another line."
    timeout: 5s
    keys: {"1": sales, "2": alice, "3": nearest, "4": elsewhere}
    otherwise: reception
  sales: {queue: sales, on_timeout: voicemail}
  alice: {dial: alice, timeout: 20s, on_no_answer: voicemail}
  nearest:
    geo:
      - {name: Manhattan, areas: ["+1212", "+1646"], to: reception}
      - {name: Newark, areas: ["+1973", "New Jersey"], to: newark_office}
    otherwise: sorry
  newark_office: {dial: "+19735550150", trunk: carrier, timeout: 25s, on_no_answer: voicemail}
  reception: {dial: [desk, alice], timeout: 20s, on_no_answer: sorry}
  elsewhere: {goto: straight}
  sorry: {say: "Sorry.", next: hangup}
  voicemail: {voicemail: {max: 1s, tag: voicemail}, next: hangup}
"""
STRAIGHT = """
name: Straight to Alice
start: alice
steps:
  alice: {dial: alice, timeout: 20s, on_no_answer: sorry, on_busy: engaged}
  engaged: {say: "Alice is on the phone.", next: hangup}
  sorry: {say: "Sorry, nobody is available right now.", next: hangup}
"""
BRIEF = """
name: Brief
start: menu
steps:
  menu: {menu: "Press 1.", timeout: 300ms, retries: 1, keys: {"1": reception}, otherwise: reception}
  reception: {dial: [desk, alice], timeout: 20s}
"""
PLACES = """
name: Places where calls meet
start: room
steps:
  room: {conference: staff, tries: 1, on_wrong_pin: lot}
  lot: {park: any, timeout: 500ms, on_timeout: fetch}
  fetch: {pickup: "79", on_nobody: warn}
  warn: {whisper: "", next: alice}
  alice: {dial: alice, on_no_answer: sorry}
  sorry: {say: "Sorry.", next: hangup}
"""
DECIDE = """
name: Decides
start: ask
steps:
  ask: {goto: {flow: zip, return: regular}}
  regular:
    condition:
      - {name: nobody waits, when: {queue.sales.waiting: 0, not: {zip: ""}}, to: near}
    otherwise: sorry
  near:
    by: [zip, number]
    geo:
      - {name: office, offices: {keep: "Newark, NJ", sorry: "Chicago, IL"}, within: 500 km}
    otherwise: sorry
  keep: {set: {language: es, where: "{zip}"}, next: mark}
  mark: {tag: [near, "spanish"], next: rate}
  rate: {score: 4, next: tell}
  tell: {say: {en: "Hello.", es: "{where|digits}"}, next: trial}
  trial: {split: {sorry: 30, bye: 70}}
  sorry: {say: {en: "Sorry.", es: "Perdón."}, next: bye}
  bye: {hangup: "decided for {zip}"}
"""
ZIP = """
name: Asks for the ZIP code
start: zip
steps:
  zip: {collect: "Your ZIP?", digits: 5, confirm: "So {entered}?", timeout: 3s, retries: 1, next: thanks}
  thanks: {condition: [{when: {zip: ""}, to: hangup}]}
"""
NAMES = """
name: Finds by name
start: names
steps:
  names:
    directory: "Type a name."
    agents: [alice, desk]
    retries: 1
    on_nobody: sorry
    on_no_answer: sorry
    next: sorry
  sorry: {say: "Sorry.", next: hangup}
"""
ASKS = """
name: Asks other programs
start: known
steps:
  known:
    webhook: "PROGRAM/crm"
    body: {number: "{caller}"}
    keep: {tier: customer.tier}
    next: golden
  golden: {condition: [{when: {known.tier: gold}, to: down}], otherwise: bye}
  down: {webhook: "PROGRAM/down", retries: 0, on_failure: slow, next: bye}
  slow: {webhook: "PROGRAM/silence", timeout: 300ms, retries: 0, on_failure: bye, on_timeout: confirm}
  confirm: {message: "A {known.tier} customer, after {slow}.", to: "{caller}", via: sms, next: bye}
  bye: {hangup: "asked, {down.status}"}
"""
ON_RECORD = """
name: On record
start: jingle
steps:
  jingle: {play: jingle.wav, next: breath}
  breath: {wait: 200ms, next: start}
  start: {record: on, next: card}
  card: {record: pause, next: secret}
  secret: {say: "Your card's number?", next: on_again}
  on_again: {record: resume, next: alice}
  alice: {dial: alice, timeout: 20s, on_no_answer: no_more}
  no_more: {record: off, next: hangup}
"""
CALL_ME = """
name: Calls back
start: offer
steps:
  offer:
    callback: sales
    offer: "Press 1 and we call you back."
    confirm: "You are number {place}."
    next: bye
    otherwise: sorry
  sorry: {say: "Sorry.", next: bye}
  bye: {hangup: "{offer}"}
"""
FLOWS = {
    "main": MAIN, "straight": STRAIGHT, "brief": BRIEF, "places": PLACES, "decide": DECIDE, "zip": ZIP,
    "names": NAMES, "asks": ASKS, "record": ON_RECORD, "call_me": CALL_ME,
}  # fmt: skip
(
    MAIN_LINE, STRAIGHT_LINE, BRIEF_LINE, PLACES_LINE, DECIDE_LINE, _, NAMES_LINE, ASKS_LINE, RECORD_LINE,
    CALL_ME_LINE,
) = range(len(FLOWS))  # fmt: skip
