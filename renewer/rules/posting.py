"""What one transaction writes for one member, and the draft `policy` writes it into, one entry after the other."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime

from renewer.rules.ledger import CycleName, Entry, Kind, Lot, Member, Request, Source


@dataclass(frozen=True, slots=True)
class Begun:
    """A cycle that begins *at* a boundary or a change of plan, and ends at *renews_at*."""

    at: datetime
    renews_at: datetime

    def end(self, lot: Lot) -> Lot:
        """Return *lot* with the end of this cycle when it is bound to it: not ended before, or issued since."""
        if lot.cycle_ends_at is None or (lot.cycle_ends_at <= self.at and lot.issued_at < self.at):
            return lot
        return replace(lot, cycle_ends_at=self.renews_at)


@dataclass(frozen=True, slots=True)
class Applied:
    """A request that was applied, the balance it left and the entries it posted, None for none."""

    reference: str
    balance: int
    first_seq: int | None
    last_seq: int | None


@dataclass(frozen=True, slots=True)
class Boundary:
    """
    What a boundary does, in Connects.

    *carried* is what is unused of the ended cycle and stays, *lost* what the plan does not carry, by lot, *expiring*
    all that expires up to the boundary, lapsed lots included.
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


@dataclass(frozen=True, slots=True)
class Posting:
    """
    What one transaction writes for one member: entries, new lots, what is left in old ones, and the next state.

    *remainders* maps the number of each lot on record that changes to what remains in it. *cycles* have begun, in
    order, and end the lots on record that are bound to them.
    """

    before: Member
    after: Member
    entries: tuple[Entry, ...]
    new_lots: tuple[Lot, ...]
    remainders: dict[int, int]
    applied: tuple[Applied, ...] = ()
    cycles: tuple[Begun, ...] = ()

    @property
    def renewals(self) -> int:
        """Return how many boundaries this posting posts."""
        return sum(entry.kind is Kind.RENEWAL for entry in self.entries)

    def settled(self) -> Member:
        """Return the member once this is written, as the planner sees them: where a lot's cycle ends is not kept up."""
        held = [replace(lot, remaining=self.remainders.get(lot.number, lot.remaining)) for lot in self.before.lots]
        after = self.after
        credited = (after.allowance_lot, after.changed and after.changed.lot)  # a change of plan may fill these again
        lots = [lot for lot in [*held, *self.new_lots] if lot.remaining or lot.number in credited]
        return replace(after, lots=tuple(lots))


class Draft:
    """
    A member's ledger as it will be: what is issued and posted here comes after what is on record.

    The attributes named as those of Member are the member's state so far.
    """

    def __init__(self, member: Member) -> None:
        self.member = member
        self.plan = member.plan
        self.anchor_on = member.anchor_on
        self.timezone = member.timezone
        self.status = member.status
        self.balance = member.balance
        self.cycle_n = member.cycle_n
        self.renews_at = member.renews_at
        self.first_boundary_on = member.first_boundary_on
        self.last_boundary_at = member.last_boundary_at
        self.pending_plan = member.pending_plan
        self.boundary_timezone = member.boundary_timezone
        self.allowance_lot = member.allowance_lot
        self.changed = member.changed
        self.requests = list(member.requests)
        self.cycles: list[Begun] = []
        self.entries: list[Entry] = []
        self.applied: list[Applied] = []
        self.lots = {lot.number: lot for lot in member.lots}
        self.remaining = {lot.number: lot.remaining for lot in member.lots}
        self._last_lot = member.last_lot

    def open_lots(self) -> list[Lot]:
        """Return the lots that have something left, oldest first; `remaining` says how much."""
        return [lot for lot in self.lots.values() if self.remaining[lot.number]]

    def issue(
        self,
        source: Source,
        issued_at: datetime,
        expires_at: datetime | None,
        cycle_ends_at: datetime | None = None,
    ) -> int:
        """Add an empty lot and return its number; the entry that follows fills it."""
        self._last_lot = number = self._last_lot + 1
        self.lots[number] = Lot(number, source, 0, issued_at, expires_at, cycle_ends_at)
        self.remaining[number] = 0
        return number

    def post(
        self,
        kind: Kind,
        amount: int,
        occurred_at: datetime,
        lot: int | None,
        *,
        reason: str | None = None,
        renews: CycleName | None = None,
        reference: str | None = None,
    ) -> None:
        """Add an entry and move its lot and the balance by *amount*; a renewal names the cycle it *renews*."""
        self.balance += amount
        if lot is not None:
            self.remaining[lot] += amount
            assert self.remaining[lot] >= 0, "a lot cannot go below zero"
        seq = self.member.last_seq + len(self.entries) + 1
        entry = Entry(seq, kind, amount, self.balance, occurred_at, lot, reason=reason, reference=reference)
        self.entries.append(entry if renews is None else entry.renewing(renews))

    def reached(self, first_day: date) -> CycleName:
        """Return the name of the cycle that was reached and began on *first_day*."""
        assert self.cycle_n is not None
        return CycleName(first_day, self.anchor_on, self.cycle_n, self.plan)

    def begin_cycle(self, at: datetime, renews_at: datetime) -> None:
        """Note that a cycle begins at *at* and ends at *renews_at*, and give its lots that end."""
        self.last_boundary_at, self.renews_at = at, renews_at
        begun = Begun(at, renews_at)
        self.cycles.append(begun)
        self.lots = {number: begun.end(lot) for number, lot in self.lots.items()}

    def apply(self, request: Request, posted: Sequence[Entry]) -> None:
        """Note that *request* is applied and which entries it *posted*."""
        self.requests.remove(request)
        first_seq, last_seq = (posted[0].seq, posted[-1].seq) if posted else (None, None)
        self.applied.append(Applied(request.reference, self.balance, first_seq, last_seq))

    def finish(self, due_at: datetime | None) -> Posting:
        """Return all of it as one posting, after which the member is due at *due_at*."""
        held = self.member
        after = replace(
            held,
            plan=self.plan,
            anchor_on=self.anchor_on,
            timezone=self.timezone,
            status=self.status,
            balance=self.balance,
            cycle_n=self.cycle_n,
            renews_at=self.renews_at,
            due_at=due_at,
            last_seq=held.last_seq + len(self.entries),
            last_lot=self._last_lot,
            first_boundary_on=self.first_boundary_on,
            last_boundary_at=self.last_boundary_at,
            pending_plan=self.pending_plan,
            boundary_timezone=self.boundary_timezone,
            allowance_lot=self.allowance_lot,
            changed=self.changed,
            requests=tuple(self.requests),
        )
        new = tuple(
            Lot(number, lot.source, self.remaining[number], lot.issued_at, lot.expires_at, lot.cycle_ends_at)
            for number, lot in self.lots.items()
            if number > held.last_lot
        )
        changed = {
            lot.number: self.remaining[lot.number] for lot in held.lots if self.remaining[lot.number] != lot.remaining
        }
        return Posting(held, after, tuple(self.entries), new, changed, tuple(self.applied), tuple(self.cycles))
