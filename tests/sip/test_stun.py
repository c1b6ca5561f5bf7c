"""STUN by RFC 5769's sample, and that nothing else is answered."""

from hypothesis import given
from hypothesis import strategies as st

from sip.flow import Address
from sip.stun import MAGIC_COOKIE, binding_response, is_stun

TRANSACTION = bytes.fromhex("b7e7a701bc34d686fa87dfae")
REQUEST = bytes.fromhex("00010000") + MAGIC_COOKIE.to_bytes(4) + TRANSACTION


def test_the_addresses_of_rfc_5769() -> None:
    four = binding_response(REQUEST, Address("192.0.2.1", 32853))
    assert four == bytes.fromhex("0101000c") + REQUEST[4:] + bytes.fromhex(
        "0020000800 01a147e112a643".replace(" ", "")
    )
    six = binding_response(REQUEST, Address("2001:db8:1234:5678:11:2233:4455:6677", 32853))
    assert six is not None
    assert six[20:] == bytes.fromhex("00200014" + "0002a147" + "0113a9faa5d3f179bc25f4b5bed2b9d9")


def test_sip_is_no_stun() -> None:
    for text in (b"OPTIONS sip:x SIP/2.0\r\n\r\n", b"SIP/2.0 200 OK\r\n\r\n", b"\r\n\r\n", b""):
        assert not is_stun(text)


@given(st.binary(max_size=60))
def test_whatever_comes(data) -> None:
    packet = REQUEST[:8] + data
    if is_stun(packet):
        answer = binding_response(packet, Address("192.0.2.1", 5060))
        assert answer is None or answer[8:20] == packet[8:20]
