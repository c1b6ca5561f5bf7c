"""The tables: what happened, as rows.

One call is one row of ``calls``; whatever transfers it goes through, it keeps that row. Its legs,
tags, transcript and history hang on the call's id. Times are milliseconds since 1970 in UTC and
durations milliseconds, both as integers, so that the two databases compute with them alike.

``events.id`` is given by the writer and grows with time: a history is read in the order of its ids,
and an event that is stored has had its effect on every other table (they share a transaction).
"""

from typing import Any

from sqlalchemy import JSON, BigInteger, Boolean, Column, Float, Index, Integer, String, Text, text
from sqlmodel import Field, SQLModel

# SQLite makes a primary key the row's own address only if it is declared INTEGER.
_EVENT_ID = BigInteger().with_variant(Integer(), "sqlite")


def _big(*, nullable: bool = False, **kwargs: Any) -> Any:
    default = None if nullable else 0
    return Field(default=default, sa_column=Column(BigInteger, nullable=nullable, **kwargs))


def _text() -> Any:
    return Field(default="", sa_column=Column(Text, nullable=False, server_default=""))


class CallRow(SQLModel, table=True):
    """What a caller made."""

    __tablename__ = "calls"
    __table_args__ = (
        Index("calls_by_time", "started_ms", "id"),
        Index("calls_by_source", "source", "started_ms"),
        Index("calls_by_number", "to_number", "started_ms"),
        Index("calls_by_status", "status", "started_ms"),
        Index("calls_by_visitor", "visitor", "started_ms"),
        Index("calls_by_caller", "from_number", "started_ms"),
        Index(
            "calls_unplaced",
            "from_number",
            sqlite_where=text("area IS NULL"),
            postgresql_where=text("area IS NULL"),
        ),
        {"sqlite_with_rowid": False},
    )

    id: str = Field(primary_key=True)
    opened_by: int = _big()
    """The id of the event that opened it: tells the calls of this process from those before."""
    origin: str = _text()
    """Where it was imported from; "" for a call of this server's own."""
    direction: str
    from_number: str
    to_number: str
    trunk: str
    sip_call_id: str
    flow: str
    source: str
    reasons: str = _text()  # JSON list
    status: str
    cause: str = _text()
    reason: str = _text()
    started_ms: int = _big()
    answered_ms: int | None = _big(nullable=True)
    connected_ms: int | None = _big(nullable=True)  # caller and agent heard each other first
    ended_ms: int | None = _big(nullable=True)
    talk_ms: int = _big(server_default="0")
    agent: str | None = None  # who talked last
    queue: str | None = None  # the last one joined
    queue_end: str = _text()  # how that stay ended, as in queue_visits; "" while it lasts
    queue_wait_ms: int | None = _big(nullable=True)  # how long it lasted
    path: str = _text()  # step names, one a line
    left_at: str = _text()  # flow/step: the last step entered
    voicemail_ms: int | None = _big(nullable=True)
    recording: str | None = None  # relative to the data directory
    recording_ms: int | None = _big(nullable=True)  # None while it runs
    recording_problem: str = _text()
    transcript_state: str | None = None  # None: nothing to transcribe
    score: int | None = None
    outcome: str | None = None
    value_cents: int | None = _big(
        nullable=True
    )  # what the call brought in, in hundredths of reports.currency
    note: str = _text()
    caller: str = _text()  # "first" or "repeat" of an inbound call with a number: the database sees to it
    area: str | None = Field(
        default=None, sa_column=Column(Text)
    )  # where from (pbx.areas); None: not asked yet
    # Where the likeliest caller came from, all of it from one touch; "" for what is not known.
    medium: str = Field(default="", sa_column=Column(String, nullable=False, server_default=""))
    campaign: str = Field(default="", sa_column=Column(String, nullable=False, server_default=""))
    keyword: str = Field(default="", sa_column=Column(String, nullable=False, server_default=""))
    landing_page: str = _text()
    referrer: str = _text()
    visitor: str = Field(default="", sa_column=Column(String, nullable=False, server_default=""))
    pool: str = Field(default="", sa_column=Column(String, nullable=False, server_default=""))
    probability: float = Field(default=1.0, sa_column=Column(Float, nullable=False, server_default="1"))
    candidates: str = _text()  # JSON list: everybody who may have called, likeliest first


class LegRow(SQLModel, table=True):
    """One party's side of a call."""

    __tablename__ = "legs"
    __table_args__ = (Index("legs_by_agent", "agent", "started_ms"), {"sqlite_with_rowid": False})

    call_id: str = Field(primary_key=True)
    id: str = Field(primary_key=True)
    role: str
    target: str
    agent: str | None = None  # agent id, or the number dialled once it talked: who the talk time is billed to
    sip_call_id: str
    started_ms: int = _big()
    answered_ms: int | None = _big(nullable=True)
    connected_ms: int | None = _big(nullable=True)
    ended_ms: int | None = _big(nullable=True)
    talk_ms: int = _big(server_default="0")
    beside: bool = Field(
        default=False, sa_column=Column(Boolean, nullable=False, server_default=text("false"))
    )  # its talk is another leg's, from the other end
    cause: str = _text()
    sip_status: int | None = None
    stats: str = _text()  # JSON object


class EventRow(SQLModel, table=True):
    """One thing that happened to a call; ``data`` is what the event says beside kind and time."""

    __tablename__ = "events"
    __table_args__ = (Index("events_by_call", "call_id"),)

    id: int = Field(sa_column=Column(_EVENT_ID, primary_key=True, autoincrement=False))
    call_id: str
    at_ms: int = _big()
    kind: str
    data: str = _text()  # JSON object


class TagRow(SQLModel, table=True):
    __tablename__ = "tags"
    __table_args__ = (Index("tags_by_tag", "tag"), {"sqlite_with_rowid": False})

    call_id: str = Field(primary_key=True)
    tag: str = Field(primary_key=True)
    because: str = _text()


class TranscriptRow(SQLModel, table=True):
    """``text`` is the words in order, for searching; ``words`` carry times, speaker and confidence."""

    __tablename__ = "transcripts"

    call_id: str = Field(primary_key=True)
    state: str
    problem: str = _text()
    text: str = _text()
    words: list[dict[str, Any]] = Field(default_factory=list, sa_column=Column(JSON, nullable=False))
    made_ms: int = _big()


class QueueVisitRow(SQLModel, table=True):
    """One stay of a caller in a queue; a call that overflows has several."""

    __tablename__ = "queue_visits"
    __table_args__ = (Index("queue_visits_by_queue", "queue", "joined_ms"), {"sqlite_with_rowid": False})

    call_id: str = Field(primary_key=True)
    visit: int = Field(sa_column=Column(BigInteger, primary_key=True, autoincrement=False))
    queue: str
    position: int = 0  # in the line, on joining
    joined_ms: int = _big()
    left_ms: int | None = _big(nullable=True)  # None while it lasts, or if the server died in it
    waited_ms: int | None = _big(nullable=True)
    ended_by: str = _text()  # answered, abandoned, timeout, overflow, full, empty, key, callback
    agent: str = _text()  # who answered


class CallbackRow(SQLModel, table=True):
    """A caller who was promised a callback: at most one a call."""

    __tablename__ = "callbacks"
    __table_args__ = (Index("callbacks_by_state", "state"), {"sqlite_with_rowid": False})

    call_id: str = Field(primary_key=True)
    queue: str
    number: str
    trunk: str | None = None
    priority: int = 0
    source: str
    promised_ms: int = _big()
    tries: int = 0  # in which the customer was called
    state: str  # waiting, talked, failed, expired
    by_call: str = _text()  # the last call made
    ended_ms: int | None = _big(nullable=True)


class AgentStateRow(SQLModel, table=True):
    """An agent's availability from ``at_ms`` until the agent's next row, as a whole.

    Ringing and talking are not here: the legs tell them. After a start of the server everybody gets a
    row, since nothing is known of the time before.
    """

    __tablename__ = "agent_states"
    __table_args__ = (Index("agent_states_by_agent", "agent", "id"), Index("agent_states_by_time", "at_ms"))

    id: int = Field(sa_column=Column(_EVENT_ID, primary_key=True, autoincrement=False))  # the event's
    agent: str
    at_ms: int = _big()
    state: str  # available, paused or offline (paused or not)
    reachable: bool = Field(sa_column=Column(Boolean, nullable=False))
    paused: bool = Field(sa_column=Column(Boolean, nullable=False))
    reason: str = _text()
    logged_out: str = _text()  # queues, one a line
    decided_by: str = _text()


class MessageRow(SQLModel, table=True):
    """A text, a line of a chat, a form, a social message or a lead, in or out."""

    __tablename__ = "messages"
    __table_args__ = (
        Index("messages_by_thread", "thread", "created_ms"),
        Index("messages_by_time", "created_ms", "id"),
        Index("messages_by_visitor", "visitor"),
        Index("messages_by_provider", "via", "provider_id"),
        {"sqlite_with_rowid": False},
    )

    id: str = Field(primary_key=True)
    channel: str  # text, chat, form, social or lead
    direction: str  # in or out
    thread: str
    """Messages of one conversation share it: the channel, who writes, and which way."""
    via: str  # the name of the way in the config: a provider, a trunk, a site
    from_: str = Field(sa_column=Column("from", Text, nullable=False, server_default=""))
    to: str = _text()
    text: str = _text()
    fields: str = _text()  # JSON object: a form's or a lead's
    visitor: str | None = None
    source: str = _text()
    call_id: str = _text()  # the call that it came out of, or that came out of it
    agent: str = _text()  # who wrote it
    state: str  # received, queued, sent or failed
    problem: str = _text()
    provider_id: str = _text()  # what the other side calls it
    created_ms: int = _big()
    sent_ms: int | None = _big(nullable=True)
    handled_ms: int | None = _big(nullable=True)  # somebody saw to it
    handled_by: str = _text()


class OutboxRow(SQLModel, table=True):
    """Something that has to reach another machine; it stays until it has, or until it is given up."""

    __tablename__ = "outbox"
    __table_args__ = (
        Index("outbox_by_lane", "state", "lane", "id"),
        Index("outbox_by_due", "state", "due_ms"),
        Index("outbox_by_target", "kind", "target", "id"),
    )

    id: int | None = Field(default=None, sa_column=Column(_EVENT_ID, primary_key=True, autoincrement=True))
    lane: str  # what shares a lane goes in order, one after the other
    kind: str  # which carrier takes it
    target: str
    body: str = _text()  # JSON
    dedupe: str | None = Field(default=None, unique=True)
    state: str  # waiting, done or dead
    attempts: int = Field(default=0, sa_column=Column(Integer, nullable=False, server_default="0"))
    problem: str = _text()
    created_ms: int = _big()
    due_ms: int = _big()
    expires_ms: int = _big()
    ended_ms: int | None = _big(nullable=True)


class CursorRow(SQLModel, table=True):
    """How far somebody has read the events: everything up to ``event_id``."""

    __tablename__ = "cursors"

    name: str = Field(primary_key=True)
    event_id: int = _big()


class UserRow(SQLModel, table=True):
    """A person who signs in. A user of the role agent has the agent's id as name."""

    __tablename__ = "users"

    name: str = Field(primary_key=True)
    role: str
    password_hash: str
    created_ms: int = _big()


class TokenRow(SQLModel, table=True):
    """A program that calls the API; only the secret's hash is kept."""

    __tablename__ = "tokens"

    name: str = Field(primary_key=True)
    role: str
    secret_hash: str = Field(unique=True)
    created_ms: int = _big()


class SessionRow(SQLModel, table=True):
    """A browser that signed in; only the cookie's hash is kept."""

    __tablename__ = "sessions"

    secret_hash: str = Field(primary_key=True)
    user_name: str = Field(index=True)
    created_ms: int = _big()
    expires_ms: int = _big()
