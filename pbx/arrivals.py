"""What an INVITE from a trunk says: the number called, who calls, who sent it on, how far to believe it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from pbx.attestation import Certificates, attestation
from pbx.caller_id import Caller, Diversion, caller_of, diversions_of, readable
from pbx.config.site import Site
from pbx.events import CallIdentified
from pbx.trunk_numbers import read_from
from sip import FromTrunk, ServerSession
from sip.stir import Verdict


@dataclass(frozen=True, slots=True)
class Arrival:
    """``did`` is E.164 where it is a number, else as received."""

    did: str
    caller: Caller
    diversions: Sequence[Diversion]
    verdict: Verdict

    def identified(self, call_id: str, at: datetime) -> CallIdentified | None:
        """The event that keeps what the call's row has no place for; None if there is nothing."""
        if not (self.caller.name or self.caller.withheld or self.diversions or self.verdict.because):
            return None
        return CallIdentified(
            call_id=call_id,
            at=at,
            name=self.caller.name,
            asserted=self.caller.asserted,
            withheld=self.caller.withheld,
            diverted_by=tuple(f"{each.number} ({each.reason})" for each in self.diversions),
            attestation=self.verdict.attestation,
            because=self.verdict.because,
        )


def arrival(session: ServerSession, site: Site, certificates: Certificates, now: datetime) -> Arrival:
    country = site.config.server.country
    name = session.identity.name if isinstance(session.identity, FromTrunk) else ""
    trunk = site.config.trunks.get(name)
    dialled = session.did
    if trunk is not None and trunk.register_ and dialled == trunk.username:
        # Some carriers call what we registered, and name the number in To alone.
        dialled = session.request.to.uri.user or dialled
    did = read_from(dialled, trunk, country) or readable(dialled)
    caller = caller_of(session.request, trunk, country)
    return Arrival(
        did=did,
        caller=caller,
        diversions=diversions_of(session.request, trunk, country),
        verdict=attestation(
            session.request,
            caller=caller.number,
            called=did,
            trusted=trunk is not None and trunk.trust_identity,
            now=now,
            certificates=certificates,
        ),
    )
