"""From the outbox to a platform: in batches of its size, each parcel with an answer of its own.

A batch that is too long for the platform, or refused as a whole, is sent in halves until it fits or one is
left alone with the fault. What is too old is not sent at all, and what is of a visitor who has refused while
it waited, or is forgotten, is recalled: whoever withdraws consent need not hurry.
"""

from collections.abc import Awaitable, Callable, Collection, Sequence
from collections.abc import Set as AbstractSet

from pbx.clock import Clock
from pbx.conversions.platform import Item, Platform, Split
from pbx.httpcalls import WebRequest
from pbx.httpclient import Sender
from pbx.outbox import Hopeless, Recalled, Result
from pbx.store.outbox import Waiting

KIND = "conversion"


def kind_of(platform: str) -> str:
    """A platform's kind of parcels; also their lane."""
    return f"{KIND}/{platform}"


class ConversionCarrier:
    """``platform`` is asked anew each time: a reload may have changed it, or taken it away. ``willing``
    says which of some visitors are known and have not refused."""

    def __init__(
        self,
        name: str,
        batch: int,
        platform: Callable[[], Platform | None],
        http: Sender,
        clock: Clock,
        willing: Callable[[Collection[str]], Awaitable[AbstractSet[str]]],
    ) -> None:
        self.batch = batch
        self._name = name
        self._platform = platform
        self._http = http
        self._clock = clock
        self._willing = willing

    async def carry(self, parcels: Sequence[Waiting]) -> Sequence[Result]:
        platform = self._platform()
        if platform is None:
            return [Hopeless(f"conversions.{self._name} is no longer in the config")] * len(parcels)
        results: dict[int, Result] = {}
        groups: dict[str, list[Waiting]] = {}
        willing = await self._willing({_visitor(parcel) for parcel in parcels})
        for parcel in parcels:
            if _visitor(parcel) not in willing:
                results[parcel.id] = Recalled("the visitor has refused since, or is forgotten")
            elif fault := self._fault(platform, parcel):
                results[parcel.id] = Hopeless(fault)
            else:
                groups.setdefault(platform.group(_item(parcel)), []).append(parcel)
        for group in groups.values():
            for start in range(0, len(group), platform.most):
                batch = group[start : start + platform.most]
                results |= await self._send(platform, batch)
        return [results[parcel.id] for parcel in parcels]

    def _fault(self, platform: Platform, parcel: Waiting) -> str:
        if parcel.body["event"] not in platform.events:
            return f"conversions.{self._name} is not told of {parcel.body['event']} any more"
        return platform.too_old(_item(parcel), self._clock.now())

    async def _send(self, platform: Platform, parcels: list[Waiting]) -> dict[int, Result]:
        items = [(str(parcel.body["event"]), _item(parcel)) for parcel in parcels]
        request = await platform.request(items, self._clock.now())
        if not isinstance(request, WebRequest):
            return {parcel.id: request for parcel in parcels}
        if len(request.body) > platform.largest and len(parcels) > 1:
            return await self._halves(platform, parcels)
        answer = await self._http.send(request)
        verdict = platform.verdict(parcels, answer, self._clock.now())
        if not isinstance(verdict, Split):
            return {parcel.id: result for parcel, result in zip(parcels, verdict, strict=True)}
        if len(parcels) == 1:
            return {parcels[0].id: Hopeless(verdict.problem)}
        return await self._halves(platform, parcels)

    async def _halves(self, platform: Platform, parcels: list[Waiting]) -> dict[int, Result]:
        middle = len(parcels) // 2
        first = await self._send(platform, parcels[:middle])
        return first | await self._send(platform, parcels[middle:])

    async def given_up(self, parcel: Waiting, problem: str) -> None:
        """It stays as a dead letter; the outbox has said so in the log."""


def _visitor(parcel: Waiting) -> str:
    return str(parcel.body["visitor"])


def _item(parcel: Waiting) -> Item:
    item: Item = parcel.body["item"]
    return item
