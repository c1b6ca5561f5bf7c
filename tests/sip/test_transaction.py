"""The four machines, arrow by arrow, and every timer on a clock of our own."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sip.message import Request, Response, parse, response_to
from sip.timers import Timer, Timers
from sip.transaction import (
    CLIENT,
    INVITE_CLIENT,
    INVITE_SERVER,
    SERVER,
    Arm,
    Cause,
    Deliver,
    Event,
    Fail,
    Finish,
    State,
    Transaction,
    Transmit,
    client_transaction,
    response_event,
    server_transaction,
)

UDP = Timers()
TCP = Timers(reliable=True)


def request(method: str) -> Request:
    message = parse(
        f"{method} sip:bob@192.0.2.4 SIP/2.0\r\n"
        "Via: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bKone\r\n"
        "Max-Forwards: 70\r\n"
        "From: <sip:alice@192.0.2.1>;tag=a\r\n"
        "To: <sip:bob@192.0.2.4>\r\n"
        "Call-ID: c@192.0.2.1\r\n"
        f"CSeq: 7 {method}\r\n"
        "Route: <sip:proxy.example.com;lr>\r\n"
        "Content-Length: 0\r\n\r\n".encode()
    )
    assert isinstance(message, Request)
    return message


INVITE = request("INVITE")
OPTIONS = request("OPTIONS")


def answer(to: Request, status: int) -> Response:
    return response_to(to, status, to_tag="b")


def feed(machine: Transaction, event: Event | Timer | int, now: float = 0.0) -> list[object]:
    """An int is a response with that status: received by a client, sent by a server's user."""
    if isinstance(event, int):
        return list(machine.feed(response_event(event), now, answer(machine.request, event)))
    return list(machine.feed(event, now))


def to_state(machine: Transaction, *events: Event | Timer | int) -> Transaction:
    feed(machine, Event.START)
    for event in events:
        feed(machine, event)
    return machine


def kinds(actions: list[object]) -> list[object]:
    """Actions without their bytes and times: what the arrows of the figures are labelled with."""
    shown: list[object] = []
    for action in actions:
        match action:
            case Transmit(data, again):
                first = data.split(b"\r\n")[0].decode()
                word = first.split()[1] if first.startswith("SIP/2.0") else first.split()[0]
                shown.append(f"{word} again" if again else word)
            case Deliver(message):
                shown.append(f"up {message.status}")
            case Arm(timer, _):
                shown.append(timer)
            case Fail(cause):
                shown.append(cause)
            case Finish():
                shown.append("over")
    return shown


ARROWS = [
    # RFC 3261 figure 5 with RFC 6026 §7.2: machine, history, input, actions, state
    ("INVITE client", (), Timer.A, ["INVITE again", Timer.A], State.CALLING),
    ("INVITE client", (), Timer.B, [Cause.TIMEOUT, "over"], State.TERMINATED),
    ("INVITE client", (), Event.TRANSPORT_ERROR, [Cause.TRANSPORT, "over"], State.TERMINATED),
    ("INVITE client", (), 180, ["up 180"], State.PROCEEDING),
    ("INVITE client", (), 200, ["up 200", Timer.M], State.ACCEPTED),
    ("INVITE client", (), 486, ["ACK", "up 486", Timer.D], State.COMPLETED),
    ("INVITE client", (180,), 183, ["up 183"], State.PROCEEDING),
    ("INVITE client", (180,), 200, ["up 200", Timer.M], State.ACCEPTED),
    ("INVITE client", (180,), 603, ["ACK", "up 603", Timer.D], State.COMPLETED),
    ("INVITE client", (180,), Event.ABANDON, ["over"], State.TERMINATED),
    ("INVITE client", (200,), 200, ["up 200"], State.ACCEPTED),
    ("INVITE client", (200,), 486, [], State.ACCEPTED),
    ("INVITE client", (200,), Timer.M, ["over"], State.TERMINATED),
    ("INVITE client", (486,), 486, ["ACK again"], State.COMPLETED),
    ("INVITE client", (486,), 200, [], State.COMPLETED),
    ("INVITE client", (486,), Timer.D, ["over"], State.TERMINATED),
    ("INVITE client", (486,), Event.TRANSPORT_ERROR, [Cause.TRANSPORT, "over"], State.TERMINATED),
    # figure 6
    ("client", (), Timer.E, ["OPTIONS again", Timer.E], State.TRYING),
    ("client", (), Timer.F, [Cause.TIMEOUT, "over"], State.TERMINATED),
    ("client", (), Event.TRANSPORT_ERROR, [Cause.TRANSPORT, "over"], State.TERMINATED),
    ("client", (), 100, ["up 100"], State.PROCEEDING),
    ("client", (), 200, ["up 200", Timer.K], State.COMPLETED),
    ("client", (), 404, ["up 404", Timer.K], State.COMPLETED),
    ("client", (100,), 100, ["up 100"], State.PROCEEDING),
    ("client", (100,), Timer.E, ["OPTIONS again", Timer.E], State.PROCEEDING),
    ("client", (100,), Timer.F, [Cause.TIMEOUT, "over"], State.TERMINATED),
    ("client", (100,), Event.TRANSPORT_ERROR, [Cause.TRANSPORT, "over"], State.TERMINATED),
    ("client", (100,), 200, ["up 200", Timer.K], State.COMPLETED),
    ("client", (100,), 404, ["up 404", Timer.K], State.COMPLETED),
    ("client", (200,), 200, [], State.COMPLETED),
    ("client", (200,), Timer.K, ["over"], State.TERMINATED),
    # figure 7 with RFC 6026 §7.1
    ("INVITE server", (), Timer.TRYING, ["100"], State.PROCEEDING),
    ("INVITE server", (), Event.REQUEST, [], State.PROCEEDING),
    ("INVITE server", (Timer.TRYING,), Event.REQUEST, ["100 again"], State.PROCEEDING),
    ("INVITE server", (), 180, ["180"], State.PROCEEDING),
    ("INVITE server", (180,), Event.REQUEST, ["180 again"], State.PROCEEDING),
    ("INVITE server", (), 200, ["200", Timer.L], State.ACCEPTED),
    ("INVITE server", (180,), 486, ["486", Timer.G, Timer.H], State.COMPLETED),
    ("INVITE server", (), Event.TRANSPORT_ERROR, [Cause.TRANSPORT], State.PROCEEDING),
    ("INVITE server", (200,), Event.REQUEST, [], State.ACCEPTED),
    ("INVITE server", (200,), 200, ["200"], State.ACCEPTED),
    ("INVITE server", (200,), Event.TRANSPORT_ERROR, [Cause.TRANSPORT], State.ACCEPTED),
    ("INVITE server", (200,), Timer.L, ["over"], State.TERMINATED),
    ("INVITE server", (486,), Event.REQUEST, ["486 again"], State.COMPLETED),
    ("INVITE server", (486,), Timer.G, ["486 again", Timer.G], State.COMPLETED),
    ("INVITE server", (486,), Timer.H, [Cause.TIMEOUT, "over"], State.TERMINATED),
    ("INVITE server", (486,), Event.TRANSPORT_ERROR, [Cause.TRANSPORT], State.COMPLETED),
    ("INVITE server", (486,), Event.ACK, [Timer.I], State.CONFIRMED),
    ("INVITE server", (486, Event.ACK), Event.ACK, [], State.CONFIRMED),
    ("INVITE server", (486, Event.ACK), Timer.I, ["over"], State.TERMINATED),
    # figure 8
    ("server", (), Event.REQUEST, [], State.TRYING),
    ("server", (), 100, ["100"], State.PROCEEDING),
    ("server", (), 200, ["200", Timer.J], State.COMPLETED),
    ("server", (), 404, ["404", Timer.J], State.COMPLETED),
    ("server", (100,), Event.REQUEST, ["100 again"], State.PROCEEDING),
    ("server", (100,), 183, ["183"], State.PROCEEDING),
    ("server", (100,), 200, ["200", Timer.J], State.COMPLETED),
    ("server", (100,), 404, ["404", Timer.J], State.COMPLETED),
    ("server", (100,), Event.TRANSPORT_ERROR, [Cause.TRANSPORT, "over"], State.TERMINATED),
    ("server", (200,), Event.REQUEST, ["200 again"], State.COMPLETED),
    ("server", (200,), 404, [], State.COMPLETED),
    ("server", (200,), Event.TRANSPORT_ERROR, [Cause.TRANSPORT, "over"], State.TERMINATED),
    ("server", (200,), Timer.J, ["over"], State.TERMINATED),
]

MACHINES = {
    "INVITE client": (INVITE_CLIENT, lambda timers: client_transaction(INVITE, timers)),
    "client": (CLIENT, lambda timers: client_transaction(OPTIONS, timers)),
    "INVITE server": (INVITE_SERVER, lambda timers: server_transaction(INVITE, timers)),
    "server": (SERVER, lambda timers: server_transaction(OPTIONS, timers)),
}


@pytest.mark.parametrize(("name", "history", "event", "actions", "state"), ARROWS)
def test_arrow(name, history, event, actions, state) -> None:
    machine = to_state(MACHINES[name][1](UDP), *history)
    assert kinds(feed(machine, event)) == actions
    assert machine.state is state


def test_every_arrow_of_the_tables_is_among_those_tried() -> None:
    tried = set()
    for name, history, event, _, _ in ARROWS:
        machine = to_state(MACHINES[name][1](UDP), *history)
        tried.add((name, machine.state, response_event(event) if isinstance(event, int) else event))
    drawn = {
        (name, state, event)
        for name, (table, _) in MACHINES.items()
        for state, row in table.items()
        for event in row
        if event is not Event.START
    }
    assert drawn - tried == set()


@pytest.mark.parametrize(
    ("name", "started"),
    [
        ("INVITE client", ["INVITE", Timer.A, Timer.B]),
        ("client", ["OPTIONS", Timer.E, Timer.F]),
        ("INVITE server", [Timer.TRYING]),
        ("server", []),
    ],
)
def test_what_a_transaction_begins_with(name, started) -> None:
    assert kinds(feed(MACHINES[name][1](UDP), Event.START)) == started


def run(machine: Transaction, until_s: float) -> list[tuple[float, object]]:
    """Fire the machine's timers as they fall due; what it does, and when."""
    done = []
    while machine.deadlines and min(machine.deadlines.values()) <= until_s:
        timer, at = min(machine.deadlines.items(), key=lambda item: item[1])
        done += [
            (at, kind) for kind in kinds(list(machine.fire(timer, at, at))) if not isinstance(kind, Timer)
        ]
    return done


def test_an_invite_is_sent_seven_times_at_doubling_intervals_then_times_out() -> None:
    machine = to_state(client_transaction(INVITE, UDP))
    sent_again = [(at, "INVITE again") for at in (0.5, 1.5, 3.5, 7.5, 15.5, 31.5)]
    assert run(machine, 60) == [*sent_again, (32.0, Cause.TIMEOUT), (32.0, "over")]


def test_another_request_is_sent_at_intervals_up_to_t2() -> None:
    machine = to_state(client_transaction(OPTIONS, UDP))
    times = (0.5, 1.5, 3.5, 7.5, 11.5, 15.5, 19.5, 23.5, 27.5, 31.5)
    assert run(machine, 60) == [
        *((at, "OPTIONS again") for at in times),
        (32.0, Cause.TIMEOUT),
        (32.0, "over"),
    ]


def test_after_a_provisional_response_timer_e_lasts_t2() -> None:
    machine = to_state(client_transaction(OPTIONS, UDP), 100)
    assert [at for at, what in run(machine, 13) if what == "OPTIONS again"] == [0.5, 4.5, 8.5, 12.5]


def test_a_refusal_is_sent_again_until_acknowledged() -> None:
    machine = to_state(server_transaction(INVITE, UDP), 486)
    assert [at for at, _ in run(machine, 10)] == [0.5, 1.5, 3.5, 7.5]
    feed(machine, Event.ACK, 10.0)
    assert run(machine, 60) == [(15.0, "over")]


def test_a_refusal_never_acknowledged_is_given_up() -> None:
    machine = to_state(server_transaction(INVITE, UDP), 486)
    assert run(machine, 60)[-2:] == [(32.0, Cause.TIMEOUT), (32.0, "over")]


@pytest.mark.parametrize(
    ("history", "lasts_s"),
    [((200,), 32.0), ((486,), 32.0)],
)
def test_an_invite_client_waits_for_late_responses(history, lasts_s) -> None:
    assert run(to_state(client_transaction(INVITE, UDP), *history), 100) == [(lasts_s, "over")]


def test_trying_is_sent_after_200_ms_unless_the_user_was_faster() -> None:
    assert run(to_state(server_transaction(INVITE, UDP)), 1) == [(0.2, "100")]
    assert run(to_state(server_transaction(INVITE, UDP), 180), 1) == []


def test_a_reliable_transport_retransmits_nothing_and_absorbs_nothing() -> None:
    assert run(to_state(client_transaction(INVITE, TCP)), 60) == [(32.0, Cause.TIMEOUT), (32.0, "over")]
    assert run(to_state(client_transaction(OPTIONS, TCP)), 60) == [(32.0, Cause.TIMEOUT), (32.0, "over")]
    assert run(to_state(client_transaction(OPTIONS, TCP), 200), 60) == [(0.0, "over")]
    assert run(to_state(client_transaction(INVITE, TCP), 486), 60) == [(0.0, "over")]
    assert run(to_state(server_transaction(OPTIONS, TCP), 200), 60) == [(0.0, "over")]
    assert run(to_state(server_transaction(INVITE, TCP), 486, Event.ACK), 60) == [(0.0, "over")]
    assert run(to_state(server_transaction(INVITE, TCP), 486), 60) == [(32.0, Cause.TIMEOUT), (32.0, "over")]


def test_a_timer_that_was_stopped_does_nothing() -> None:
    machine = to_state(client_transaction(INVITE, UDP))
    feed(machine, 180)
    assert machine.fire(Timer.A, 0.5, 0.5) == []
    assert machine.fire(Timer.B, 32.0, 32.0) == []


def test_the_ack_to_a_refusal_repeats_the_invite_and_takes_the_to_tag() -> None:
    machine = to_state(client_transaction(INVITE, UDP))
    transmit = next(action for action in feed(machine, 486) if isinstance(action, Transmit))
    ack = parse(transmit.data)
    assert isinstance(ack, Request)
    assert (ack.method, ack.uri, ack.branch) == ("ACK", INVITE.uri, INVITE.branch)
    assert (str(ack.cseq), ack.to_tag, ack.from_tag) == ("7 ACK", "b", "a")
    assert ack.headers.all("Route") == INVITE.headers.all("Route")


INPUTS = st.one_of(
    st.sampled_from(list(Event)), st.sampled_from(list(Timer)), st.sampled_from([100, 183, 200, 486])
)


@given(st.sampled_from(sorted(MACHINES)), st.lists(INPUTS, max_size=30), st.booleans())
def test_no_input_in_any_order_breaks_a_machine_or_leaves_it_without_an_end(name, events, reliable) -> None:
    machine = MACHINES[name][1](TCP if reliable else UDP)
    feed(machine, Event.START)
    is_server = "server" in name
    for event in events:
        if isinstance(event, Event) and event not in (Event.TRANSPORT_ERROR, Event.REQUEST, Event.ACK):
            continue
        if event is Event.REQUEST and not is_server:
            continue
        if isinstance(event, Timer) and event not in machine.deadlines:
            continue  # only what runs can fall due
        feed(machine, event)
    if is_server and machine.state in (State.TRYING, State.PROCEEDING):
        feed(machine, 500)  # a server waits for its user
    if name == "INVITE client" and machine.state is State.PROCEEDING:
        feed(machine, Event.ABANDON)  # a ringing phone may ring for ever
    for _ in range(40):
        if not machine.deadlines:
            break
        timer, at = min(machine.deadlines.items(), key=lambda item: item[1])
        machine.fire(timer, at, at)
    assert machine.state is State.TERMINATED


REACHED: list[tuple[str, tuple[int | Event | Timer, ...], State]] = [
    # Every state of the four figures, and a way to it.
    ("INVITE client", (), State.CALLING),
    ("INVITE client", (180,), State.PROCEEDING),
    ("INVITE client", (200,), State.ACCEPTED),
    ("INVITE client", (486,), State.COMPLETED),
    ("INVITE client", (Timer.B,), State.TERMINATED),
    ("client", (), State.TRYING),
    ("client", (100,), State.PROCEEDING),
    ("client", (200,), State.COMPLETED),
    ("client", (Timer.F,), State.TERMINATED),
    ("INVITE server", (), State.PROCEEDING),
    ("INVITE server", (200,), State.ACCEPTED),
    ("INVITE server", (486,), State.COMPLETED),
    ("INVITE server", (486, Event.ACK), State.CONFIRMED),
    ("INVITE server", (200, Timer.L), State.TERMINATED),
    ("server", (), State.TRYING),
    ("server", (100,), State.PROCEEDING),
    ("server", (200,), State.COMPLETED),
    ("server", (200, Timer.J), State.TERMINATED),
]
STATUS = {Event.PROVISIONAL: 183, Event.SUCCESS: 200, Event.FAILURE: 486}


def test_every_state_of_every_machine_is_reached() -> None:
    assert {(name, state) for name, _, state in REACHED} == {
        (name, state) for name, (table, _) in MACHINES.items() for state in table
    }


@pytest.mark.parametrize("event", [*Event, *Timer], ids=lambda event: event.name)
@pytest.mark.parametrize(("name", "history", "state"), REACHED)
def test_what_a_figure_does_not_draw_is_absorbed(name, history, state, event) -> None:
    """Each pair of state and input: an arrow of the table (tried above), or nothing happens at all."""
    table, make = MACHINES[name]
    machine = to_state(make(UDP), *history)
    assert machine.state is state
    if event in table[state]:
        return
    assert feed(machine, STATUS.get(event, event)) == []
    assert machine.state is state
