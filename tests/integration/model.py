"""
A simple in-memory model of one member: the rules of README, written down a second
time and naively.
"""

from copy import deepcopy
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from renewer.rules.calendar import Calendar, zone

BOUND = ("allowance", "rollover", "refund")


class Refused(Exception):
    """A call the marketplace must not make; its argument is the SQLSTATE."""


@dataclass
class Held:
    """A lot."""

    source: str
    left: int
    issued: datetime
    ends: datetime | None
    cycle_ends: datetime | None


@dataclass
class Model:
    """One member, *plans* as code to (allowance, cap, lifetime)."""

    plans: dict[str, tuple[int, int | None, int | None]]
    plan: str
    anchor: date
    zone: str
    status: str
    enrolled: datetime
    n: int | None = None
    renews: datetime = field(init=False)
    last_boundary: datetime | None = None
    renewed_day: date | None = None
    renewal_lot: Held | None = None
    pending: str | None = None
    lots: list[Held] = field(default_factory=list)
    entries: list[tuple[str, int, datetime]] = field(default_factory=list)
    spends: dict[str, list[tuple[Held, int]]] = field(default_factory=dict)
    returned: dict[str, int] = field(default_factory=dict)
    waiting: list[tuple[datetime, str, dict[str, Any]]] = field(default_factory=list)
    day: tuple[int, int, int, int] | None = None
    renewed: list[tuple[str, int, str]] = field(default_factory=list)
    lapses: datetime | None = None
    requested: datetime | None = None

    def __post_init__(self) -> None:
        self.renews = self.enrolled

    @property
    def balance(self) -> int:
        return sum(lot.left for lot in self.lots)

    # When a pass has something to do: a writer lowers facts, a posting sets them anew

    @property
    def due(self) -> datetime | None:
        if self.status == "closed":
            return None
        if self.status == "under_review":
            return self.requested
        return min(
            at for at in (self.renews, self.lapses, self.requested) if at is not None
        )

    def lower_lapse(self, ends: datetime | None) -> None:
        if ends is not None and (self.lapses is None or ends < self.lapses):
            self.lapses = ends

    def lower_request(self, at: datetime, function: str) -> None:
        if self.status == "under_review" and function != "set_status":
            return
        at = at if self.n is not None else max(at, self.renews)
        if self.requested is None or at < self.requested:
            self.requested = at

    def settle(self) -> None:
        self.lapses = self.requested = None
        for lot in self.lots:
            if lot.left:
                self.lower_lapse(lot.ends)
        for at, function, _ in self.waiting:
            self.lower_request(at, function)

    def is_passed(self, now: datetime) -> None:
        """Live through a pass over all members who are due."""
        if self.due is not None and self.due <= now:
            self.run(now)
            self.settle()

    def post(self, kind: str, amount: int, at: datetime, lot: Held | None) -> None:
        if lot is not None:
            lot.left += amount
        self.entries.append((kind, amount, at))

    def issue(self, *of: Any) -> Held:
        self.lots.append(Held(of[0], 0, *of[1:]))
        return self.lots[-1]

    def cycle_ends(self, issued: datetime) -> datetime:
        """The first boundary after something is issued, posted or not."""
        n, ends = self.n or 0, self.renews
        while ends <= issued:
            n += 1
            ends = Calendar(self.anchor, self.zone).boundary(n)
        return ends

    def refuse_closed(self) -> None:
        if self.status == "closed" or any(
            args.get("status") == "closed" for _, _, args in self.waiting
        ):
            raise Refused("RN005")

    def judged(self, at: datetime) -> datetime:
        return max(at, self.last_boundary or at)

    # What moves at once

    def spend(self, amount: int, reference: str, at: datetime) -> None:
        self.refuse_closed()
        usable = [
            lot
            for lot in self.lots
            if lot.left and (lot.ends is None or lot.ends > self.judged(at))
        ]
        if sum(lot.left for lot in usable) < amount:
            raise Refused("RN002")
        far = datetime.max.replace(tzinfo=at.tzinfo)
        usable.sort(
            key=lambda lot: min(
                lot.ends or far, self.renews if lot.source in BOUND else far
            )
        )
        self.spends[reference] = []
        for lot in usable:
            part = min(lot.left, amount)
            if part:
                self.post("spend", -part, at, lot)
                self.spends[reference].append((lot, part))
                amount -= part

    def refund(self, spend_reference: str, amount: int | None, at: datetime) -> None:
        self.refuse_closed()
        parts = [
            (lot, 1)
            for lot, part in reversed(self.spends[spend_reference])
            for _ in range(part)
        ]
        done = self.returned.get(spend_reference, 0)
        amount = len(parts) - done if amount is None else amount
        if amount == 0 or done + amount > len(parts):
            raise Refused("RN004")
        self.returned[spend_reference] = done + amount
        back: list[tuple[Held, int]] = []
        for lot, one in parts[done : done + amount]:
            if back and back[-1][0] is lot:
                back[-1] = (lot, back[-1][1] + one)
            else:
                back.append((lot, one))
        for lot, part in back:
            over = lot.cycle_ends is not None and lot.cycle_ends <= self.judged(at)
            if over or (lot.ends is not None and lot.ends <= self.judged(at)):
                newest = [
                    each.ends for each in self.lots if each.source == "allowance"
                ][-1:]
                ends = (
                    newest[0]
                    if newest and newest[0] and newest[0] > self.judged(at)
                    else None
                )
                lot = self.issue("refund", at, ends, self.cycle_ends(at))  # noqa: PLW2901
            self.post("refund", part, at, lot)
            self.lower_lapse(lot.ends)

    def add(self, kind: str, amount: int, ends: datetime | None, at: datetime) -> None:
        self.refuse_closed()
        self.post(kind, amount, at, self.issue(kind, at, ends, None))
        self.lower_lapse(ends)

    def ask(self, function: str, at: datetime, **arguments: Any) -> None:
        self.refuse_closed()
        self.waiting.append((at, function, arguments))
        self.waiting.sort(key=lambda request: request[0])
        self.lower_request(at, function)

    # What a pass does

    def run(self, now: datetime) -> None:
        while True:
            due = [
                r
                for r in self.waiting
                if r[0] <= now
                and (self.status != "under_review" or r[1] == "set_status")
            ]
            if self.n is None and self.status in ("active", "suspended"):
                # The enrolment comes first, whatever a request says of its time.
                due = []
            until = due[0][0] if due else now
            ends = [lot.ends for lot in self.lots if lot.left and lot.ends]
            if (
                self.status in ("active", "suspended")
                and ends
                and min(ends) <= min(self.renews, until)
            ):
                for lot in self.lots:
                    if lot.left and lot.ends == min(ends):
                        self.post("expiry", -lot.left, min(ends), lot)
            elif self.status in ("active", "suspended") and self.renews <= until:
                self.boundary()
            elif due:
                self.waiting.remove(due[0])
                self.apply(*due[0])
            else:
                return

    def boundary(self) -> None:
        at = self.renews
        first = self.n is None
        self.n = (
            Calendar(self.anchor, self.zone).number_at(at)
            if self.n is None
            else self.n + 1
        )
        self.plan, self.pending = self.pending or self.plan, None
        allowance, cap, lifetime = self.plans[self.plan]
        if not first:
            old = [
                lot
                for lot in self.lots
                if lot.left and lot.source in BOUND and lot.issued < at
            ]
            over = 0 if cap is None else max(0, sum(lot.left for lot in old) - cap)
            for lot in old:
                lost = min(lot.left, over)
                over -= lost
                if lost:
                    self.post("expiry", -lost, at, lot)
            for lot in old:
                if lot.left and lot.source != "rollover":
                    left = lot.left
                    new = self.issue("rollover", at, lot.ends, None)
                    self.post("rollover", -left, at, lot)
                    self.post("rollover", left, at, new)
        self.begin(at)
        self.award(
            allowance, lifetime, at, Calendar(self.anchor, "UTC").first_day(self.n)
        )

    def begin(self, at: datetime) -> None:
        assert self.n is not None
        self.renews, self.last_boundary, self.day = (
            Calendar(self.anchor, self.zone).boundary(self.n + 1),
            at,
            None,
        )
        for lot in self.lots:
            if lot.cycle_ends is not None and (lot.cycle_ends > at or lot.issued >= at):
                lot.cycle_ends = self.cycle_ends(lot.issued)

    def award(self, amount: int, lifetime: int | None, at: datetime, day: date) -> None:
        amount = 0 if self.status == "suspended" else amount
        self.renewed_day, self.renewal_lot = (
            day,
            self.allowance(lifetime, at) if amount else None,
        )
        self.post("renewal", amount, at, self.renewal_lot)
        self.renewed.append((self.plan, amount, self.status))

    def backfill(self, now: datetime) -> "Model":
        """Return the member after a backfill of every cycle, who was named."""
        if not self.may_be_made_up_for(now):
            return self
        after = deepcopy(self)
        after.run(now)
        if len(after.renewed) == len(self.renewed):
            # Without a missing boundary nothing else that is due is posted either.
            after = self
        owing = self.owing()
        if owing:
            after.make_up(owing, now)
        if after is not self or owing:
            after.settle()
        return after

    def may_be_made_up_for(self, now: datetime) -> bool:
        """Whether the member is active, and still is after what waits at *now*."""
        statuses = [self.status]
        for at, function, args in self.waiting:
            if function == "set_status" and at <= now:
                statuses.append(args["status"])
        return "closed" not in statuses and statuses[-1] == "active"

    def owing(self) -> list[tuple[int, int]]:
        """Return which renewals were 0 for a suspension, and what each owes."""
        owing = []
        for number, (plan, amount, status) in enumerate(self.renewed):
            allowance = self.plans[plan][0] if status == "suspended" else 0
            if amount == 0 and allowance:
                owing.append((number, allowance))
        return owing

    def make_up(self, owing: list[tuple[int, int]], now: datetime) -> None:
        """Post what is *owing*, into one lot of the current cycle."""
        assert self.n is not None
        at = max(now, self.last_boundary or now)
        n = self.n
        if at >= self.renews:
            n = Calendar(self.anchor, self.zone).number_at(at)
        lifetime = self.plans[self.plan][2]
        ends = None
        if lifetime:
            ends = Calendar(self.anchor, self.zone).boundary(n + lifetime)
        lot = self.issue("allowance", at, ends, self.cycle_ends(at))
        if at == self.last_boundary:
            # Issued at one instant, they are told apart by nothing.
            self.renewal_lot = self.renewal_lot or lot
        for number, amount in owing:
            self.post("late_renewal", amount, at, lot)
            self.renewed[number] = ("", amount, "late")

    def allowance(self, lifetime: int | None, at: datetime) -> Held:
        assert self.n is not None
        ends = (
            Calendar(self.anchor, self.zone).boundary(self.n + lifetime)
            if lifetime
            else None
        )
        return self.issue("allowance", at, ends, self.cycle_ends(at))

    def apply(self, at: datetime, function: str, arguments: dict[str, Any]) -> None:
        if self.status == "closed":
            pass
        elif function == "set_status":
            self.status = arguments["status"]
        elif function == "set_timezone":
            self.zone = arguments["timezone"]
        elif arguments["effective"] == "next_cycle":
            self.pending = None if arguments["plan"] == self.plan else arguments["plan"]
        else:
            self.change_now(at, arguments["plan"])

    def change_now(self, at: datetime, plan: str) -> None:
        assert self.n is not None
        since = self.judged(at)
        begun, ended = (
            Calendar(self.anchor, "UTC").first_day(self.n),
            Calendar(self.anchor, "UTC").first_day(self.n + 1),
        )
        today = max(since.astimezone(zone(self.zone)).date(), begun)
        same_day = self.renewed_day == today == begun
        elapsed = min((today - begun).days, (ended - begun).days)
        base, gone, days, credited = (same_day and self.day) or (
            self.plans[self.plan][0],
            elapsed,
            (ended - begun).days,
            0,
        )
        allowance, _, lifetime = self.plans[plan]
        credit = max(0, allowance - base + base * gone // days - credited)
        credit = 0 if self.status == "suspended" else credit
        self.plan, self.pending, self.anchor, self.n = plan, None, today, 0
        boundary = self.last_boundary if same_day else since
        assert boundary is not None
        self.begin(boundary)
        if not same_day:
            self.award(credit, lifetime, at, today)
        elif credit:
            self.renewal_lot = self.renewal_lot or self.allowance(lifetime, at)
            self.post("adjustment", credit, at, self.renewal_lot)
        self.day = (base, gone, days, credited + credit)
