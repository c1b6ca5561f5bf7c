"""``config.yaml`` as typed, frozen models: what an admin decides.

Shape only: what one mapping can say by itself. References between parts (a queue's members, a
number's flow) are checked in :mod:`pbx.config.check`, so that every mistake is reported at once.
Durations are written ``20s``, ``5m``, ``2h``, ``30d`` and arrive as :class:`datetime.timedelta`.
What the fields are made of is in :mod:`pbx.config.fields`; large sections have modules of their own.
"""

from datetime import timedelta
from enum import StrEnum
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from pydantic import Field

from pbx.config.addresses import parse_port_range
from pbx.config.channels import Channels
from pbx.config.conferences import Conference, Parking
from pbx.config.conversions import Conversions
from pbx.config.defence import Defence
from pbx.config.fields import (
    Country,
    Duration,
    Host,
    HostAndPort,
    Model,
    Origin,
    PortRange,
    Zone,
    parse_duration,
    seconds,
)
from pbx.config.outbound import Outbound
from pbx.config.outgoing import Outgoing, Webhook
from pbx.config.queues import Agent, Queue
from pbx.config.recording import Recording
from pbx.config.sip import Sip
from pbx.config.sources import Source, SourceKind
from pbx.config.speech import SpeechSettings
from pbx.config.spend import ReportSettings
from pbx.config.stir import Stir
from pbx.config.texts import Texts
from pbx.config.trace import Trace
from pbx.config.tracking import Pool, Tracking
from pbx.config.trunks import Trunk
from pbx.flows.languages import Language

__all__ = [
    "Agent",
    "Config",
    "Duration",
    "Model",
    "Pool",
    "Queue",
    "Source",
    "SourceKind",
    "Tracking",
    "parse_duration",
    "seconds",
]


class Server(Model):
    name: str = Field(
        "Dialtrace", description="The business's name; also the realm of digest authentication."
    )
    timezone: Zone = Field("UTC", description="IANA zone in which schedules and reports are read.")
    country: Country = Field("US", description="Region of numbers written without +.")
    language: Language = Field("en", description="The language that callers are spoken to in.")
    data_dir: Path = Field(Path("data"), description="Database, recordings, spool; relative to the file.")
    database: str = Field(
        "sqlite:///data/pbx.db", description="SQLAlchemy URL; a relative path is relative to the file."
    )
    drain: Duration = Field(timedelta(seconds=30), description="How long a stop waits for calls in progress.")

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.timezone)


class Codec(StrEnum):
    PCMU = "pcmu"
    PCMA = "pcma"
    G722 = "g722"
    OPUS = "opus"


class Media(Model):
    address: Host = Field("127.0.0.1", description="The address that RTP is received on.")
    address_ipv6: Host | None = Field(
        None, description="A second one, of IPv6: legs whose other side speaks IPv6 have their audio there."
    )
    rtp_ports: PortRange = Field("20000-24999", description="First and last UDP port for RTP and RTCP.")
    codecs: list[Codec] = Field(
        default_factory=lambda: [Codec.PCMU, Codec.PCMA], description="In order of preference."
    )
    comfort_noise: bool = Field(
        False, description="Offer RFC 3389; whoever offers it to us gets it in any case."
    )
    rtp_timeout: Duration = Field(
        timedelta(seconds=60), description="A call whose caller sends no RTP for so long is ended."
    )

    @property
    def port_range(self) -> tuple[int, int]:
        return parse_port_range(self.rtp_ports)


class Web(Model):
    listen: HostAndPort = Field("127.0.0.1:8080", description="Address and port of dashboard and API.")
    public_listen: HostAndPort | None = Field(
        None, description="Where website visitors, and only they, are served as well."
    )
    public_url: str | None = Field(
        None, description="The URL by which people reach the dashboard through a proxy."
    )
    sites: list[Origin] = Field(
        default_factory=list, description="The websites' origins, and no other's visitors; any if empty."
    )


class Number(Model):
    source: str = Field(description="The source that its calls are attributed to.")
    flow: str = Field(description="The flow that its calls run, by the name of its file.")
    whisper: str = Field(
        "",
        description="Spoken to the agent before the two are joined, with `{source}` and the like filled in.",
    )
    language: Language | None = Field(None, description="Of its calls; else the flow's, else the server's.")


class Transcription(Model):
    enabled: bool = Field(True, description="Whether recordings are transcribed.")
    live: bool = Field(False, description="While the call lasts, too; not built yet.")
    model: str = Field(
        "vosk-model-small-en-us-0.15", description="A folder, or the name of a published Vosk model."
    )
    workers: int = Field(1, ge=1, le=32, description="How many calls are transcribed at a time.")


class Config(Model):
    """The whole file."""

    server: Server = Field(default_factory=Server, description="This server.")
    sip: Sip = Field(default_factory=Sip, description="Where SIP is spoken.")
    media: Media = Field(default_factory=Media, description="Audio: where and how.")
    web: Web = Field(default_factory=Web, description="Dashboard and API.")
    trunks: dict[str, Trunk] = Field(default_factory=dict, description="Carriers, by name.")
    trace: Trace = Field(default_factory=Trace, description="What is kept of each call's signalling.")
    defence: Defence = Field(default_factory=Defence, description="How much strangers may try.")
    stir: Stir = Field(default_factory=Stir, description="Whose signatures on callers' numbers are believed.")
    sources: dict[str, Source] = Field(default_factory=dict, description="What calls are attributed to.")
    numbers: dict[str, Number] = Field(default_factory=dict, description="Static tracking numbers.")
    pools: dict[str, Pool] = Field(default_factory=dict, description="Numbers lent to website visitors.")
    tracking: Tracking = Field(default_factory=Tracking, description="How website visitors are recognised.")
    agents: dict[str, Agent] = Field(default_factory=dict, description="Who takes calls, by id.")
    queues: dict[str, Queue] = Field(default_factory=dict, description="Lines in front of agents, by name.")
    outbound: Outbound = Field(default_factory=Outbound, description="Which calls agents may make.")
    texts: dict[str, Texts] = Field(default_factory=dict, description="How texts are sent and come in.")
    channels: Channels = Field(default_factory=Channels, description="Forms, chats and other services.")
    webhooks: dict[str, Webhook] = Field(
        default_factory=dict, description="Programs that hear of what happens, by name."
    )
    conversions: Conversions = Field(
        default_factory=Conversions, description="What ad platforms are told; nothing by default."
    )
    outgoing: Outgoing = Field(default_factory=Outgoing, description="Where HTTP requests may go.")
    conferences: dict[str, Conference] = Field(
        default_factory=dict, description="Rooms where callers and agents meet, by name."
    )
    parking: Parking = Field(default_factory=Parking, description="Where calls are parked.")
    feature_codes: dict[str, str] = Field(
        default_factory=dict, description='Other digits for feature codes, by name; "" takes one away.'
    )
    speech: SpeechSettings = Field(default_factory=SpeechSettings, description="How texts are spoken.")
    recording: Recording = Field(default_factory=Recording, description="Recordings.")
    transcription: Transcription = Field(default_factory=Transcription, description="Transcripts.")
    reports: ReportSettings = Field(default_factory=ReportSettings, description="What reports need to know.")
    alerts: dict[str, Any] = Field(default_factory=dict, description="Whom to tell; not built yet.")
    intelligence: dict[str, Any] = Field(default_factory=dict, description="Keyword rules; not built yet.")
