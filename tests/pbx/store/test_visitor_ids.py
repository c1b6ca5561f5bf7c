"""What platforms call a visitor: the newest is kept, and a refusal takes all of it away."""

import asyncio
from datetime import timedelta

from sqlmodel import Session, select

from pbx.attribution.events import IdsSeen
from pbx.clock import VirtualClock
from pbx.store.visitor_tables import VisitorIdRow
from pbx.store.writer import CallWriter
from tests.support.made_calls import NOON


def write(url, folder, event):
    async def main():
        writer = CallWriter(url, folder, VirtualClock(event.at))
        await writer.start()
        writer.write(event)
        await writer.close()

    asyncio.run(main())


def kept(engine):
    with Session(engine) as session:
        return {row.name: row.value for row in session.exec(select(VisitorIdRow))}


def test_ids_are_kept_and_taken_away(url, engine, tmp_path):
    write(url, tmp_path, IdsSeen(at=NOON, visitor="v", ids={"ga": "1.2", "consent": "implied"}))
    write(
        url,
        tmp_path,
        IdsSeen(at=NOON + timedelta(hours=1), visitor="v", ids={"ga": "3.4", "consent": "given"}),
    )
    assert kept(engine) == {"ga": "3.4", "consent": "given"}
    write(url, tmp_path, IdsSeen(at=NOON + timedelta(hours=2), visitor="v", ids={"consent": "refused"}))
    assert kept(engine) == {"consent": "refused"}
