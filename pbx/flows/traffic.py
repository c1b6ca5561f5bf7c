"""What went through a flow in some time: calls by step and by way, and where callers hung up."""

from collections import Counter
from dataclasses import dataclass, field


@dataclass(slots=True)
class Traffic:
    """``ways`` counts by step and target (None: the call ended there), ``labels`` by step and exit as well.

    ``hung_up``: callers who left in that step before they talked to anybody or left a message.
    """

    calls: Counter[str] = field(default_factory=Counter)
    ways: Counter[tuple[str, str | None]] = field(default_factory=Counter)
    labels: Counter[tuple[str, str, str | None]] = field(default_factory=Counter)
    hung_up: Counter[str] = field(default_factory=Counter)
