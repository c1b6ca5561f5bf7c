"""Audio for calls: RTP endpoints, prompts, bridges, keys and recordings, in a process of their own.

:class:`MediaEngine` is the interface, :class:`WorkerEngine` what implements it.
"""

from media.client import WorkerEngine
from media.engine import (
    Codec,
    Dtmf,
    Edge,
    Endpoint,
    EndpointId,
    EndpointStats,
    FileSource,
    Latched,
    MediaEngine,
    MediaEvent,
    MediaUnavailable,
    PlaybackId,
    PlayEnded,
    RecordingFailed,
    RecordingId,
    RecordingResult,
    RemoteMedia,
    RtpTimeout,
    Source,
    SrtpKeys,
    SrtpSuite,
    Tone,
    WorkerLost,
)

__all__ = [
    "Codec",
    "Dtmf",
    "Edge",
    "Endpoint",
    "EndpointId",
    "EndpointStats",
    "FileSource",
    "Latched",
    "MediaEngine",
    "MediaEvent",
    "MediaUnavailable",
    "PlayEnded",
    "PlaybackId",
    "RecordingFailed",
    "RecordingId",
    "RecordingResult",
    "RemoteMedia",
    "RtpTimeout",
    "Source",
    "SrtpKeys",
    "SrtpSuite",
    "Tone",
    "WorkerEngine",
    "WorkerLost",
]
