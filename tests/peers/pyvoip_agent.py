"""An agent on pyVoIP, in a process of its own: ``pyvoip_agent.py SERVER_PORT USER PASSWORD SIP_PORT RTP_PORT``.

Says ``registered``, ``answered`` and ``ended`` on standard output, plays a tone to the caller, and
leaves when standard input ends. pyVoIP takes no notice of a CANCEL: it answers a second after the INVITE
whatever has happened since.
"""

import math
import sys
import warnings

warnings.simplefilter("ignore")  # pyVoIP needs audioop, which Python 3.11 calls deprecated

from pyVoIP.VoIP import VoIPCall, VoIPPhone  # noqa: E402
from pyVoIP.VoIP.status import PhoneStatus  # noqa: E402

SECOND = bytes(128 + round(90 * math.sin(2 * math.pi * 440 * n / 8000)) for n in range(8000))


class Phone(VoIPPhone):
    """Tells of the BYE that pyVoIP keeps to itself."""

    def _callback_MSG_Bye(self, request: object) -> None:  # noqa: N802
        super()._callback_MSG_Bye(request)
        say("ended")


def say(what: str) -> None:
    print(what, flush=True)


def answer(call: VoIPCall) -> None:
    call.answer()
    call.write_audio(SECOND * 5)
    say("answered")


def main(server: str, user: str, password: str, sip: str, rtp: str) -> None:
    phone = Phone(
        "127.0.0.1", int(server), user, password, myIP="127.0.0.1", callCallback=answer,
        sipPort=int(sip), rtpPortLow=int(rtp), rtpPortHigh=int(rtp),
    )  # fmt: skip
    phone.start()
    say(
        "registered"
        if phone.get_status() is PhoneStatus.REGISTERED
        else f"not registered: {phone.get_status()}"
    )
    sys.stdin.read()
    phone.stop()


if __name__ == "__main__":
    main(*sys.argv[1:])
