"""The shapes of ``/api/reports``. What each figure means: docs/reports.md."""

from pydantic import Field

from pbx.web.shapes import Shape, Time


class Sums(Shape):
    """Figures of some calls."""

    calls: int
    answered: int
    missed: int
    abandoned: int
    voicemail: int
    completed: int
    rejected: int
    failed: int
    interrupted: int
    live: int = Field(description="Ringing or in progress.")
    first_time: int = Field(description="No earlier call from the same number.")
    repeat: int = Field(description="There was one.")
    ended: int
    duration: float = Field(description="Seconds, of calls that have ended.")
    average_duration: float | None
    talked: int = Field(description="Somebody talked with the caller.")
    took_part: int = Field(description="By agent: in which this one talked.")
    talk_time: float = Field(description="Seconds; by agent, of their own.")
    average_talk: float | None = Field(description="Per call talked; null if there is none.")
    wait: float = Field(description="Seconds from start until somebody talked.")
    average_wait: float | None = Field(description="From start until somebody talked.")
    queued: int = Field(description="Waited in a queue.")
    queue_answered: int
    queue_abandoned: int
    queue_left: int = Field(description="Of those, who wait no longer.")
    queue_wait: float = Field(description="Seconds, of the last queue.")
    average_queue_wait: float | None
    in_time: int = Field(description="Answered within the queue's service level.")
    service_level: float | None = Field(description="in_time / queue_answered.")
    service_level_with_abandoned: float | None = Field(
        description="in_time / (queue_answered + queue_abandoned)."
    )
    scored: int
    score_sum: int
    average_score: float | None
    leads: int = Field(description="Outcome lead or sale.")
    sales: int = Field(description="Outcome sale.")
    no_sales: int
    spam: int
    valued: int = Field(description="Calls with a value.")
    value: float = Field(description="In the currency.")
    weak_area: int = Field(description="The caller's area is weak evidence.")
    cost: float | None = Field(description="Spent on it; null where that is not known.")
    cost_per_call: float | None
    cost_per_lead: float | None
    cost_per_sale: float | None


class FigureLinks(Shape):
    """What is added to a row's link to list the calls of each figure."""

    calls: str
    answered: str
    missed: str
    abandoned: str
    voicemail: str
    completed: str
    rejected: str
    failed: str
    interrupted: str
    live: str
    first_time: str
    repeat: str
    ended: str
    duration: str
    average_duration: str
    talked: str
    took_part: str
    talk_time: str
    average_talk: str
    wait: str
    average_wait: str
    queued: str
    queue_answered: str
    queue_abandoned: str
    queue_left: str
    queue_wait: str
    average_queue_wait: str
    in_time: str
    service_level: str
    service_level_with_abandoned: str
    scored: str
    score_sum: str
    average_score: str
    leads: str
    sales: str
    no_sales: str
    spam: str
    valued: str
    value: str
    weak_area: str
    cost: str
    cost_per_call: str
    cost_per_lead: str
    cost_per_sale: str


class Change(Shape):
    difference: float | None = Field(description="Now less before; null where one is not known.")
    percent: float | None = Field(description="Of what it was; null if that was nothing.")


class Changes(Shape):
    calls: Change
    answered: Change
    missed: Change
    abandoned: Change
    voicemail: Change
    completed: Change
    rejected: Change
    failed: Change
    interrupted: Change
    live: Change
    first_time: Change
    repeat: Change
    ended: Change
    duration: Change
    average_duration: Change
    talked: Change
    took_part: Change
    talk_time: Change
    average_talk: Change
    wait: Change
    average_wait: Change
    queued: Change
    queue_answered: Change
    queue_abandoned: Change
    queue_left: Change
    queue_wait: Change
    average_queue_wait: Change
    in_time: Change
    service_level: Change
    service_level_with_abandoned: Change
    scored: Change
    score_sum: Change
    average_score: Change
    leads: Change
    sales: Change
    no_sales: Change
    spam: Change
    valued: Change
    value: Change
    weak_area: Change
    cost: Change
    cost_per_call: Change
    cost_per_lead: Change
    cost_per_sale: Change


class ReportRow(Sums):
    """Figures of one part, or of the whole. What it was before is there where two times are compared."""

    key: str
    name: str
    link: str = Field(description="Where its calls are listed.")
    before: Sums | None = None
    change: Changes | None = None
    link_before: str | None = None


class Period(Shape):
    since: Time | None
    until: Time | None


class Report(Shape):
    report: str
    since: Time | None
    until: Time | None
    timezone: str
    currency: str
    figures: FigureLinks
    compared: Period | None = Field(None, description="The other time, if two are compared.")
    rows: list[ReportRow]
    total: ReportRow
