"""Tables of the website's visitors: who came, from where, which number they saw, and how they got in touch.

A touch is a page view. Only an arrival has a source, and its fields are all of that one view. Nothing
here holds an IP address; of the user agent a coarse word is kept; of URLs neither fragment nor query,
but for the campaign's parameters.
"""

from sqlalchemy import BigInteger, Column, Float, Index, Integer, Text
from sqlmodel import Field, SQLModel

_ID = BigInteger().with_variant(Integer(), "sqlite")


class VisitorRow(SQLModel, table=True):
    """A browser whose user consented to be recognised."""

    __tablename__ = "visitors"
    __table_args__ = (Index("visitors_by_time", "last_ms"), {"sqlite_with_rowid": False})

    id: str = Field(primary_key=True)
    first_ms: int = Field(sa_column=Column(BigInteger, nullable=False))
    last_ms: int = Field(sa_column=Column(BigInteger, nullable=False))
    device: str = Field(default="", sa_column=Column(Text, nullable=False, server_default=""))


class TouchRow(SQLModel, table=True):
    """One page view."""

    __tablename__ = "touches"
    __table_args__ = (
        Index("touches_by_visitor", "visitor_id", "at_ms"),
        Index("touches_by_time", "at_ms"),
    )

    id: int = Field(sa_column=Column(_ID, primary_key=True, autoincrement=False))  # the event's
    visitor_id: str
    at_ms: int = Field(sa_column=Column(BigInteger, nullable=False))
    session_ms: int = Field(sa_column=Column(BigInteger, nullable=False))
    arrival: int = Field(sa_column=Column(Integer, nullable=False))  # 1: the visitor came from outside
    source: str
    medium: str
    campaign: str
    keyword: str
    content: str
    click_id: str  # "gclid=…"
    page: str = Field(sa_column=Column(Text, nullable=False))
    referrer: str = Field(sa_column=Column(Text, nullable=False))
    params: str = Field(sa_column=Column(Text, nullable=False))  # JSON object
    pool: str
    shown: str  # the number in the target's place, "" if the target stayed


class LeaseRow(SQLModel, table=True):
    """A number lent to a visitor; ``seen_ms`` is the last sign of life."""

    __tablename__ = "leases"
    __table_args__ = (
        Index("leases_by_time", "seen_ms"),
        Index("leases_by_visitor", "visitor_id"),
        {"sqlite_with_rowid": False},
    )

    number: str = Field(primary_key=True)
    started_ms: int = Field(sa_column=Column(BigInteger, primary_key=True, autoincrement=False))
    visitor_id: str
    pool: str
    seen_ms: int = Field(sa_column=Column(BigInteger, nullable=False))
    until_ms: int = Field(sa_column=Column(BigInteger, nullable=False))
    arrival: str = Field(sa_column=Column(Text, nullable=False))  # JSON object


class ContactRow(SQLModel, table=True):
    """A visitor got in touch: by a call, a form, a chat, a text."""

    __tablename__ = "contacts"
    __table_args__ = (
        Index("contacts_by_visitor", "visitor_id", "at_ms"),
        Index("contacts_by_ref", "channel", "ref"),
        Index("contacts_by_time", "at_ms"),
    )

    id: int = Field(sa_column=Column(_ID, primary_key=True, autoincrement=False))  # the event's
    visitor_id: str
    at_ms: int = Field(sa_column=Column(BigInteger, nullable=False))
    channel: str
    ref: str
    phone: str
    probability: float = Field(sa_column=Column(Float, nullable=False))


class VisitorIdRow(SQLModel, table=True):
    """What ad platforms call a visitor, and whether the visitor agreed: only where conversions are sent.

    ``name`` is ga, fbp or fbc (from the platform's own cookie), agent (the browser, for Meta), or consent
    (given or refused).
    """

    __tablename__ = "visitor_ids"
    __table_args__ = ({"sqlite_with_rowid": False},)

    visitor_id: str = Field(primary_key=True)
    name: str = Field(primary_key=True)
    value: str = Field(sa_column=Column(Text, nullable=False))
    at_ms: int = Field(sa_column=Column(BigInteger, nullable=False))


class HabitRow(SQLModel, table=True):
    """How long after a visit people call: one row, replaced as more is learned."""

    __tablename__ = "visitor_habits"

    id: int = Field(sa_column=Column(Integer, primary_key=True, autoincrement=False))
    at_ms: int = Field(sa_column=Column(BigInteger, nullable=False))
    data: str = Field(sa_column=Column(Text, nullable=False))  # JSON object
