"""HTTP calls out: webhooks of flows, events, texts, conversions. One careful client for all of them.

A URL in a config or a flow says where a request goes, but a name in it is looked up by servers that
somebody else runs, and a caller's words may be part of it. So that no request can be led to the
machines behind our own firewall (server-side request forgery), the client looks the name up itself,
checks every address, and connects to the one that it checked:

- link-local, multicast and unspecified addresses are never called (169.254.169.254 hands out a
  cloud machine's credentials);
- an address that is not public is called only if the URL names that very address or ``localhost``
  (an admin wrote it), or ``outgoing.private`` lists the name or the network;
- redirects are not followed, proxies of the environment not used, and no more than ``LONGEST_ANSWER``
  bytes are read.

Failures are an answer like any other: :attr:`~pbx.httpcalls.WebAnswer.problem` says what went wrong.
"""

import asyncio
import contextlib
import socket
from collections.abc import Sequence
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Protocol

import httpx

from pbx.httpcalls import TIMEOUT, WebAnswer, WebRequest

LONGEST_ANSWER = 256 * 1024
SKIP_S = 1.0
"""How long a body may take that nobody reads."""
AGENT = "dialtrace"


class Refused(Exception):  # noqa: N818 - a rule, not a fault
    """The address is not to be called; the message says why."""


Address = IPv4Address | IPv6Address


class Sender(Protocol):
    """Whoever carries requests: the client below, or a test's."""

    async def send(self, request: WebRequest) -> WebAnswer:
        """The answer, or why there is none."""
        ...


class WebClient:
    """``private``: names and networks of the inner network that may be called."""

    def __init__(self, private: Sequence[str] = ()) -> None:
        self.private = tuple(private)
        self._http = httpx.AsyncClient(
            follow_redirects=False, trust_env=False, headers={"User-Agent": AGENT}, timeout=None
        )

    async def close(self) -> None:
        await self._http.aclose()

    async def send(self, request: WebRequest) -> WebAnswer:
        """The answer, or why there is none; raises nothing that the far end could cause."""
        try:
            async with asyncio.timeout(request.timeout_s):
                return await self._send(request)
        except TimeoutError:
            return WebAnswer(problem=TIMEOUT)
        except Refused as refused:
            return WebAnswer(problem=str(refused))
        except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
            return WebAnswer(problem=f"{type(error).__name__}: {error}".rstrip(": "))

    async def _send(self, request: WebRequest) -> WebAnswer:
        url = httpx.URL(request.url)
        if url.scheme not in ("http", "https") or not url.host:
            raise Refused(f"{url.scheme}:// is no address for a webhook")
        port = url.port or (443 if url.scheme == "https" else 80)
        problem: httpx.HTTPError | None = None
        for address in await self._addresses(url.host, port):
            try:
                return await self._send_to(address, url, request)
            except httpx.ConnectError as error:
                problem = error  # the name's next address may be alive
        assert problem is not None
        raise problem

    async def _send_to(self, address: Address, url: httpx.URL, request: WebRequest) -> WebAnswer:
        headers = {**request.headers, "Host": url.netloc.decode("ascii")}
        async with self._http.stream(
            request.method,
            url.copy_with(host=str(address)),
            headers=headers,
            content=request.body,
            extensions={"sni_hostname": url.host},
        ) as response:
            if request.status_only:
                await self._skip(response)
                return WebAnswer(response.status_code, b"", dict(response.headers))
            body = bytearray()
            async for chunk in response.aiter_bytes():
                body += chunk
                if len(body) > LONGEST_ANSWER:
                    raise Refused(f"the answer is longer than {LONGEST_ANSWER} bytes")
            return WebAnswer(response.status_code, bytes(body), dict(response.headers))

    async def _skip(self, response: httpx.Response) -> None:
        """A body that is short and soon there is read, so that the connection can be used again."""
        read = 0
        with contextlib.suppress(TimeoutError, httpx.HTTPError):
            async with asyncio.timeout(SKIP_S):
                async for chunk in response.aiter_raw():
                    read += len(chunk)
                    if read > LONGEST_ANSWER:
                        return

    async def _addresses(self, host: str, port: int) -> list[Address]:
        """Where the host is; every address of it must be one that may be called. Raises Refused."""
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
        addresses = list(dict.fromkeys(ip_address(str(entry[4][0]).partition("%")[0]) for entry in found))
        named = _literal(host)
        for address in addresses:
            if fault := self.fault(host, address, named=named is not None):
                raise Refused(fault)
        return addresses

    def fault(self, host: str, address: Address, *, named: bool) -> str:
        """Why ``address`` of ``host`` is not called, "" if it is. ``named``: the URL says it itself."""
        plain = getattr(address, "ipv4_mapped", None) or address
        if plain.is_link_local or plain.is_multicast or plain.is_unspecified:
            return f"{host} is at {plain}, which is never called"
        if plain.is_global or named or (host == "localhost" and plain.is_loopback):
            return ""
        for allowed in self.private:
            if allowed.lower() == host.lower():
                return ""
            with contextlib.suppress(ValueError):
                if plain in ip_network(allowed):
                    return ""
        return f"{host} is at {plain}, which is not public; list it in outgoing.private if that is meant"


def _literal(host: str) -> Address | None:
    try:
        return ip_address(host.strip("[]"))
    except ValueError:
        return None
