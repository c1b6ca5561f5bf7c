"""Where the server listens and whom it reaches, as an admin writes it."""

import re
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address

TRANSPORTS = ("udp", "tcp", "tls", "ws", "wss")

_HOST = re.compile(
    r"(?=.{1,253}$)[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9])?(\.[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9])?)*"
)
_ADDRESS = re.compile(r"(?:\[(?P<v6>[^\]]*)\]|(?P<host>[^:\[\]]*)):(?P<port>\d{1,6})", re.ASCII)
_URL = re.compile(r"(?P<scheme>[a-z]+)://(?P<rest>.+)")
_PORTS = re.compile(r"(\d{1,6})\s*-\s*(\d{1,6})", re.ASCII)
_SIP_URI = re.compile(r"sip:(?:(?P<user>[^@\s]+)@)?(?P<hostport>[^;?\s]+)(?P<rest>[;?]\S*)?")


@dataclass(frozen=True, slots=True)
class Address:
    """A host (name or IP address) and a port."""

    host: str
    port: int


@dataclass(frozen=True, slots=True)
class ListenUrl:
    """A transport and where it is spoken."""

    transport: str
    host: str
    port: int


def parse_address(text: str) -> Address:
    """``127.0.0.1:8080``, ``[::1]:8080``, ``:8080`` for every address. Raises ValueError."""
    match = _ADDRESS.fullmatch(text)
    if not match:
        raise ValueError(f"{text!r} is no address and port, such as 127.0.0.1:8080 or [::1]:8080")
    port = int(match["port"])
    if port > 65535:
        raise ValueError(f"port {port} in {text!r} is over 65535")
    if match["v6"] is not None:
        return Address(str(_v6(match["v6"], text)), port)
    return Address(check_host(match["host"]) if match["host"] else "0.0.0.0", port)


def parse_listen_url(text: str) -> ListenUrl:
    """``udp://127.0.0.1:5060`` or ``tcp://…``. Raises ValueError."""
    match = _URL.fullmatch(text)
    if not match:
        raise ValueError(f"{text!r} is no address to listen on, such as udp://127.0.0.1:5060")
    if match["scheme"] not in TRANSPORTS:
        raise ValueError(f"transport {match['scheme']!r} in {text!r} is none of {', '.join(TRANSPORTS)}")
    address = parse_address(match["rest"])
    return ListenUrl(match["scheme"], address.host, address.port)


def parse_origin(text: str) -> tuple[str, str, int | None]:
    """``https://www.example.com``: scheme, host and port of a website. Raises ValueError."""
    match = re.fullmatch(r"(https?)://([^/:?#@\s]+|\[[0-9A-Fa-f:]+\])(?::(\d{1,5}))?", text)
    if not match:
        raise ValueError(f"{text!r} is no website's origin, such as https://www.example.com, without a path")
    return match[1], check_host(match[2].strip("[]")).lower(), int(match[3]) if match[3] else None


def parse_port_range(text: str) -> tuple[int, int]:
    """``20000-24999``: first and last. Raises ValueError."""
    match = _PORTS.fullmatch(text)
    if not match:
        raise ValueError(f"{text!r} is no range of ports, such as 20000-24999")
    first, last = int(match[1]), int(match[2])
    if not 1024 <= first <= 65535 or not 1024 <= last <= 65535:
        raise ValueError(f"{text!r}: ports go from 1024 to 65535")
    if last - first < 3:
        raise ValueError(f"{text!r} holds no call: each needs two ports for RTP and RTCP a leg")
    return first, last


def parse_sip_uri(text: str) -> str:
    """A contact such as ``sip:desk@10.0.0.7:5060``. Raises ValueError."""
    match = _SIP_URI.fullmatch(text)
    if not match:
        raise ValueError(f"{text!r} is no SIP URI, such as sip:desk@10.0.0.7:5060")
    hostport = match["hostport"]
    if hostport.startswith("[") and hostport.endswith("]"):
        _v6(hostport[1:-1], text)
    elif ":" in hostport:
        parse_address(hostport)
    else:
        check_host(hostport)
    return text


def check_host(text: str) -> str:
    """An IP address or a host name. Raises ValueError."""
    try:
        return str(ip_address(text))
    except ValueError:
        if not _HOST.fullmatch(text) or re.fullmatch(r"[\d.]+", text):
            raise ValueError(f"{text!r} is neither an IP address nor a host name") from None
    return text


def _v6(text: str, whole: str) -> IPv6Address:
    try:
        return IPv6Address(text)
    except ValueError:
        raise ValueError(f"{text!r} in {whole!r} is no IPv6 address") from None
