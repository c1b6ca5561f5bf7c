"""Temporary bans: an address that guesses passwords, floods or scans is not heard for a while.

Every offence is a strike. So many within ten minutes make a ban, and each further ban of the same address
lasts twice as long, up to a day. A banned address's messages are dropped unread and its connections
refused: it cannot tell us from a machine that is off. Addresses of trunks, of registered phones and of
the allow list are nobody's to ban: a source address is easily forged.

Both tables are bounded; the least recently used entries go first.
"""

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_address
from typing import Any

WINDOW_S = 600.0
LONGEST_S = 86_400.0
FORGIVEN_S = 7 * 86_400.0  # after so long a time without a ban, the next one is short again

# What scanners call themselves: sipvicious and its children, sipsak, and what fills every server's log.
SCANNERS = (
    "friendly-scanner", "friendly-request", "sipvicious", "sundayddr", "sipcli", "sipsak", "sip-scan",
    "iwar", "vaxsipuseragent", "pplsip", "smap", "siparmyknife", "sipptk", "gulp",
)  # fmt: skip


def is_scanner(user_agent: str) -> bool:
    lowered = user_agent.lower()
    return any(name in lowered for name in SCANNERS)


@dataclass(frozen=True, slots=True)
class Rules:
    strikes: int = 10  # within ten minutes
    first_s: float = 600.0
    most: int = 10_000  # addresses remembered
    allow: Sequence[IPv4Network | IPv6Network] = ()


@dataclass(frozen=True, slots=True)
class Ban:
    host: str
    until: float
    times: int  # how often it has been banned
    because: str


class Bans:
    def __init__(self, rules: Rules) -> None:
        self.rules = rules
        self._strikes: OrderedDict[str, list[float]] = OrderedDict()  # when, latest last
        self._bans: OrderedDict[str, Ban] = OrderedDict()

    def __len__(self) -> int:
        return len(self._bans) + len(self._strikes)

    def strike(self, host: str, because: str, now: float) -> bool:
        """One offence; whether it led to a ban."""
        if self._is_allowed(host):
            return False
        strikes = [at for at in self._strikes.get(host, ()) if now - at < WINDOW_S]
        strikes.append(now)
        if len(strikes) < self.rules.strikes:
            self._strikes[host] = strikes
            _bounded(self._strikes, host, self.rules.most)
            return False
        self._strikes.pop(host, None)
        before = self._bans.get(host)
        times = before.times + 1 if before is not None and now - before.until < FORGIVEN_S else 1
        length_s = min(LONGEST_S, self.rules.first_s * 2 ** min(times - 1, 30))
        self._bans[host] = Ban(host, now + length_s, times, because)
        _bounded(self._bans, host, self.rules.most)
        return True

    def holds(self, host: str, now: float) -> bool:
        """Whether ``host`` is not heard just now."""
        ban = self._bans.get(host)
        return ban is not None and ban.until > now

    def current(self, now: float) -> list[Ban]:
        """Those that hold, the newest last."""
        return [ban for ban in self._bans.values() if ban.until > now]

    def remembered(self) -> list[Ban]:
        """Also those that are over and make the next one longer; the oldest first."""
        return list(self._bans.values())

    def restore(self, bans: Sequence[Ban]) -> None:
        """Bans of an earlier run."""
        for ban in bans:
            if not self._is_allowed(ban.host):
                self._bans[ban.host] = ban
                _bounded(self._bans, ban.host, self.rules.most)

    def lift(self, host: str, now: float) -> bool:
        """Hear ``host`` again, with a clean slate; False if it was not banned."""
        self._strikes.pop(host, None)
        ban = self._bans.pop(host, None)
        return ban is not None and ban.until > now

    def _is_allowed(self, host: str) -> bool:
        address = ip_address(host.partition("%")[0])
        return any(address in network for network in self.rules.allow)


def _bounded(table: OrderedDict[str, Any], key: str, most: int) -> None:
    table.move_to_end(key)
    if len(table) > most:
        table.popitem(last=False)
