"""Toll fraud: which calls out agents may make, and how many (:class:`~pbx.config.outbound.Outbound`).

Whoever steals a phone's password calls premium numbers and countries far away, at night, on as many
lines as there are. So every call that costs money passes :meth:`OutboundRules.permit` before its
INVITE, and the first rule that refuses it says why:

1. The number must be a real one (E.164) of a country on the list. +1 is twenty countries: Jamaica is
   told from the United States by the numbering plan, not by the prefix.
2. Premium-rate and shared-cost numbers are refused, whatever the country.
3. Calls at the same time, of this agent and of all.
4. Calls begun within the last hour, of this agent and of all. Refused ones do not count.

A refusal is also an alert, :class:`~pbx.events.OutboundRefused`, once in ten minutes for each agent
and reason: a machine that tries a thousand numbers makes one alert, not a thousand.

Times are a monotonic clock's seconds. What is remembered is bounded by ``per_hour``.
"""

from collections import Counter, deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import phonenumbers
from phonenumbers import NumberParseException, PhoneNumberType

from pbx.clock import Clock
from pbx.config.outbound import Outbound
from pbx.events import CallEvent, OutboundRefused
from pbx.numbering import masked

HOUR_S = 3600.0
ALERT_AGAIN_S = 600.0

_COSTLY = (PhoneNumberType.PREMIUM_RATE, PhoneNumberType.SHARED_COST)


class NotPermitted(Exception):  # noqa: N818 - names what happened
    """The call may not be made. ``cause`` is a name of :mod:`pbx.failures`; the text says why."""

    def __init__(self, cause: str, why: str) -> None:
        super().__init__(why)
        self.cause = cause


class OutboundRules:
    """The rules, and the count of what goes on. One for a server; ``publish`` hears the alerts."""

    def __init__(
        self, rules: Outbound, country: str, clock: Clock, publish: Callable[[CallEvent], None]
    ) -> None:
        self._clock = clock
        self._publish = publish
        self._up: Counter[str] = Counter()  # calls up, by agent
        self._begun: deque[tuple[float, str]] = deque()  # calls of the last hour: when, whose
        self._alerted: dict[tuple[str, str], float] = {}  # by agent and cause
        self.update(rules, country)

    def update(self, rules: Outbound, country: str) -> None:
        """Other rules from now on; what goes on, and went on, still counts."""
        self._rules = rules
        self._countries = frozenset(rules.countries or [country])

    @contextmanager
    def permit(self, call_id: str, agent: str, number: str) -> Iterator[None]:
        """Around a call of ``agent`` to ``number`` (E.164), from before its INVITE to its end.

        Raises NotPermitted, and then nothing is counted.
        """
        try:
            self._judge(agent, number)
        except NotPermitted as refusal:
            self._alert(call_id, agent, number, refusal)
            raise
        self._up[agent] += 1
        self._begun.append((self._clock.monotonic(), agent))
        try:
            yield
        finally:
            self._up[agent] -= 1
            if not self._up[agent]:
                del self._up[agent]

    def _judge(self, agent: str, number: str) -> None:
        country, costly = _kind(number)
        if country not in self._countries:
            where = f"a number of {country}" if country else "no number of any country"
            allowed = ", ".join(sorted(self._countries))
            raise NotPermitted("outbound_country", f"{where}; agents may call {allowed}")
        if costly:
            raise NotPermitted("outbound_premium", f"a premium-rate number of {country}")
        rules = self._rules
        self._limit("at the same time", "all agents", self._up.total(), rules.at_once)
        self._limit("at the same time", agent, self._up[agent], rules.per_agent_at_once)
        self._forget_old()
        mine = sum(1 for _, whose in self._begun if whose == agent)
        self._limit("within an hour", "all agents", len(self._begun), rules.per_hour)
        self._limit("within an hour", agent, mine, rules.per_agent_hour)

    def _limit(self, span: str, whose: str, have: int, limit: int) -> None:
        if have >= limit:
            raise NotPermitted("outbound_limit", f"{have} calls of {whose} {span}, at most {limit}")

    def _forget_old(self) -> None:
        since = self._clock.monotonic() - HOUR_S
        while self._begun and self._begun[0][0] <= since:
            self._begun.popleft()

    def _alert(self, call_id: str, agent: str, number: str, refusal: NotPermitted) -> None:
        now = self._clock.monotonic()
        self._alerted = {key: at for key, at in self._alerted.items() if now - at < ALERT_AGAIN_S}
        if (agent, refusal.cause) in self._alerted:
            return
        self._alerted[agent, refusal.cause] = now
        self._publish(
            OutboundRefused(
                call_id=call_id,
                at=self._clock.now(),
                agent=agent,
                number=masked(number),
                cause=refusal.cause,
                why=str(refusal),
            )
        )


def _kind(e164: str) -> tuple[str, bool]:
    """The country of a number ("" if it is none's) and whether calling it costs more than a call."""
    try:
        parsed = phonenumbers.parse(e164)
    except NumberParseException:
        return "", False
    country = phonenumbers.region_code_for_number(parsed) or ""
    return country, phonenumbers.number_type(parsed) in _COSTLY
