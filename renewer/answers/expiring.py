"""What is coming: Connects that end soon, so that members can be told in time."""

from collections.abc import Iterator
from datetime import datetime
from uuid import UUID, uuid5

from renewer.answers.wording import local, usable_timezone
from renewer.rules.endings import Ending, find_endings
from renewer.rules.ledger import Member
from renewer.rules.plans import Plans
from renewer.rules.value import value
from renewer.store.connection import Database
from renewer.store.feed import read_installation
from renewer.store.members import find_ending
from renewer.store.revisions import find_plans
from renewer.store.watch import find_stretch

STRETCH = 20_000
"""Members that one statement reads."""


@value
class NoticeDocument:
    """Connects of one lot that end soon; the id is the same as long as the end is."""

    id: str
    member_id: str
    lot: int
    source: str
    amount: int
    ends_at: datetime


@value
class ExpiringDocument:
    """Connects that end soon unless they are spent; *next* is where it goes on."""

    items: list[NoticeDocument]
    next: str | None


def find_notices(
    conn: Database, as_of: datetime, until: datetime, after: str = ""
) -> Iterator[ExpiringDocument]:
    """
    Yield what ends up to *until*, a stretch of members behind *after* at a time.

    A notice's id stays the same as long as the lot's end does: each is sent once.
    """
    plans, installation = Plans(find_plans(conn)), read_installation(conn)
    while True:
        end = find_stretch(conn, after, STRETCH)
        items = [
            describe_ending(installation, member, ending)
            for member in find_ending(conn, after, end, until)
            for ending in find_endings(member, plans, as_of, until)
        ]
        yield ExpiringDocument(items, end)
        if end is None:
            return
        after = end


def describe_ending(
    installation: UUID, member: Member, ending: Ending
) -> NoticeDocument:
    """Return the document of one notice; its end has the member's offset."""
    name = f"{member.member_id}:{ending.lot}:{ending.ends_at.isoformat()}"
    return NoticeDocument(
        id=str(uuid5(installation, name)),
        member_id=member.member_id,
        lot=ending.lot,
        source=ending.source.value,
        amount=ending.amount,
        ends_at=local(ending.ends_at, usable_timezone(member.timezone)),
    )
