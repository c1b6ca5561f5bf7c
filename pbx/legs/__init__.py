"""Legs: a SIP dialog and an RTP endpoint as one thing. The only package that imports both sip and media.

A :class:`Leg` owns its session and its endpoint and releases both, whatever happens. It turns what
SIP and media report into a few futures and callbacks that :mod:`pbx.calls` waits on. SDP text stays
in here: media receives :class:`~media.engine.RemoteMedia`, calls receive neither.

Whichever side sent the INVITE, an answered leg can be asked for the same things: so a party who was
rung can become the one whom a flow serves, after a transfer or where the server rang them first.
"""

from pbx.legs.called import CalledLeg
from pbx.legs.caller import CallerLeg
from pbx.legs.exchange import Destination, Exchange, Security, figures, joined, remote_media
from pbx.legs.leg import Leg, LegEnd, Nobody, ignore
from sip import Referral
from sip.headers import Replaces

__all__ = [
    "CalledLeg",
    "CallerLeg",
    "Destination",
    "Exchange",
    "Leg",
    "LegEnd",
    "Nobody",
    "Referral",
    "Replaces",
    "Security",
    "figures",
    "ignore",
    "joined",
    "remote_media",
]
