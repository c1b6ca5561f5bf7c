"""SDP: descriptions read and written (RFC 8866), and offers answered (RFC 3264)."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sip import sdp
from sip.errors import SipError
from sip.sdp import Direction, MediaDescription, Origin, RemoteAudio, SessionDescription

US, THEM = "192.0.2.1", "192.0.2.99"
HEAD = f"v=0\r\no=them 7 3 IN IP4 {THEM}\r\ns=-\r\nc=IN IP4 {THEM}\r\nt=0 0\r\n"
AUDIO = (
    "m=audio 4000 RTP/AVP 8 0 101\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap:0 PCMU/8000\r\n"
    "a=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\na=ptime:20\r\na=sendrecv\r\n"
)


def answer(text: str, **settings) -> sdp.Negotiated:
    return sdp.answer(text.encode(), **({"address": US, "port": 5000, "codecs": ("pcmu", "pcma")} | settings))


def offer(**settings) -> bytes:
    settings = {
        "address": US,
        "port": 5000,
        "codecs": ("PCMU", "PCMA"),
        "session_id": 1,
        "version": 1,
    } | settings
    return sdp.build_offer(**settings)


# --- descriptions


def test_a_description_is_read():
    description = SessionDescription.parse((HEAD + "a=tool:x\r\n" + AUDIO).encode())
    assert description.origin == Origin("them", "7", "3", THEM)
    (audio,) = description.media
    assert (audio.kind, audio.port, audio.protocol, audio.formats) == (
        "audio",
        4000,
        "RTP/AVP",
        ("8", "0", "101"),
    )
    assert description.address_of(audio) == THEM
    assert description.direction_of(audio) is Direction.SENDRECV
    assert audio.rtpmaps()[8].encoding == "PCMA"
    assert audio.fmtp(101) == "0-15"
    assert audio.fmtp(8) is None


def test_a_description_is_written_in_the_order_of_the_rfc():
    text = (
        HEAD.replace("t=0 0", "b=AS:80\r\nt=0 0")
        + "a=tool:x\r\nm=audio 9/2 RTP/AVP 0\r\ni=talk\r\nc=IN IP6 ::1\r\na=x\r\n"
    )
    assert SessionDescription.parse(text.encode()).encode().decode() == text


def test_lines_may_end_in_lf_and_optional_ones_be_missing():
    description = SessionDescription.parse(b"v=0\nm=audio 9 RTP/AVP 0\nc=IN IP4 10.0.0.1")
    assert description.address_of(description.media[0]) == "10.0.0.1"
    assert description.encode().startswith(b"v=0\r\no=- 0 0 IN IP4 0.0.0.0\r\ns=-\r\n")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "hello",
        "v=1\r\n",
        "o=- 1 1 IN IP4 h\r\nv=0\r\n",
        "v=0\r\nsomething\r\n",
        "v=0\r\no=- 1 1 IN\r\n",
        "v=0\r\nc=IN IP4\r\n",
        "v=0\r\nc=ATM NSAP 47\r\n",
        "v=0\r\nm=audio RTP/AVP 0\r\n",
        "v=0\r\nm=audio 70000 RTP/AVP 0\r\n",
        "v=0\r\n" + "a=x\r\n" * 1000,
    ],
)
def test_what_is_no_description(text):
    with pytest.raises(SipError, match=r"^400 Bad SDP"):
        SessionDescription.parse(text.encode())


words = st.text("abcXYZ019-", min_size=1, max_size=10)
addresses = st.sampled_from(["192.0.2.7", "2001:db8::7", "0.0.0.0"])
attributes = st.lists(st.tuples(words, st.none() | words), max_size=4).map(tuple)
media = st.builds(
    MediaDescription,
    st.sampled_from(["audio", "video", "image"]),
    st.integers(0, 65535),
    st.sampled_from(["RTP/AVP", "RTP/SAVPF", "udptl"]),
    st.lists(words, min_size=1, max_size=4).map(tuple),
    st.none() | addresses,
    attributes,
    st.integers(1, 4),
    st.sampled_from([(), (("i", "x"),), (("b", "AS:64"), ("b", "TIAS:9"), ("k", "prompt"))]),
)
descriptions = st.builds(
    SessionDescription,
    st.builds(Origin, words, st.integers(0, 2**70).map(str), st.integers(0, 2**70).map(str), addresses),
    st.lists(media, max_size=3).map(tuple),
    st.none() | addresses,
    words,
    attributes,
    st.sampled_from(
        [(("t", "0 0"),), (("b", "AS:80"), ("t", "0 0")), (("u", "x"), ("t", "1 2"), ("r", "7"))]
    ),
)


@settings(max_examples=30)
@given(descriptions)
def test_what_is_written_is_read_as_it_was(description):
    assert SessionDescription.parse(description.encode()) == description


@given(st.binary(max_size=80) | st.binary(max_size=40).map(lambda tail: (HEAD + AUDIO).encode()[:200] + tail))
def test_any_bytes_are_answered_or_a_sip_error(data):
    for read in (
        lambda: sdp.answer(data, address=US, port=5000, codecs=("PCMU",)),
        lambda: sdp.accept_answer(offer(), data),
    ):
        try:
            read()
        except SipError as error:
            assert error.status in (400, 488)  # noqa: PT017 - it is one of two right outcomes


# --- answering


def test_an_answer_takes_the_codec_of_the_offer_that_we_like_best():
    assert answer(HEAD + AUDIO).remote.codec == "PCMU"
    negotiated = answer(HEAD + AUDIO, codecs=("opus", "pcma", "pcmu"))
    assert negotiated.remote == RemoteAudio(
        address=THEM,
        port=4000,
        codec="PCMA",
        payload_type=8,
        receive_payload_type=8,
        telephone_event=101,
        receive_telephone_event=101,
    )
    ours = SessionDescription.parse(negotiated.sdp)
    assert ours.origin.address == ours.address == US
    assert (ours.media[0].port, ours.media[0].formats) == (5000, ("8", "101"))
    assert answer(HEAD + AUDIO, codecs=("PCMU",)).remote.codec == "PCMU"


def test_a_static_payload_type_needs_no_map_and_a_map_beats_it():
    assert answer(HEAD + "m=audio 4000 RTP/AVP 0\r\n").remote.codec == "PCMU"
    mapped = answer(
        HEAD + "m=audio 4000 RTP/AVP 0 97\r\na=rtpmap:0 L16/44100\r\na=rtpmap:97 pcma/8000\r\n"
    ).remote
    assert (mapped.codec, mapped.payload_type, mapped.receive_payload_type) == ("PCMA", 97, 97)


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ("m=audio 4000 RTP/AVP 0\r\n", None),
        ("m=audio 4000 RTP/AVP 0 96\r\na=rtpmap:96 telephone-event/8000\r\n", 96),
        (
            "m=audio 4000 RTP/AVP 0 96 97\r\na=rtpmap:96 TELEPHONE-EVENT/48000\r\n"
            "a=rtpmap:97 telephone-event/8000\r\n",
            97,
        ),
        ("m=audio 4000 RTP/AVP 0 96\r\na=rtpmap:96 telephone-event/48000\r\n", None),
        ("m=audio 4000 RTP/AVP 0\r\na=rtpmap:96 telephone-event/8000\r\n", None),
    ],
)
def test_telephone_event_is_answered_when_offered_at_the_codecs_clock_rate(lines, expected):
    negotiated = answer(HEAD + lines)
    assert negotiated.remote.telephone_event == negotiated.remote.receive_telephone_event == expected
    assert (b"telephone-event" in negotiated.sdp) is (expected is not None)


def test_streams_but_the_first_usable_audio_are_refused_in_their_place():
    negotiated = answer(
        HEAD
        + "m=video 4002 RTP/AVP 31\r\nm=audio 4004 RTP/SAVP 0\r\nm=audio 4006 RTP/AVP 18\r\n"
        + "m=audio 0 RTP/AVP 0\r\n"
        + AUDIO
        + "m=audio 4010 RTP/AVP 0\r\nm=image 4012 udptl t38\r\n"
    )
    ours = SessionDescription.parse(negotiated.sdp).media
    assert [(stream.kind, stream.port) for stream in ours] == [
        ("video", 0),
        ("audio", 0),
        ("audio", 0),
        ("audio", 0),
        ("audio", 5000),
        ("audio", 0),
        ("image", 0),
    ]
    assert negotiated.remote.port == 4000


# RFC 3264 §6.1: the answer's direction, by the offer's and by what we want.
@pytest.mark.parametrize(
    ("offered", "wanted", "answered"),
    [
        ("sendrecv", "sendrecv", "sendrecv"),
        ("sendonly", "sendrecv", "recvonly"),
        ("recvonly", "sendrecv", "sendonly"),
        ("inactive", "sendrecv", "inactive"),
        ("sendrecv", "sendonly", "sendonly"),
        ("sendonly", "sendonly", "inactive"),
        ("recvonly", "recvonly", "inactive"),
        ("sendrecv", "inactive", "inactive"),
    ],
)
def test_directions(offered, wanted, answered):
    text = HEAD + AUDIO.replace("sendrecv", offered)
    negotiated = answer(text, direction=Direction(wanted))
    assert negotiated.remote.direction is Direction(answered)
    assert f"a={answered}\r\n".encode() in negotiated.sdp


def test_the_sessions_direction_holds_for_media_that_say_none():
    text = HEAD + "a=sendonly\r\n" + AUDIO.replace("a=sendrecv\r\n", "")
    assert answer(text).remote.direction is Direction.RECVONLY


def test_hold_by_the_address_zero():
    remote = answer((HEAD + AUDIO).replace(f"c=IN IP4 {THEM}", "c=IN IP4 0.0.0.0")).remote
    assert (remote.send, remote.receive) == (False, True)


@pytest.mark.parametrize(("ptime", "expected"), [("30", 30), ("5", 20), ("x", 20), ("²0", 20), ("99999", 20)])
def test_ptime(ptime, expected):
    assert answer(HEAD + AUDIO.replace("ptime:20", f"ptime:{ptime}")).remote.ptime_ms == expected


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (HEAD, "no media"),
        (HEAD + "m=audio 4000 RTP/AVP 18 3\r\n", "audio RTP/AVP G729, GSM; we take PCMU, PCMA"),
        (HEAD + "m=audio 4000 RTP/AVP 96\r\na=rtpmap:96 PCMU/16000\r\n", "we take"),
        (HEAD + "m=audio 4000 RTP/AVP 96\r\na=rtpmap:96 PCMU/8000/2\r\n", "we take"),
        (HEAD + "m=audio 4000 RTP/SAVP 0\r\n", "RTP/SAVP"),
        (HEAD + "m=audio 0 RTP/AVP 0\r\n", "we take"),
        (HEAD + "m=video 4000 RTP/AVP 31\r\n", "video"),
        (HEAD.replace(f"c=IN IP4 {THEM}\r\n", "") + AUDIO, "media address '' is no IP address"),
        (HEAD.replace(f"IP4 {THEM}\r\nt", "IP4 phone.example.org\r\nt") + AUDIO, "phone.example.org"),
        (HEAD.replace(f"IP4 {THEM}\r\nt", "IP6 2001:db8::9\r\nt") + AUDIO, "2001:db8::9, ours is 192.0.2.1"),
    ],
)
def test_nothing_in_common(text, reason):
    with pytest.raises(SipError) as raised:
        answer(text)
    assert raised.value.status == 488
    assert reason in raised.value.reason


def test_the_answers_version_changes_exactly_when_the_offers_does():
    def origin(text: str) -> Origin:
        return SessionDescription.parse(answer(text).sdp).origin

    first, again = origin(HEAD + AUDIO), origin(HEAD + AUDIO)
    changed = origin((HEAD + AUDIO).replace("them 7 3", "them 7 4"))
    assert first == again
    assert (changed.session_id, changed.version) == (first.session_id, "4")
    told = SessionDescription.parse(answer(HEAD + AUDIO, session_id=12, version=5).sdp).origin
    assert (told.session_id, told.version) == ("12", "5")


def test_ipv6():
    text = (HEAD + AUDIO).replace(f"IP4 {THEM}", "IP6 2001:db8::9")
    negotiated = answer(text, address="2001:db8::1")
    assert negotiated.remote.address == "2001:db8::9"
    assert b"c=IN IP6 2001:db8::1\r\n" in negotiated.sdp


# --- offering


def test_an_offer():
    assert offer().decode() == (
        "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n"
        "m=audio 5000 RTP/AVP 0 8 101\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:8 PCMA/8000\r\n"
        "a=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\na=ptime:20\r\na=sendrecv\r\n"
    )
    assert b"telephone-event" not in offer(telephone_event=None)


@pytest.mark.parametrize("codecs", [(), ("G729",)])
def test_an_offer_of_what_we_cannot_speak(codecs):
    with pytest.raises(ValueError, match=r"codec"):
        offer(codecs=codecs)


def test_payload_types_are_per_direction():
    text = HEAD + (
        "m=audio 4000 RTP/AVP 98 96\r\na=rtpmap:98 PCMA/8000\r\na=rtpmap:96 telephone-event/8000\r\n"
    )
    remote = sdp.accept_answer(offer(telephone_event=101), text.encode())
    assert (remote.codec, remote.payload_type, remote.receive_payload_type) == ("PCMA", 98, 8)
    assert (remote.telephone_event, remote.receive_telephone_event) == (96, 101)


def test_an_answer_may_leave_out_the_maps_of_what_we_offered():
    remote = sdp.accept_answer(offer(), (HEAD + "m=audio 4000 RTP/AVP 0 101\r\n").encode())
    assert (remote.codec, remote.telephone_event) == ("PCMU", 101)


def test_an_answer_without_telephone_event():
    remote = sdp.accept_answer(offer(), (HEAD + "m=audio 4000 RTP/AVP 0\r\n").encode())
    assert remote.telephone_event is remote.receive_telephone_event is None


@pytest.mark.parametrize("said", list(Direction))
@pytest.mark.parametrize("wanted", list(Direction))
def test_what_we_may_do_after_an_answer(said, wanted):
    text = HEAD + AUDIO.replace("sendrecv", said.value)
    remote = sdp.accept_answer(offer(direction=wanted), text.encode())
    assert remote.send == (wanted.sends and said.receives)
    assert remote.receive == (wanted.receives and said.sends)


@pytest.mark.parametrize(
    "text",
    [
        HEAD,
        HEAD + "m=audio 0 RTP/AVP 0\r\n",
        HEAD + "m=video 9 RTP/AVP 0\r\n",
        HEAD + "m=audio 9 RTP/AVP 101\r\n",
    ],
)
def test_an_answer_that_takes_nothing(text):
    with pytest.raises(SipError, match=r"^488 "):
        sdp.accept_answer(offer(), text.encode())


codecs = st.lists(st.sampled_from(["PCMU", "PCMA", "G722", "OPUS"]), min_size=1, unique=True)


@given(
    codecs,
    codecs,
    st.none() | st.integers(96, 127),
    st.booleans(),
    st.sampled_from(Direction),
    st.sampled_from(Direction),
)
def test_both_sides_understand_the_same(ours, theirs, event, noise, our_direction, their_direction):
    made = offer(codecs=ours, telephone_event=event, comfort_noise=noise, direction=our_direction)
    if not set(ours) & set(theirs):
        with pytest.raises(SipError):
            sdp.answer(made, address=THEM, port=4000, codecs=theirs, direction=their_direction)
        return
    seen = sdp.answer(made, address=THEM, port=4000, codecs=theirs, direction=their_direction)
    mine, other = sdp.accept_answer(made, seen.sdp), seen.remote
    assert mine.codec == other.codec == next(codec for codec in theirs if codec in ours)
    assert (mine.payload_type, mine.receive_payload_type) == (other.receive_payload_type, other.payload_type)
    assert mine.telephone_event == other.receive_telephone_event
    assert (mine.telephone_event is None) == (event is None)
    assert mine.comfort_noise == other.comfort_noise == (noise and mine.codec != "OPUS")
    assert (mine.send, mine.receive) == (other.receive, other.send)
    assert (mine.address, other.address) == (THEM, US)


def lines_of(description):
    return [
        line for line in description.decode().split("\r\n") if line.startswith(("m=", "a=rtpmap", "a=fmtp"))
    ]


def test_an_offer_of_all_codecs_has_events_at_both_clock_rates():
    assert lines_of(offer(codecs=("pcmu", "pcma", "g722", "opus"), comfort_noise=True)) == [
        "m=audio 5000 RTP/AVP 0 8 9 111 13 101 96",
        "a=rtpmap:0 PCMU/8000",
        "a=rtpmap:8 PCMA/8000",
        "a=rtpmap:9 G722/8000",  # RFC 3551 §4.5.2: though it samples 16000
        "a=rtpmap:111 opus/48000/2",  # RFC 7587 §7: though it is mono
        "a=fmtp:111 useinbandfec=1",
        "a=rtpmap:13 CN/8000",
        "a=rtpmap:101 telephone-event/8000",
        "a=fmtp:101 0-15",
        "a=rtpmap:96 telephone-event/48000",
        "a=fmtp:96 0-15",
    ]


OPUS = """\
m=audio 4000 RTP/AVP 102 9 0 97 98 13
a=rtpmap:102 opus/48000/2
a=fmtp:102 maxplaybackrate=16000; stereo=1
a=rtpmap:97 telephone-event/8000
a=rtpmap:98 telephone-event/48000
a=ptime:40
"""


@pytest.mark.parametrize(
    ("codecs", "expected"),
    [
        (("opus", "pcmu"), ("OPUS", 102, 98, False)),
        (("g722", "opus"), ("G722", 9, 97, True)),
        (("pcma", "pcmu"), ("PCMU", 0, 97, True)),
    ],
)
def test_events_and_noise_are_taken_at_the_codecs_own_clock_rate(codecs, expected):
    remote = answer(HEAD + OPUS, codecs=codecs).remote
    assert (remote.codec, remote.payload_type, remote.telephone_event, remote.comfort_noise) == expected
    assert remote.ptime_ms == 40


def test_opus_is_answered_under_the_offers_number_with_what_we_can_use():
    assert lines_of(answer(HEAD + OPUS, codecs=("opus",)).sdp) == [
        "m=audio 5000 RTP/AVP 102 98",
        "a=rtpmap:102 opus/48000/2",
        "a=fmtp:102 useinbandfec=1",
        "a=rtpmap:98 telephone-event/48000",
        "a=fmtp:98 0-15",
    ]


def test_an_opus_of_another_clock_is_not_opus():
    with pytest.raises(SipError, match="488"):
        answer(HEAD + "m=audio 4000 RTP/AVP 96\r\na=rtpmap:96 opus/16000\r\n", codecs=("opus",))


def test_the_longest_packet_allowed_beats_the_one_wished_for():
    remote = answer(HEAD + "m=audio 4000 RTP/AVP 0\r\na=ptime:60\r\na=maxptime:30\r\n").remote
    assert remote.ptime_ms == 30
