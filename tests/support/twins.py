"""A live call and its simulation, side by side: what of each must agree."""

from collections.abc import Mapping
from typing import Any

from pbx.flows.simulation import Simulation


def seen(live: Mapping[str, Any]) -> dict[str, object]:
    """Of a call as the API gives it."""
    rings = [
        leg["target"] for leg in live["legs"] if leg["role"] != "caller" and leg["cause"] != "not_registered"
    ]
    return {
        "path": tuple(live["path"]),
        "status": live["status"],
        "source": live["source"],
        "reasons": tuple(live["attribution"]["reasons"]),
        "cause": live["cause"],
        "tags": tuple(live["tags"]),
        "rings": tuple(dict.fromkeys(rings)),
    }


def expected(simulated: Simulation) -> dict[str, object]:
    """The same of a simulation."""
    return {
        "path": simulated.path,
        "status": simulated.status,
        "source": simulated.source,
        "reasons": simulated.reasons,
        "cause": simulated.cause,
        "tags": simulated.tags,
        "rings": simulated.rings,
    }
