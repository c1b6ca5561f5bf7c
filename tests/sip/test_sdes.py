import pytest
from hypothesis import given
from hypothesis import strategies as st

from sip import SipError, sdp
from sip.sdes import KEY_OCTETS, SUITES, crypto_lines, offered_lines, without_keys
from sip.sdp import MediaDescription, SessionDescription, Srtp

US, THEM = "192.0.2.1", "192.0.2.2"
KEYS = tuple(bytes([number]) * KEY_OCTETS for number in (1, 2))
ANSWER_KEY = b"a" * KEY_OCTETS
CODECS = ("pcmu",)
INLINE = "d0RmdmcmVCspeEc3QGZiNWpVLFJhQX1cfHAwJSoj"  # RFC 4568 §9.1


def offer(keys=KEYS):
    return sdp.build_offer(address=US, port=4000, codecs=CODECS, session_id=1, version=1, keys=keys)


def answer(text, srtp):
    return sdp.answer(text, address=THEM, port=5000, codecs=CODECS, srtp=srtp, key=ANSWER_KEY)


def medium(*lines):
    return MediaDescription(
        "audio", 4000, "RTP/SAVP", ("0",), attributes=tuple(("crypto", line) for line in lines)
    )


def test_both_sides_find_the_same_keys_crossed():
    answered = answer(offer(), Srtp.OPTIONAL)
    theirs, ours = answered.remote.crypto, sdp.accept_answer(offer(), answered.sdp).crypto
    assert (theirs.suite, ours.suite) == (SUITES[0], SUITES[0])
    assert (theirs.send_key, theirs.receive_key) == (ANSWER_KEY, KEYS[0])
    assert (ours.send_key, ours.receive_key) == (KEYS[0], ANSWER_KEY)
    assert SessionDescription.parse(answered.sdp).media[0].protocol == "RTP/SAVP"


def test_the_second_suite_is_taken_where_the_first_is_not_known():
    text = offer().replace(SUITES[0].encode(), b"AEAD_AES_256_GCM")
    answered = answer(text, Srtp.OPTIONAL)
    assert answered.remote.crypto.receive_key == KEYS[1]
    assert b"a=crypto:2 AES_CM_128_HMAC_SHA1_32 inline:" in answered.sdp
    assert sdp.accept_answer(offer(), answered.sdp).crypto.send_key == KEYS[1]


@pytest.mark.parametrize(
    ("keys", "srtp", "agreed"),
    [
        ((), Srtp.OFF, True),
        ((), Srtp.OPTIONAL, True),
        ((), Srtp.REQUIRED, False),
        (KEYS, Srtp.OFF, False),
        (KEYS, Srtp.OPTIONAL, True),
        (KEYS, Srtp.REQUIRED, True),
    ],
)
def test_what_is_wanted_of_encryption_decides_what_is_taken(keys, srtp, agreed):
    if agreed:
        assert (answer(offer(keys), srtp).remote.crypto is not None) == bool(keys)
    else:
        with pytest.raises(SipError, match="488"):
            answer(offer(keys), srtp)


def test_an_answer_in_the_clear_to_an_offer_with_keys_is_refused():
    clear = answer(offer(()), Srtp.OFF).sdp
    for text in (clear, clear.replace(b"RTP/AVP", b"RTP/SAVP")):
        with pytest.raises(SipError, match="none of our keys"):
            sdp.accept_answer(offer(), text)


def test_of_two_streams_the_encrypted_one_is_taken_where_that_is_required():
    text = offer(()) + b"m=audio 4002 RTP/SAVP 0\r\n" + f"a=crypto:7 {SUITES[0]} inline:{INLINE}\r\n".encode()
    answered = answer(text, Srtp.REQUIRED)
    assert answered.remote.port == 4002
    assert [media.port for media in SessionDescription.parse(answered.sdp).media] == [0, 5000]
    assert answer(text, Srtp.OFF).remote.port == 4000


@pytest.mark.parametrize(
    "line",
    [
        f"1 {SUITES[0]} inline:{INLINE}",
        f"1 {SUITES[0]} inline:{INLINE}|2^31",
        f"1 {SUITES[0].lower()} inline:{INLINE}|1000000 WSH=64",
    ],
)
def test_lines_that_we_can_use(line):
    (found,) = crypto_lines(medium(line))
    assert len(found.key) == KEY_OCTETS


@pytest.mark.parametrize(
    "line",
    [
        "",
        f"1 F8_128_HMAC_SHA1_80 inline:{INLINE}",
        f"1 {SUITES[0]} inline:{INLINE}|2^20|1:4",  # a master key identifier in each packet
        f"1 {SUITES[0]} inline:{INLINE};inline:{INLINE}",
        f"1 {SUITES[0]} inline:{INLINE} UNENCRYPTED_SRTP",
        f"1 {SUITES[0]} inline:{INLINE[:-4]}",
        f"1 {SUITES[0]} inline:{INLINE[:-1]}=",
        f"x {SUITES[0]} inline:{INLINE}",
    ],
)
def test_lines_that_are_passed_over(line):
    assert list(crypto_lines(medium(line))) == []


@given(st.text(max_size=120))
def test_no_line_breaks_the_reading_of_it(text):
    list(crypto_lines(medium(text, f"1 {SUITES[0]} inline:{text}")))


@given(st.lists(st.binary(min_size=KEY_OCTETS, max_size=KEY_OCTETS), min_size=2, max_size=2))
def test_what_we_write_we_can_read(keys):
    lines = offered_lines(keys)
    assert list(crypto_lines(medium(*(line.attribute()[1] for line in lines)))) == lines


def test_no_key_is_ever_shown():
    answered = answer(offer(), Srtp.OPTIONAL)
    keys = [line.partition(b"inline:")[2][:40] for line in answered.sdp.split(b"\r\n") if b"inline:" in line]
    shown = repr(answered.remote) + repr(list(crypto_lines(SessionDescription.parse(offer()).media[0])))
    assert not any(
        key.decode() in shown or repr(ANSWER_KEY) in shown or repr(KEYS[0]) in shown for key in keys
    )
    hidden = without_keys(answered.sdp)
    assert keys
    assert not any(key in hidden for key in keys)
    assert b"a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:..." in hidden
