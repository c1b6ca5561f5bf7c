"""The SIP stack's bans as people see them: with the time of day, for the API and ``pbx bans``."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from pbx.clock import Clock
from pbx.store.encoding import iso, to_ms
from sip import Stack


class BanList:
    def __init__(self, stack: Stack, clock: Clock) -> None:
        self._stack = stack
        self._clock = clock

    def list(self) -> list[dict[str, Any]]:
        """Those that hold, newest first."""
        now, now_s = self._clock.now(), self._stack.now()
        return [
            {
                "address": ban.host,
                "until": iso(to_ms(now + timedelta(seconds=ban.until - now_s))),
                "times": ban.times,
                "because": ban.because,
            }
            for ban in reversed(self._stack.bans.current(now_s))
        ]

    def lift(self, address: str) -> bool:
        """Hear it again; False if it was not banned."""
        return self._stack.bans.lift(address, self._stack.now())

    def asked_to_list(self, _: Mapping[str, Any]) -> Mapping[str, Any]:
        return {"bans": self.list()}

    def asked_to_lift(self, asked: Mapping[str, Any]) -> Mapping[str, Any]:
        return {"lifted": self.lift(str(asked["address"]))}
