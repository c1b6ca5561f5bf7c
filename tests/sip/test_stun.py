"""STUN by RFC 5769's sample, and that nothing else is answered."""

from ipaddress import ip_address

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


@given(st.ip_addresses(), st.integers(0, 65535), st.binary(min_size=12, max_size=12))
def test_the_answer_says_where_it_came_from_and_is_itself_not_answered(address, port, transaction) -> None:
    answer = binding_response(REQUEST[:8] + transaction, Address(str(address), port))
    assert answer is not None
    assert is_stun(answer)
    assert answer[8:20] == transaction
    family, masked_port = answer[25], int.from_bytes(answer[26:28])
    masked = bytes(a ^ b for a, b in zip(answer[28:], answer[4:20], strict=False))
    assert (family, masked_port ^ (MAGIC_COOKIE >> 16)) == (1 if address.version == 4 else 2, port)
    assert ip_address(masked) == address
    assert binding_response(answer, Address(str(address), port)) is None
