"""SRTP and SRTCP (RFC 3711) for one far end, by libsrtp.

Two independent contexts, one a way. Each knows how often the sequence number has wrapped (§3.3.1), so it
lives as long as its key does: a re-INVITE that repeats the keys must keep it. A packet whose tag is wrong,
or that was taken before (§3.3.2), is a :class:`SrtpError`, and nothing of it is believed.
"""

from collections.abc import Callable

from pylibsrtp import Error, Policy
from pylibsrtp import Session as Context

from media.engine import SrtpKeys, SrtpSuite

_PROFILES = {
    SrtpSuite.SHA1_80: Policy.SRTP_PROFILE_AES128_CM_SHA1_80,
    SrtpSuite.SHA1_32: Policy.SRTP_PROFILE_AES128_CM_SHA1_32,
}


class SrtpError(ValueError):
    """A packet that was not made with the key agreed on, or came twice."""


class Protection:
    """Both ways of one far end."""

    def __init__(self, keys: SrtpKeys) -> None:
        profile = _PROFILES[keys.suite]
        self.keys = keys
        self._out = Context(Policy(key=keys.send, ssrc_type=Policy.SSRC_ANY_OUTBOUND, srtp_profile=profile))
        self._in = Context(Policy(key=keys.receive, ssrc_type=Policy.SSRC_ANY_INBOUND, srtp_profile=profile))

    def protect(self, packet: bytes) -> bytes:
        """Raises SrtpError for what cannot be sent encrypted; it is then not sent at all."""
        return self._run(self._out.protect, packet)

    def protect_rtcp(self, packet: bytes) -> bytes:
        return self._run(self._out.protect_rtcp, packet)

    def unprotect(self, packet: bytes) -> bytes:
        """Raises SrtpError."""
        return self._run(self._in.unprotect, packet)

    def unprotect_rtcp(self, packet: bytes) -> bytes:
        """Raises SrtpError."""
        return self._run(self._in.unprotect_rtcp, packet)

    @staticmethod
    def _run(operation: Callable[[bytes], bytes], packet: bytes) -> bytes:
        try:
            return operation(packet)
        except Error as error:
            raise SrtpError(f"{len(packet)} octets: {error}") from None
