"""``pbx conversions``: what the ad platforms are, or would be, told of a contact, and why not."""

import json
from typing import Annotated

import typer

from pbx.cli.database import USUAL_CONFIG, ConfigOption, opened
from pbx.clock import SystemClock
from pbx.conversions.facts import Contact
from pbx.conversions.google_ads import AccessToken
from pbx.conversions.reader import consider, dedupe_of, platforms
from pbx.httpclient import WebClient
from pbx.store.contacts import Contacts
from pbx.store.outbox import OutboxRows


def conversions(
    contact: Annotated[str, typer.Argument(help="The id of a call, or of a text, form, chat or lead.")],
    config: ConfigOption = USUAL_CONFIG,
) -> None:
    """Tell of CONTACT what each platform would be sent, what it was sent, or why it is not; sends nothing."""
    with opened(config) as (site, engine):
        currency = site.config.reports.currency
        settings, zone = site.config.conversions, site.config.server.zone
        if not settings.wanted:
            typer.echo("no platform is written under conversions in the config: nothing is sent")
            return
        contacts = Contacts(engine, site.config.server.country)
        found: Contact | None = contacts.call(contact) or contacts.message(contact)
        if found is None:
            typer.echo(f"pbx conversions: there is no call or message {contact!r}", err=True)
            raise typer.Exit(1)
        known = contacts.known(found.visitor, found.at_ms) if found.visitor else None
        ready = platforms(settings, zone, AccessToken(WebClient()))
        rows, now = OutboxRows(engine), SystemClock().now()
        for each in consider(settings, currency, tuple(ready.values()), found, known, found.at_ms):
            taken = rows.by_dedupe(dedupe_of(each.platform, each.event, found.id))
            said = f"not sent: {each.why_not}"
            if each.item is not None:
                said = ready[each.platform].too_old(each.item, now) or "would be sent"
            if taken is not None:
                said = f"{taken.state}{f': {taken.problem}' if taken.problem else ''}"
            typer.echo(f"{each.platform} {each.event}: {said}")
            if each.item is not None:
                typer.echo(f"  {json.dumps(each.item, ensure_ascii=False)}")
