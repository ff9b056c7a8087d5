"""Which Connects end soon: what the next boundaries cut, and what lapses by itself."""

from collections.abc import Iterator, Sequence
from datetime import datetime

from renewer.errors import RenewerError
from renewer.rules.ledger import WAITING, Entry, Kind, Member, Source
from renewer.rules.plans import Plans
from renewer.rules.policy import plan_posting
from renewer.rules.value import value


@value
class Ending:
    """Connects of a lot that end at a time: *amount* of it, perhaps not all."""

    lot: int
    source: Source
    amount: int
    ends_at: datetime


def find_endings(
    member: Member, plans: Plans, as_of: datetime, until: datetime
) -> Iterator[Ending]:
    """
    Yield what *member* loses after *as_of* up to *until*, unless they spend it first.

    Only of lots they hold now: what is renewed meanwhile is told once it is there.
    """
    sources = {lot.number: lot.source for lot in member.lots}
    for number, amount, at in _find_expiries(member, plans, until):
        if number in sources and at > as_of:
            yield Ending(number, sources[number], amount, at)


def _find_expiries(
    member: Member, plans: Plans, until: datetime
) -> Iterator[tuple[int, int, datetime]]:
    """Yield lot, amount and time of what ends up to *until*."""
    if member.status not in WAITING:
        try:
            entries = plan_posting(member, plans, until).entries
        except RenewerError:
            entries = None
        if entries is not None:
            yield from _read_expiries(entries)
            return
    # Under review boundaries wait, and of a member who fails nobody knows what they
    # bring. What has an end of its own cannot be spent after it in any case.
    for lot in member.lots:
        if lot.expires_at is not None and lot.expires_at <= until and lot.remaining:
            yield lot.number, lot.remaining, lot.expires_at


def _read_expiries(entries: Sequence[Entry]) -> Iterator[tuple[int, int, datetime]]:
    """Yield lot, amount and time of what a posting lets expire."""
    origins: dict[int, int] = {}
    moved = 0
    for entry in entries:
        if entry.lot is None:
            continue
        if entry.kind is Kind.ROLLOVER and entry.amount < 0:
            moved = origins.get(entry.lot, entry.lot)
        elif entry.kind is Kind.ROLLOVER:
            # What is carried and then lapses ends for the lot that it is in today.
            origins[entry.lot] = moved
        elif entry.kind is Kind.EXPIRY:
            yield origins.get(entry.lot, entry.lot), -entry.amount, entry.occurred_at
