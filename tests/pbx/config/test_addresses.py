"""Addresses as admins write them."""

import pytest

from pbx.config.addresses import (
    Address,
    ListenUrl,
    check_host,
    parse_address,
    parse_listen_url,
    parse_port_range,
    parse_sip_uri,
)


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("127.0.0.1:8080", Address("127.0.0.1", 8080)),
        ("[::1]:8080", Address("::1", 8080)),
        (":80", Address("0.0.0.0", 80)),
        ("pbx.example.com:443", Address("pbx.example.com", 443)),
        ("localhost:0", Address("localhost", 0)),
    ],
)
def test_addresses(text, address):
    assert parse_address(text) == address


@pytest.mark.parametrize(
    "text", ["", "8080", "::1:80", "a b:80", "127.0.0.1:", "127.0.0.1:70000", "1.2.3:80"]
)
def test_no_addresses(text):
    with pytest.raises(ValueError, match=r"such as|70000|neither"):
        parse_address(text)


def test_listen_urls():
    assert parse_listen_url("udp://[::]:5060") == ListenUrl("udp", "::", 5060)
    assert parse_listen_url("tcp://10.0.0.1:5060") == ListenUrl("tcp", "10.0.0.1", 5060)


@pytest.mark.parametrize(
    "text", ["udp://", "udp:10.0.0.1:5060", "UDP://10.0.0.1:5060", "sctp://h:1", "udp://h"]
)
def test_no_listen_urls(text):
    with pytest.raises(ValueError, match=r"such as|is none of"):
        parse_listen_url(text)


def test_port_ranges():
    assert parse_port_range("20000-24999") == (20000, 24999)
    assert parse_port_range("20000 - 24999") == (20000, 24999)


@pytest.mark.parametrize("text", ["20000", "20000-", "20000-20001", "80-90", "60000-70000", "9-1", "a-b"])
def test_no_port_ranges(text):
    with pytest.raises(ValueError, match=repr(text)):
        parse_port_range(text)


@pytest.mark.parametrize(
    "text",
    ["sip:a@10.0.0.1", "sip:a@h:5060;transport=tcp", "sip:10.0.0.1:5080", "sip:a@[::1]:5060", "sip:a@[::1]"],
)
def test_sip_uris(text):
    assert parse_sip_uri(text) == text


@pytest.mark.parametrize(
    "text", ["a@h", "sips:a@h", "sip:", "sip:a b@h", "sip:a@h:x", "tel:+1212", "sip:a@[x]"]
)
def test_no_sip_uris(text):
    with pytest.raises(ValueError, match=r"no SIP URI|no address|no IPv6"):
        parse_sip_uri(text)


def test_hosts():
    assert check_host("a-b.example.com") == "a-b.example.com"
    for text in ("", "a..b", "-a", "a b", "300.1.1.1", "x" * 300):
        with pytest.raises(ValueError, match="neither"):
            check_host(text)
