"""How the carriers stand, as the API says it."""

from sip import TrunkStatus
from sip.registration import RegistrationState


def test_trunks(site) -> None:
    assert site.get("/api/trunks").json() == {"trunks": []}
    hops = (("udp:192.0.2.1:5060", True), ("udp:192.0.2.2:5060", False))
    site.state.trunks = lambda: [TrunkStatus("main", False, RegistrationState.FAILED, "403 Forbidden", hops)]
    assert site.get("/api/trunks").json()["trunks"] == [
        {
            "name": "main",
            "up": False,
            "registration": "failed",
            "problem": "403 Forbidden",
            "hops": [
                {"address": "udp:192.0.2.1:5060", "up": True},
                {"address": "udp:192.0.2.2:5060", "up": False},
            ],
        }
    ]
    assert site.get("/api/trunks", role=None).status_code == 401
