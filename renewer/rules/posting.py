"""What one transaction writes for one member, and what it does at each boundary."""

from datetime import date, datetime

from renewer.rules.ledger import Entry, Kind, Lot, Member
from renewer.rules.value import value


@value
class Applied:
    """A request that was applied, the balance it left and the entries it posted."""

    reference: str
    balance: int
    first_seq: int | None
    last_seq: int | None


@value
class Boundary:
    """
    What a boundary, or a change of plan that begins a cycle, does, in Connects.

    *carried* is what is unused of the ended cycle and stays. *lost* is what the plan
    does not carry, by lot. *expiring* is all that the posting expires since its
    boundary before, lapsed lots included. *allowance* is what is awarded, which may be
    0.
    """

    n: int
    first_day: date
    last_day: date
    awards_at: datetime
    plan: str
    allowance: int
    reason: str | None
    carried: int
    lost: dict[int, int]
    expiring: int
    balance_after: int


@value
class Posting:
    """
    What one transaction writes for the member *before*, who is *after* once it is done.

    *changed_lots* are lots on record with what remains in them now.
    """

    before: Member
    after: Member
    entries: tuple[Entry, ...]
    new_lots: tuple[Lot, ...]
    changed_lots: tuple[Lot, ...]
    applied: tuple[Applied, ...] = ()

    def posts(self, kind: Kind) -> bool:
        """Whether there is an entry of *kind*."""
        return any(entry.kind is kind for entry in self.entries)
