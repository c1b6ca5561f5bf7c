"""Whether a contact is an event of the config, and what it is worth."""

from pbx.config.conversions import ConversionEvent
from pbx.config.fields import seconds
from pbx.conversions.facts import Contact


def why_not(event: ConversionEvent, contact: Contact) -> str:
    """What keeps the contact from being this event; "" if it is one."""
    if contact.of not in event.of:
        return f"only {' and '.join(event.of)} are"
    if not contact.incoming:
        return "it did not come in"
    if not contact.over:
        return "the call is not over"
    if event.source and contact.source not in event.source:
        return f"its source is {contact.source or 'unknown'}"
    if event.status and contact.status not in event.status:
        return f"its status is {contact.status}"
    if event.outcome and contact.outcome not in event.outcome:
        return f"its outcome is {contact.outcome or 'not set'}"
    if event.tag and not contact.tags & set(event.tag):
        return f"it does not bear the tag {' or '.join(event.tag)}"
    if event.min_score is not None and (contact.score or 0) < event.min_score:
        return f"its score is {contact.score or 'not set'}"
    if event.min_talk is not None and contact.talk_s < seconds(event.min_talk):
        return f"they talked for {contact.talk_s:g} s"
    if event.milestone and event.milestone not in contact.milestones:
        return f"the visitor did not reach the milestone {event.milestone} by it"
    return ""


def value_of(event: ConversionEvent, contact: Contact) -> float | None:
    """The contact's own value; else the config's, None if that does not say."""
    if contact.value is not None:
        return contact.value
    if isinstance(event.value, dict):
        return event.value.get(contact.outcome) if contact.outcome else None  # type: ignore[call-overload]
    return event.value
