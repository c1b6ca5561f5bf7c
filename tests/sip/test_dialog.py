"""Dialogs: route sets, remote targets, order, and where requests go."""

import pytest

from sip.dialog import Dialog, flow_to
from sip.flow import Address, Flow
from sip.message import Headers, Request, response_to
from sip.timers import Deadlines, Timer, TimerQueue

SOURCE = Flow("udp", Address("198.51.100.5", 40_000))


def invite(*record_routes: str, contact: str | None = "<sip:alice@10.0.0.9:5090>") -> Request:
    headers = Headers(
        [
            ("Via", "SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKa"),
            *(("Record-Route", route) for route in record_routes),
            ("From", "Alice <sip:alice@example>;tag=a"),
            ("To", "<sip:bob@example>"),
            ("Call-ID", "c"),
            ("CSeq", "7 INVITE"),
        ]
    )
    if contact:
        headers.add("Contact", contact)
    return Request("INVITE", "sip:bob@example", headers)


def server_dialog(*record_routes: str, follows_flow: bool = False, **options) -> Dialog:
    return Dialog.of_server(invite(*record_routes, **options), "b", SOURCE, follows_flow=follows_flow)


def client_dialog(*record_routes: str) -> Dialog:
    request = invite(*record_routes)
    response = response_to(request, 200, to_tag="b", headers=[("Contact", "<sip:bob@192.0.2.4>")])
    return Dialog.of_client(request, response, SOURCE, follows_flow=False)


def test_both_sides_see_the_same_dialog_mirrored() -> None:
    uas, uac = server_dialog("<sip:p1;lr>", "<sip:p2;lr>"), client_dialog("<sip:p1;lr>", "<sip:p2;lr>")
    assert (uas.id, uac.id) == (("c", "b", "a"), ("c", "a", "b"))
    assert (uas.routes, uac.routes) == (("<sip:p1;lr>", "<sip:p2;lr>"), ("<sip:p2;lr>", "<sip:p1;lr>"))
    assert (uas.target, uac.target) == ("sip:alice@10.0.0.9:5090", "sip:bob@192.0.2.4")
    assert (uas.local, uas.remote) == ("<sip:bob@example>;tag=b", "Alice <sip:alice@example>;tag=a")
    assert (uac.local, uac.remote) == ("Alice <sip:alice@example>;tag=a", "<sip:bob@example>;tag=b")


def test_our_requests_count_up_and_an_ack_repeats_the_invites_number() -> None:
    dialog = client_dialog()
    assert [str(dialog.request("BYE").cseq), str(dialog.request("INFO").cseq)] == ["8 BYE", "9 INFO"]
    assert str(dialog.request("ACK", cseq=7).cseq) == "7 ACK"


def test_loose_routes_are_followed() -> None:
    dialog = server_dialog("<sip:p1.example;lr>", "<sip:p2.example:5070;lr>")
    request = dialog.request("BYE")
    assert request.uri == "sip:alice@10.0.0.9:5090"
    assert request.headers.all("Route") == ["<sip:p1.example;lr>", "<sip:p2.example:5070;lr>"]
    assert dialog.next_hop(flow_alive=True).remote == Address("p1.example", 5060)


def test_a_strict_router_is_named_in_the_request_line() -> None:
    dialog = server_dialog("<sip:old.example>", "<sip:p2.example;lr>")
    request = dialog.request("BYE")
    assert request.uri == "sip:old.example"
    assert request.headers.all("Route") == ["<sip:p2.example;lr>", "<sip:alice@10.0.0.9:5090>"]
    assert dialog.next_hop(flow_alive=True).remote == Address("old.example", 5060)


def test_a_trunk_is_reached_by_its_contact_and_an_agent_by_their_flow() -> None:
    assert server_dialog().next_hop(flow_alive=True).remote == Address("10.0.0.9", 5090)
    assert server_dialog(follows_flow=True).next_hop(flow_alive=True) == SOURCE


def test_a_tcp_dialog_stays_on_its_connection_while_that_stands() -> None:
    connection = Flow("tcp", Address("198.51.100.5", 40_000), 0, 7)
    dialog = Dialog.of_server(invite(), "b", connection, follows_flow=False)
    assert dialog.next_hop(flow_alive=True) == connection
    assert dialog.next_hop(flow_alive=False) == Flow("tcp", Address("10.0.0.9", 5090))


@pytest.mark.parametrize("contact", [None, "<sip:[bad>", "nonsense"])
def test_without_a_contact_that_can_be_read_the_request_uri_serves(contact) -> None:
    assert server_dialog(contact=contact).target == "sip:bob@example"


def test_a_route_set_that_cannot_be_read_is_not_followed() -> None:
    assert server_dialog("<sip:[bad>", "<sip:p;lr>").routes == ()


def test_order() -> None:
    dialog = server_dialog()
    bye = Dialog.request(client_dialog(), "BYE")
    assert dialog.accepts(bye)
    assert not dialog.accepts(bye)


@pytest.mark.parametrize(
    ("uri", "flow"),
    [
        ("sip:a@192.0.2.4", Flow("udp", Address("192.0.2.4", 5060))),
        ("sip:a@192.0.2.4:5070;transport=TCP", Flow("tcp", Address("192.0.2.4", 5070))),
        ("sip:a@[2001:db8::1]:5070", Flow("udp", Address("2001:db8::1", 5070))),
        ("sip:a@198.51.100.5:40000", SOURCE),
        ("sip:a@192.0.2.4;transport=carrier-pigeon", Flow("udp", Address("192.0.2.4", 5060))),
        ("tel:+12125550100", SOURCE),
        ("nonsense", SOURCE),
    ],
)
def test_the_flow_to_a_uri(uri, flow) -> None:
    assert flow_to(uri, SOURCE) == flow


# --- the queue that all timers wait in


class Owner:
    def __init__(self) -> None:
        self.fired: list[tuple[Timer, float, float]] = []

    def fire(self, timer, at, now) -> None:
        self.fired.append((timer, at, now))


def test_timers_fire_in_order_and_wake_the_driver_for_the_earliest() -> None:
    woken: list[float] = []
    queue, owner = TimerQueue(woken.append), Owner()
    queue.set(5.0, owner, Timer.B)
    queue.set(1.0, owner, Timer.A)
    queue.set(9.0, owner, Timer.H)
    assert woken == [5.0, 1.0]
    queue.run(6.0)
    assert owner.fired == [(Timer.A, 1.0, 6.0), (Timer.B, 5.0, 6.0)]
    assert woken == [5.0, 1.0, 9.0]


def test_a_timer_stopped_set_anew_or_closed_does_not_fire() -> None:
    fired: list[tuple[Timer, float]] = []
    queue = TimerQueue(lambda at: None)
    deadlines = Deadlines(queue, lambda timer, now: fired.append((timer, now)))
    deadlines.start(Timer.A, 1.0)
    deadlines.start(Timer.A, 2.0)
    deadlines.start(Timer.B, 3.0)
    deadlines.stop(Timer.B)
    for now in (1.0, 2.0, 3.0):
        queue.run(now)
    assert fired == [(Timer.A, 2.0)]
    deadlines.start(Timer.A, 4.0)
    deadlines.close()
    queue.run(4.0)
    assert len(fired) == 1
    assert len(queue) == 0
