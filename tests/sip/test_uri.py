"""URIs: taken apart, put together, compared (RFC 3261 §19.1, RFC 3966)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sip.errors import SipError
from sip.uri import URI

text = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12)
hosts = st.one_of(
    st.from_regex(r"[a-z0-9]([a-z0-9.\-]{0,10}[a-z0-9])?", fullmatch=True),
    st.ip_addresses().map(str),
)
uris = st.builds(
    URI,
    st.sampled_from(["sip", "sips"]),
    text,
    st.none() | st.text(st.characters(exclude_categories=["Cs"]), max_size=8),
    hosts,
    st.none() | st.integers(0, 65535),
    st.dictionaries(text.map(str.lower), st.none() | text, max_size=3).map(
        lambda params: {name: value for name, value in params.items() if name == name.lower()}
    ),
    st.lists(st.tuples(text, st.text(st.characters(exclude_categories=["Cs"]), max_size=8)), max_size=3).map(
        tuple
    ),
)


def fields(uri: URI) -> tuple:
    return (uri.scheme, uri.user, uri.password, uri.host, uri.port, dict(uri.params), uri.headers, uri.opaque)


@given(uris)
def test_what_is_built_is_parsed_as_it_was(uri):
    assert fields(URI.parse(str(uri))) == fields(uri)


@given(st.text(max_size=60) | st.from_regex(r"(sips?|tel):[!-~]{0,40}", fullmatch=True))
def test_any_text_is_a_uri_or_a_sip_error(value):
    try:
        uri = URI.parse(value)
    except SipError as error:
        assert error.status == 400  # noqa: PT017 - it is one of two right outcomes
    else:
        assert fields(URI.parse(str(uri))) == fields(uri)


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("sip:alice@example.org", ("sip", "alice", None, "example.org", None)),
        ("sips:alice:s3cret@example.org:5061", ("sips", "alice", "s3cret", "example.org", 5061)),
        ("sip:[2001:db8::9]:5060", ("sip", None, None, "2001:db8::9", 5060)),
        (
            "sip:+1-212-555-0110;ext=7@gw.example.org",
            ("sip", "+1-212-555-0110;ext=7", None, "gw.example.org", None),
        ),
        ("sip:*72#@10.0.0.1", ("sip", "*72#", None, "10.0.0.1", None)),
        ("SIP:Alice@Example.ORG", ("sip", "Alice", None, "Example.ORG", None)),
        ("tel:+1-212-555-0110;phone-context=example.org", ("tel", "+1-212-555-0110", None, "", None)),
    ],
)
def test_parts(written, expected):
    uri = URI.parse(written)
    assert (uri.scheme, uri.user, uri.password, uri.host, uri.port) == expected


def test_parameters_and_headers():
    uri = URI.parse("sip:a@example.org;transport=TCP;LR;x=%41b?Subject=two%20loaves&to=b")
    assert dict(uri.params) == {"transport": "TCP", "lr": None, "x": "Ab"}
    assert uri.headers == (("Subject", "two loaves"), ("to", "b"))
    assert str(uri) == "sip:a@example.org;transport=TCP;lr;x=Ab?Subject=two%20loaves&to=b"


@pytest.mark.parametrize(
    "written",
    [
        "",
        "example.org",
        "sip:",
        "sip:alice@",
        "sip:@example.org",
        "sip:alice@@example.org",
        "sip:a lice@example.org",
        "sip:alice@example.org:65536",
        "sip:alice@example.org:",
        "sip:alice@example.org;",
        "sip:alice@example.org;a=1;A=2",
        "sip:alice@example.org?",
        "sip:alice@exa<mple.org",
        "sip:%FF@example.org",
        "sip:%4@example.org",
        "sip:ålice@example.org",
        "tel:",
        "tel:12 34",
        "im:",
    ],
)
def test_what_is_no_uri(written):
    with pytest.raises(SipError, match=r"^400 Bad URI"):
        URI.parse(written)


# RFC 3261 §19.1.4, with its examples.
@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("sip:%61lice@atlanta.com;transport=TCP", "sip:alice@AtLanTa.CoM;Transport=tcp"),
        ("sip:carol@chicago.com", "sip:carol@chicago.com;newparam=5"),
        ("sip:carol@chicago.com;newparam=5", "sip:carol@chicago.com;security=on"),
        (
            "sip:biloxi.com;transport=tcp;method=REGISTER?to=sip:bob%40biloxi.com",
            "sip:biloxi.com;method=REGISTER;transport=tcp?to=sip:bob%40biloxi.com",
        ),
        (
            "sip:alice@atlanta.com?subject=project%20x&priority=urgent",
            "sip:alice@atlanta.com?priority=urgent&subject=project%20x",
        ),
        ("tel:+1-212-555.0110", "tel:+12125550110"),
    ],
)
def test_equal(one, other):
    assert URI.parse(one) == URI.parse(other)
    assert hash(URI.parse(one)) == hash(URI.parse(other))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("SIP:ALICE@AtLanTa.CoM;Transport=udp", "sip:alice@AtLanTa.CoM;Transport=UDP"),
        ("sip:bob@biloxi.com", "sip:bob@biloxi.com:5060"),
        ("sip:bob@biloxi.com;transport=udp", "sip:bob@biloxi.com;transport=tcp"),
        ("sip:bob@biloxi.com", "sip:bob@biloxi.com:6000;transport=tcp"),
        ("sip:carol@chicago.com", "sip:carol@chicago.com?Subject=next%20meeting"),
        ("sip:carol@chicago.com;security=on", "sip:carol@chicago.com;security=off"),
        ("sip:bob@biloxi.com", "sips:bob@biloxi.com"),
        ("sip:bob@biloxi.com", "sip:bob@biloxi.com;user=phone"),
        ("sip:bob@biloxi.com", "sip:bob@biloxi.com;maddr=10.0.0.1"),
        ("sip:bob@biloxi.com", "sip:bob:@biloxi.com"),
    ],
)
def test_unequal(one, other):
    assert URI.parse(one) != URI.parse(other)


def test_errors_show_what_was_wrong_in_bounds():
    with pytest.raises(SipError) as raised:
        URI.parse("sip:" + "\r\nx" * 5000)
    assert len(raised.value.reason) < 250
    assert "\n" not in raised.value.reason
