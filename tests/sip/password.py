"""What a phone that knows its password answers to a challenge."""

from collections.abc import Sequence

from sip.digest import Client


def authorize(
    challenges: Sequence[str],
    *,
    method: str,
    uri: str,
    username: str,
    password: str,
    body: bytes = b"",
    cnonce: str | None = None,
) -> str | None:
    """The Authorization that answers these challenges; None if there is none that we can answer."""
    client = Client(username, password)
    if not client.challenged(challenges):
        return None
    return client.authorization(method=method, uri=uri, body=body, cnonce=cnonce)
