"""The one client for HTTP out: where it goes, where it never goes, and what failures look like."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address

import pytest

from pbx.httpcalls import TIMEOUT, WebAnswer, WebRequest
from pbx.httpclient import LONGEST_ANSWER, WebClient
from pbx.signing import sign, verify
from tests.support.program import Program, Received, Reply, program


def with_program(
    scenario: Callable[[Program, WebClient], Awaitable[None]],
    replies: Callable[[Received], Reply | None] | None = None,
) -> None:
    async def main() -> None:
        client = WebClient()
        try:
            async with program(replies) as running, asyncio.timeout(30):
                await scenario(running, client)
        finally:
            await client.close()

    asyncio.run(main())


def test_a_request_arrives_as_it_was_made() -> None:
    async def scenario(running: Program, client: WebClient) -> None:
        request = WebRequest(f"{running.url}/a?b=c", "PUT", {"X-One": "1"}, b"body")
        assert await client.send(request) == WebAnswer(201, b"made", {"content-length": "4"})
        (got,) = running.received
        assert (got.method, got.path, got.body, got.headers["x-one"]) == ("PUT", "/a?b=c", b"body", "1")
        assert got.headers["host"] == f"127.0.0.1:{running.port}"

    with_program(scenario, lambda request: (201, b"made"))


def test_redirects_are_not_followed() -> None:
    async def scenario(running: Program, client: WebClient) -> None:
        answer = await client.send(WebRequest(running.url))
        assert (answer.status, answer.ok, len(running.received)) == (302, False, 1)

    with_program(scenario, lambda request: (302, b""))


def test_no_answer_in_time() -> None:
    async def scenario(running: Program, client: WebClient) -> None:
        assert (await client.send(WebRequest(running.url, timeout_s=0.2))).problem == TIMEOUT

    with_program(scenario, lambda request: None)


def test_an_answer_without_end_is_not_read() -> None:
    async def scenario(running: Program, client: WebClient) -> None:
        answer = await client.send(WebRequest(running.url))
        assert answer.problem == f"the answer is longer than {LONGEST_ANSWER} bytes"

    with_program(scenario, lambda request: (200, bytes(LONGEST_ANSWER + 1)))


def test_where_the_status_says_all_a_long_body_is_no_failure() -> None:
    async def scenario(running: Program, client: WebClient) -> None:
        for _ in range(2):
            answer = await client.send(WebRequest(running.url, status_only=True))
            assert (answer.status, answer.ok, answer.body, answer.problem) == (200, True, b"", "")
        assert len(running.received) == 2

    with_program(scenario, lambda request: (200, bytes(4 * LONGEST_ANSWER)))


def test_where_the_status_says_all_a_body_that_does_not_come_is_no_failure() -> None:
    async def main() -> None:
        served: list[asyncio.Task[None] | None] = []

        async def promise(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            served.append(asyncio.current_task())
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
            await writer.drain()
            await reader.read()  # until the client has had enough
            writer.close()
            await writer.wait_closed()

        far_end = await asyncio.start_server(promise, "127.0.0.1", 0)
        client = WebClient()
        try:
            url = f"http://127.0.0.1:{far_end.sockets[0].getsockname()[1]}/"
            assert (await client.send(WebRequest(url, status_only=True))).ok
            assert (await client.send(WebRequest(url, timeout_s=0.2))).problem == TIMEOUT
        finally:
            await client.close()
            await asyncio.gather(*filter(None, served))
            far_end.close()

    asyncio.run(main())


def test_nobody_listens() -> None:
    async def scenario(running: Program, client: WebClient) -> None:
        answer = await client.send(WebRequest("http://127.0.0.1:1/"))
        assert answer.status == 0
        assert "ConnectError" in answer.problem

    with_program(scenario)


@pytest.mark.parametrize("url", ["ftp://host/", "http://", "no url", "http://[::1", "file:///etc/passwd"])
def test_what_is_no_url_is_a_problem_and_no_exception(url: str) -> None:
    async def scenario(running: Program, client: WebClient) -> None:
        answer = await client.send(WebRequest(url))
        assert answer.status == 0
        assert answer.problem

    with_program(scenario)


@pytest.mark.parametrize(
    ("host", "address", "called"),
    [
        ("example.com", "93.184.216.34", True),
        ("example.com", "127.0.0.1", False),  # a name that leads home: DNS rebinding
        ("example.com", "10.0.0.7", False),
        ("example.com", "::ffff:10.0.0.7", False),
        ("example.com", "fd00::1", False),
        ("localhost", "127.0.0.1", True),
        ("127.0.0.1", "127.0.0.1", True),
        ("10.0.0.7", "10.0.0.7", True),  # the admin wrote that very address
        ("169.254.169.254", "169.254.169.254", False),  # a cloud machine's credentials
        ("metadata.internal", "169.254.169.254", False),
        ("0.0.0.0", "0.0.0.0", False),
        ("224.0.0.1", "224.0.0.1", False),
        ("fe80::1", "fe80::1", False),
        ("crm.internal", "10.9.9.9", True),  # listed by name
        ("other.internal", "10.1.2.3", True),  # listed by network
    ],
)
def test_which_addresses_are_called(host: str, address: str, called: bool) -> None:
    async def main() -> str:
        client = WebClient(private=["crm.internal", "10.1.0.0/16"])
        try:
            return client.fault(host, ip_address(address), named=host == address)
        finally:
            await client.close()

    assert (asyncio.run(main()) == "") is called


NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("secret", "body", "later_s", "says"),
    [
        ("secret", b"body", 0, ""),
        ("secret", b"body", 299, ""),
        ("secret", b"body", 301, "more than 300 s old"),
        ("secret", b"body", -301, "of the future"),
        ("secret", b"other", 0, "does not belong"),
        ("wrong", b"body", 0, "does not belong"),
    ],
)
def test_a_signature_is_good_for_its_body_secret_and_time(
    secret: str, body: bytes, later_s: int, says: str
) -> None:
    fault = verify(secret, sign("secret", b"body", NOW), body, NOW + timedelta(seconds=later_s))
    assert says in fault
    assert bool(says) == bool(fault)


@pytest.mark.parametrize("header", ["", "t=1", "v1=ab", "t=x,v1=ab", f"t={'9' * 5000},v1=ab", "nonsense"])
def test_what_is_no_signature_is_refused(header: str) -> None:
    assert "is not written as" in verify("secret", header, b"", NOW)


def test_a_signature_in_strange_letters_is_refused() -> None:
    assert "does not belong" in verify("secret", "t=1764072000,v1=\xe9", b"", NOW)
