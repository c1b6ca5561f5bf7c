"""Registrations: several phones, order, expiry, NAT and connections that go away."""

import pytest

from sip.flow import Address, Flow
from sip.registrar import MAX_BINDINGS
from tests.sip.test_core import PHONE, STRANGER, TRUNK, Site

OTHER_PHONE = Address("198.51.100.5", 40_001)


def contacts(site, owner="alice") -> list[str]:
    return [binding.contact_uri for binding in site.core.registrar.bindings(owner)]


@pytest.mark.parametrize("source", [PHONE, TRUNK])
def test_register_is_always_challenged(source) -> None:
    site = Site()
    assert site.send("REGISTER", source, to="alice").status == 401
    assert site.register(source).status == 200
    assert site.send("REGISTER", source, to="alice").status == 401


def test_the_answer_lists_what_is_bound_and_for_how_long() -> None:
    site = Site()
    answer = site.register(contact="<sip:alice@10.0.0.9>;expires=600")
    assert answer.headers.all("Contact") == ["<sip:alice@10.0.0.9>;expires=600"]
    (binding,) = site.core.registrar.bindings("alice")
    assert binding.flow == Flow("udp", PHONE)
    assert binding.expires_at == site.line.now + 600


def test_id_and_extension_are_one_agent() -> None:
    site = Site()
    site.register(username="101", to="alice", contact="<sip:a@10.0.0.9>")
    site.register(OTHER_PHONE, username="alice", to="101", contact="<sip:b@10.0.0.9>")
    assert sorted(contacts(site)) == ["sip:a@10.0.0.9", "sip:b@10.0.0.9"]


def test_nobody_registers_for_somebody_else() -> None:
    site = Site()
    assert site.register(username="alice", to="bob").status == 403
    assert site.register(username="alice", to="nobody").status == 403
    assert contacts(site, "bob") == []


def test_a_binding_ends_by_itself_and_that_is_told() -> None:
    site = Site()
    changed = []
    site.core.registrar.on_change = changed.append
    site.register(headers=[("Expires", "60")])
    site.line.run(59)
    assert len(contacts(site)) == 1
    site.line.run(2)
    assert contacts(site) == []
    assert changed == ["alice", "alice"]
    assert len(site.core.registrar) == 0


def test_a_refresh_keeps_it() -> None:
    site = Site()
    for cseq in range(1, 4):
        site.register(headers=[("Expires", "60")], call_id="one", cseq=cseq, branch=f"z9hG4bK{cseq}")
        site.line.run(50)
    assert len(contacts(site)) == 1


def test_too_short_is_423_with_what_would_do() -> None:
    site = Site()
    answer = site.register(headers=[("Expires", "30")])
    assert (answer.status, answer.headers.get("Min-Expires")) == (423, "60")
    assert contacts(site) == []


def test_too_long_is_shortened() -> None:
    site = Site()
    assert (
        site.register(contact="<sip:a@b>;expires=999999999999").headers.get("Contact")
        == "<sip:a@b>;expires=3600"
    )


def test_one_contact_is_taken_back_or_all() -> None:
    site = Site()
    site.register(contact="<sip:one@10.0.0.9>, <sip:two@10.0.0.9>")
    site.register(contact="<sip:one@10.0.0.9>;expires=0")
    assert contacts(site) == ["sip:two@10.0.0.9"]
    site.register(contact="*", headers=[("Expires", "0")])
    assert contacts(site) == []


def test_a_star_without_expires_0_is_a_mistake() -> None:
    site = Site()
    site.register()
    assert site.register(contact="*").status == 400
    assert len(contacts(site)) == 1


def test_asking_without_a_contact_changes_nothing() -> None:
    site = Site()
    site.register(contact="<sip:one@10.0.0.9>")
    answer = site.register(contact="<sip:one@10.0.0.9>")
    assert answer.status == 200
    assert contacts(site) == ["sip:one@10.0.0.9"]


def test_an_older_request_of_the_same_phone_changes_nothing() -> None:
    site = Site()
    site.register(contact="<sip:one@10.0.0.9>", call_id="one", cseq=8, branch="z9hG4bKa")
    late = site.register(contact="<sip:one@10.0.0.9>;expires=0", call_id="one", cseq=7, branch="z9hG4bKb")
    assert late.status == 500
    assert contacts(site) == ["sip:one@10.0.0.9"]
    restarted = site.register(
        contact="<sip:one@10.0.0.9>;expires=0", call_id="two", cseq=1, branch="z9hG4bKc"
    )
    assert restarted.status == 200
    assert contacts(site) == []


def test_a_request_is_taken_whole_or_not_at_all() -> None:
    site = Site()
    answer = site.register(contact="<sip:one@10.0.0.9>;expires=600, <sip:two@10.0.0.9>;expires=5")
    assert answer.status == 423
    assert contacts(site) == []


def test_a_phone_with_an_instance_replaces_its_own_older_binding() -> None:
    site = Site()
    instance = '+sip.instance="<urn:uuid:00000000-0000-1000-8000-000A95A0E128>"'
    site.register(contact=f"<sip:alice@10.0.0.9>;{instance}")
    site.register(OTHER_PHONE, contact=f"<sip:alice@10.0.0.10>;{instance}")
    assert contacts(site) == ["sip:alice@10.0.0.10"]


def test_the_number_of_bindings_is_bounded() -> None:
    site = Site()
    for number in range(MAX_BINDINGS + 5):
        site.register(contact=f"<sip:alice@10.0.0.{number}>")
        site.line.run(1)
    assert len(contacts(site)) == MAX_BINDINGS
    assert "sip:alice@10.0.0.0" not in contacts(site)


def test_a_lost_connection_takes_its_phones_along() -> None:
    site = Site()
    changed = []
    site.core.registrar.on_change = changed.append
    site.register(contact="<sip:alice@10.0.0.9>")
    (binding,) = site.core.registrar.bindings("alice")
    site.core.flow_closed(Flow("udp", STRANGER))
    assert len(contacts(site)) == 1
    site.core.flow_closed(binding.flow)
    assert contacts(site) == []
    assert changed == ["alice", "alice"]


def test_an_answer_that_was_lost_is_repeated_without_asking_again() -> None:
    site = Site()
    first = site.register(call_id="one", cseq=4, branch="z9hG4bKone")
    assert first.status == 200
    again = site.send("REGISTER", PHONE, to="alice", call_id="one", cseq=4, branch="z9hG4bKone")
    assert again.status == 200


def test_two_agents_behind_one_address_and_port_are_not_taken_for_each_other() -> None:
    site = Site()
    site.register(username="alice")
    assert site.core.registrar.owner_at(Flow("udp", PHONE)) == "alice"
    site.register(username="bob", password="builder")
    assert site.core.registrar.owner_at(Flow("udp", PHONE)) is None
