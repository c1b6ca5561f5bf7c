"""What one part of ``config.yaml`` says of another: names that must exist, numbers claimed once.

Works on the data rather than on the models, so that a fault in a part's shape never hides what it
refers to.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from ipaddress import ip_network
from pathlib import Path

from pbx.config.addresses import parse_listen_url, parse_port_range
from pbx.config.conversioncheck import check_conversions
from pbx.config.dialling import check_dialling
from pbx.config.document import Document, Loc
from pbx.config.flowfile import report_number
from pbx.config.matchcheck import check_matches
from pbx.config.problems import did_you_mean
from pbx.config.queuecheck import check_queues
from pbx.config.trackingcheck import check_tracking
from pbx.config.unbuilt import warn_of_unbuilt
from pbx.config.valuecheck import check_whispers
from pbx.flows.step import ReferenceKind
from pbx.numbering import is_country, normalise

_SECTIONS = {
    ReferenceKind.AGENT: "agents",
    ReferenceKind.QUEUE: "queues",
    ReferenceKind.TRUNK: "trunks",
    ReferenceKind.CONFERENCE: "conferences",
    ReferenceKind.TEXTS: "texts",
}

_DATABASES = ("sqlite", "postgresql", "postgresql+psycopg")


@dataclass(frozen=True, slots=True)
class Known:
    """What a flow can name."""

    names: Mapping[ReferenceKind, list[str]]
    carriers: frozenset[str] | None  # the trunks over which calls can go out


def known(document: Document, flows: Iterable[str]) -> Known:
    """Everything there is, whether or not its own shape is right.

    Of a config that could not be read nothing is known, and nothing in the flows held against it.
    """
    if document.data is None:
        return Known({ReferenceKind.FLOW: list(flows)}, None)
    names = {kind: [str(loc[-1]) for loc in document.matching(key, "*")] for kind, key in _SECTIONS.items()}
    carriers = frozenset(str(loc[1]) for loc in document.matching("trunks", "*", "host"))
    return Known({**names, ReferenceKind.FLOW: list(flows)}, carriers)


def country_of(document: Document) -> str:
    """``server.country`` as far as it is one."""
    country = document.text(("server", "country"))
    return country if country is not None and is_country(country) else "US"


def check_config(document: Document, flows: Iterable[str]) -> dict[str, str]:
    """All of the file against itself and the flows' names.

    Returns every number of the file by the way it is written, as E.164.
    """
    _check_references(document, list(flows))
    e164 = _check_numbers(document, country_of(document))
    _check_agents(document)
    check_dialling(document, country_of(document))
    _check_trunks(document)
    _check_stir(document)
    _check_tls(document)
    _check_server(document)
    _check_ports(document)
    check_queues(document)
    check_matches(document)
    check_tracking(document, e164, country_of(document))
    check_whispers(document)
    check_conversions(document)
    warn_of_unbuilt(document)
    return e164


def _check_references(document: Document, flows: list[str]) -> None:
    sources = [str(loc[-1]) for loc in document.matching("sources", "*")]
    agents = [str(loc[-1]) for loc in document.matching("agents", "*")]
    table = (
        (("numbers", "*", "source"), "source", sources),
        (("numbers", "*", "flow"), "flow", flows),
        (("pools", "*", "flow"), "flow", flows),
        (("pools", "*", "sources", "*"), "source", sources),
        (("queues", "*", "members", "*"), "agent", agents),
        (("channels", "callback", "*"), "agent", agents),
        (("channels", "services", "*", "source"), "source", sources),
        (("texts", "*", "trunk"), "trunk", [str(loc[-1]) for loc in document.matching("trunks", "*")]),
    )
    for pattern, what, known in table:
        for loc in document.matching(*pattern):
            name = document.text(loc)
            if name is not None and name not in known:
                document.error(
                    loc, f"no {what} {document.shown(loc)}{did_you_mean(name, known)}", code="unknown-name"
                )
    for queue in document.matching("queues", "*"):
        seen: set[str] = set()
        for loc in document.matching("queues", str(queue[-1]), "members", "*"):
            if (name := document.text(loc)) is not None:
                if name in seen:
                    document.error(loc, f"{document.shown(loc)} is a member twice", code="twice")
                seen.add(name)


def _check_numbers(document: Document, country: str) -> dict[str, str]:
    e164: dict[str, str] = {}
    claims: dict[str, tuple[str, int]] = {}  # by E.164: who claims it, in which line

    def claim(loc: Loc, written: str, owner: str, *, at_key: bool = False) -> None:
        number = normalise(written, country)
        if number is None:
            report_number(document, loc, country, at_key=at_key)
            return
        e164[written] = number
        place = document.key_place(loc) if at_key else document.value_place(loc)
        if number in claims:
            other, line = claims[number]
            document.error(
                loc, f"{number} is claimed twice: {other} has it in line {line}", at_key=at_key, code="twice"
            )
        else:
            claims[number] = owner, place.line

    for loc in document.matching("numbers", "*"):
        claim(loc, str(loc[-1]), "numbers", at_key=True)
    for loc in document.matching("pools", "*", "numbers", "*"):
        if (written := document.text(loc)) is not None:
            claim(loc, written, f"the pool {loc[1]!r}")
    for loc in document.matching("pools", "*", "targets", "*"):
        if (written := document.text(loc)) is None:
            continue
        number = normalise(written, country)
        if number is None:
            report_number(document, loc, country)
            continue
        e164[written] = number
        if number in claims:
            other, line = claims[number]
            document.warn(
                loc,
                f"the target {number} is also a tracking number ({other}, line {line}), which beats the pool",
                code="shared-number",
            )
    return e164


def _check_agents(document: Document) -> None:
    owners: dict[str, str] = {str(loc[-1]): str(loc[-1]) for loc in document.matching("agents", "*")}
    for loc in document.matching("agents", "*"):
        name, agent = str(loc[-1]), document.get(loc)
        if name[:1] == "+" or name[:1].isdigit():
            document.error(
                loc, f"the agent's id {name!r} looks like a number; begin with a letter", at_key=True
            )
        if not isinstance(agent, dict):
            continue
        extension = agent.get("extension")
        if isinstance(extension, (str, int)) and not isinstance(extension, bool):
            owner = owners.setdefault(str(extension), name)
            if owner != name:
                document.error(
                    (*loc, "extension"), f"the extension {extension} is {owner!r}'s already", code="twice"
                )
        _check_credentials(document, loc, agent)


def _check_credentials(document: Document, loc: Loc, agent: Mapping[str, object]) -> None:
    password = agent.get("password")
    if password == "":
        document.error((*loc, "password"), "the password is empty")
    elif isinstance(password, str) and password in (str(loc[-1]), str(agent.get("extension"))):
        document.warn(
            (*loc, "password"),
            "the password is the agent's id or extension: the first one tried",
            code="insecure",
        )
    if password is None and agent.get("contact") is None:
        document.warn(
            loc,
            f"{loc[-1]!r} has neither a password to register with nor a contact: nobody can ring",
            code="cannot-ring",
        )


def _check_trunks(document: Document) -> None:
    owners: dict[object, str] = {}
    for loc in document.matching("trunks", "*"):
        trunk = document.get(loc)
        if not isinstance(trunk, dict):
            continue
        if not trunk.get("allow_from") and not trunk.get("host"):
            document.warn(
                loc,
                f"{loc[-1]!r} takes no calls (no allow_from) and makes none (no host)",
                code="cannot-ring",
            )
        for key in ("host", "username"):
            if trunk.get("register") is True and not trunk.get(key):
                message = f"registering needs a {key}"
                document.error((*loc, "register"), message, at_key=True, code="missing-key")
        if ("username" in trunk) != ("password" in trunk):
            present, missing = ("username", "password") if "username" in trunk else ("password", "username")
            document.error((*loc, present), f"a {present} without a {missing}", at_key=True, code="conflict")
        for network in document.matching("trunks", str(loc[-1]), "allow_from", "*"):
            _check_network(document, network, str(loc[-1]), owners)


def _check_network(document: Document, loc: Loc, trunk: str, owners: dict[object, str]) -> None:
    try:
        network = ip_network(document.text(loc) or "")
    except ValueError:
        return  # the models say so
    if network.prefixlen == 0:
        document.warn(
            loc,
            f"{network} is the whole internet: anybody's calls are this trunk's",
            at_key=False,
            code="insecure",
        )
    if (owner := owners.setdefault(network, trunk)) != trunk:
        document.error(loc, f"calls from {network} are the trunk {owner!r}'s already", code="twice")


def _check_tls(document: Document) -> None:
    """Files that are there; whether they fit each other, the server says when it loads them."""
    folder = document.path.parent
    pairs = [("sip", "tls"), *document.matching("sip", "tls", "names", "*")]
    files = [(*pair, key) for pair in pairs for key in ("certificate", "key")]
    for loc in [*files, ("sip", "tls", "authorities")]:
        path = document.text(loc)
        if path is not None and not (folder / path).is_file():
            document.error(loc, f"there is no file {path}")
    if document.get(("sip", "tls")) is None:
        for loc in document.matching("sip", "listen", "*"):
            if (document.text(loc) or "").startswith(("tls://", "wss://")):
                document.error(loc, f"{document.shown(loc)} needs a certificate: write sip.tls")


def _check_stir(document: Document) -> None:
    for key, kind in (("roots", Path.is_file), ("certificates", Path.is_dir)):
        path = document.text(("stir", key))
        if path is not None and not kind(document.path.parent / path):
            document.error(("stir", key), f"there is no {'file' if key == 'roots' else 'folder'} {path}")


def _check_server(document: Document) -> None:
    url = document.text(("server", "database"))
    if url is not None and url.partition("://")[0] not in _DATABASES:
        document.error(
            ("server", "database"),
            "the database is sqlite:///path or postgresql+psycopg://user:password@host/name",
        )
    folder = document.text(("server", "data_dir"))
    if folder is not None and (document.path.parent / Path(folder)).is_file():
        document.error(
            ("server", "data_dir"), f"{document.shown(('server', 'data_dir'))} is a file, not a folder"
        )


def _check_ports(document: Document) -> None:
    ports = document.text(("media", "rtp_ports")) or "20000-24999"
    try:
        first, last = parse_port_range(ports)
    except ValueError:
        return  # the models say so
    seen: set[object] = set()
    for loc in document.matching("sip", "listen", "*"):
        try:
            url = parse_listen_url(document.text(loc) or "")
        except ValueError:
            continue
        if url in seen:
            document.error(loc, f"{document.shown(loc)} is listed twice", code="twice")
        seen.add(url)
        if url.transport == "udp" and first <= url.port <= last:
            message = f"port {url.port} lies within media.rtp_ports, {first}-{last}"
            document.error(loc, message, code="conflict")
    if document.get(("media", "codecs")) == []:
        document.error(("media", "codecs"), "there is no codec to speak")
    if document.get(("sip", "listen")) == []:
        document.error(("sip", "listen"), "there is no address to listen on")
