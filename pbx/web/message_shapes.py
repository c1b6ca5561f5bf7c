"""The JSON of messages, forms and chats."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from pbx.attribution.pageview import LONGEST_URL
from pbx.web.shapes import NO_NUL, Shape, Time

Short = Annotated[str, StringConstraints(max_length=200, pattern=NO_NUL)]
Text = Annotated[str, StringConstraints(max_length=5000, pattern=NO_NUL)]
Line = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=5000, pattern=NO_NUL)]
Url = Annotated[str, StringConstraints(max_length=LONGEST_URL, pattern=NO_NUL)]
Chat = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{32}$")]
Visitor = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{32}$")]
ChannelName = Literal["text", "chat", "form", "social", "lead"]


class Given(BaseModel):
    """What strangers send."""

    model_config = ConfigDict(extra="forbid")


class FormField(Given):
    name: Short
    value: Text
    type: Short = ""
    autocomplete: Short = ""


class FormReport(Given):
    """A form as it was sent off. ``trap`` is a field that people do not see and machines fill in."""

    page: Url = ""
    visitor: Visitor | None = None
    form: Short = Field("", description="The form's name or id.")
    fields: Annotated[list[FormField], Field(max_length=200)] | dict[Short, Text]
    trap: Text = ""
    callback: bool = Field(False, description="Whether to be called at once.")


class FormTaken(Shape):
    taken: bool
    callback: str = Field("", description="The call that was begun, if one was wanted and somebody is there.")


class ChatReport(Given):
    """A line of a chat; without ``text``, only what is new after ``after``."""

    chat: Chat | None = Field(None, description="As answered before; null begins one.")
    visitor: Visitor | None = None
    page: Url = ""
    text: Text = ""
    after: Short = Field("", description="The id of the last line that is known.")


class ChatLine(Shape):
    id: str
    author: Literal["visitor", "agent"]
    text: str
    at: Time


class ChatAnswer(Shape):
    chat: str
    lines: list[ChatLine]


class Message(Shape):
    id: str
    channel: ChannelName
    direction: Literal["in", "out"]
    thread: str
    via: str
    from_: str = Field(alias="from")
    to: str
    text: str
    fields: dict[str, Any]
    visitor: str | None
    source: str
    call_id: str
    agent: str
    state: Literal["received", "queued", "sent", "failed"]
    problem: str
    created_at: Time
    sent_at: Time | None
    handled_at: Time | None
    handled_by: str


class ThreadShape(Shape):
    thread: str
    open: int = Field(description="Messages that nobody has seen to.")
    last: Message


class ThreadList(Shape):
    threads: list[ThreadShape]
    open: int = Field(description="Messages of all threads that nobody has seen to.")


class MessageList(Shape):
    messages: list[Message]
    answered_by: Literal["text", "chat", "reply"] | None = Field(
        None, description="How an answer to the thread leaves; null: it can only be called."
    )


class MessageWanted(Shape):
    """A text to a number, or an answer to a thread (a text's or a chat's)."""

    to: Short = ""
    thread: Short = ""
    text: Line
    via: Short = Field("", description="A way of `texts`; the first if not given.")


class ThreadChange(Shape):
    thread: Short
    handled: Literal[True] = Field(description="Somebody has seen to it.")


class Taken(Shape):
    taken: int = Field(description="How many messages of the request were new.")
    problems: list[str] = Field(description="What could not be used, and where the mapping found nothing.")
