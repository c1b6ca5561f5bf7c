"""What is known of a contact, and of the visitor who made it: all that conversions are made of."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Contact:
    """A call, text, form, chat, social message or lead. ``id`` is its order id everywhere."""

    of: str  # "calls", "texts", "forms", …
    id: str
    at_ms: int
    visitor: str = ""
    probability: float = 1.0
    source: str = ""
    medium: str = ""
    campaign: str = ""
    keyword: str = ""
    landing_page: str = ""
    status: str = ""
    over: bool = True
    incoming: bool = True
    outcome: str = ""
    score: int | None = None
    tags: frozenset[str] = frozenset()
    talk_s: float = 0.0
    value: float | None = None  # what somebody says that it brought in
    milestones: frozenset[str] = frozenset()  # that the visitor reached by it: lead, qualified, sale
    phone: str = ""  # E.164
    email: str = ""


@dataclass(frozen=True, slots=True)
class Arrived:
    """A visitor's way to the website: when, on which page, and the parameters of the URL."""

    at_ms: int
    page: str
    params: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Known:
    """A visitor: arrivals up to the contact, newest first, and what platforms' own cookies say."""

    id: str
    first_ms: int
    arrivals: tuple[Arrived, ...] = ()
    ids: Mapping[str, str] = field(default_factory=dict)

    @property
    def refused(self) -> bool:
        return self.ids.get("consent") == "refused"

    @property
    def agreed(self) -> bool:
        """The page asked, and the visitor said yes; else the law of the country let us not ask."""
        return self.ids.get("consent") == "given"

    def click(self, *names: str) -> tuple[str, str, int] | None:
        """The last click that one of these parameters marks: its name, value and time. Of several in one
        URL the first named."""
        for arrival in self.arrivals:
            for name in names:
                if value := arrival.params.get(name):
                    return name, value, arrival.at_ms
        return None
