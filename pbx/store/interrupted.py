"""Calls that the last stop of the server cut off: what is to be recorded about them."""

import contextlib
import wave
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from pbx.events import AgentDisconnected, CallEnded, CallEvent, CallStatus, LegEnded, RecordingEnded
from pbx.failures import failure
from pbx.store.encoding import from_ms
from pbx.store.link import Link

_UNFINISHED = (
    "SELECT id, recording, recording_ms, (SELECT MAX(at_ms) FROM events WHERE call_id = calls.id)"
    " FROM calls WHERE status IN ('ringing', 'in_progress') AND opened_by <= ? ORDER BY id"
)
_OPEN_LEGS = (
    "SELECT id, agent, connected_ms, talk_ms FROM legs WHERE call_id = ? AND ended_ms IS NULL ORDER BY id"
)


def endings(link: Link, before: int, data_dir: Path) -> list[CallEvent]:
    """The events that end each call opened by an event numbered up to ``before`` and never ended.

    The recording stays the call's; its length is what the file holds. The call and its legs ended at the
    last thing known of it: its last event, or the last write to its recording. Who talked, talked until then.
    """
    ended: list[CallEvent] = []
    for call_id, recording, recording_ms, last_ms in link.query(_UNFINISHED, (before,)):
        at = from_ms(last_ms or 0)
        if recording and recording_ms is None:
            at = max(at, _changed(data_dir / recording, at))
            ended.append(
                RecordingEnded(
                    call_id=call_id,
                    at=at,
                    path=recording,
                    duration_s=wav_length_s(data_dir / recording),
                    problem="the server stopped in the call",
                )
            )
        ended += _leg_endings(link, call_id, at)
        ended.append(
            CallEnded(
                call_id=call_id,
                at=at,
                status=CallStatus.INTERRUPTED,
                cause="interrupted",
                reason=failure("interrupted").text,
            )
        )
    return ended


def _leg_endings(link: Link, call_id: str, at: datetime) -> Iterator[CallEvent]:
    for leg_id, agent, connected_ms, talk_ms in link.query(_OPEN_LEGS, (call_id,)):
        if agent and connected_ms is not None and not talk_ms:
            talk_s = (at - from_ms(connected_ms)).total_seconds()
            yield AgentDisconnected(call_id=call_id, at=at, leg_id=leg_id, agent=agent, talk_s=talk_s)
        yield LegEnded(call_id=call_id, at=at, leg_id=leg_id, cause="interrupted", sip_status=None)


def wav_length_s(path: Path) -> float:
    """How long a WAV file plays by its own header; 0 if it is none."""
    with contextlib.suppress(OSError, EOFError, wave.Error), wave.open(str(path), "rb") as wav:
        return wav.getnframes() / wav.getframerate()
    return 0.0


def _changed(path: Path, otherwise: datetime) -> datetime:
    try:
        return from_ms(round(path.stat().st_mtime * 1000))
    except OSError:
        return otherwise
