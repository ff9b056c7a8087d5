"""
Random sequences of every operation, clock moves and passes, against the model.

More of them with --long.
"""

from datetime import date, datetime, timedelta
from functools import partial
from itertools import count
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from renewer.rules.plans import Revision
from renewer.store.connection import Database
from renewer.store.revisions import add_plan
from tests.integration.model import Model, Refused
from tests.support import EPOCH, Marketplace, refused, renew, repair, utc, violations

PLANS = {
    "basic": (60, 0, None),
    "plus": (70, 140, None),
    "short": (10, None, 2),
    "free": (0, 5, 12),
}
ZONES = ("UTC", "America/Havana", "Asia/Tokyo", "Pacific/Apia")
NAMES = (f"m{number}" for number in count())

amounts = st.integers(1, 90)
plans = st.sampled_from(sorted(PLANS))
zones = st.sampled_from(ZONES)
hours = st.one_of(st.integers(0, 60), st.integers(0, 24 * 70))
backwards = st.integers(0, 40).map(lambda hours: timedelta(hours=hours))


class RandomCalls(RuleBasedStateMachine):
    """The calls of one member, passes and backfills, on *database* and in the model."""

    now: datetime
    model: Model

    def __init__(self, database: str, conn: Database) -> None:
        super().__init__()
        self.database = database
        self.conn = conn
        self.market = Marketplace(conn)

    @initialize(
        plan=plans,
        anchor=st.dates(date(2015, 10, 1), date(2016, 2, 29)),
        zone=zones,
        status=st.sampled_from(["active", "active", "suspended", "under_review"]),
    )
    def enroll(self, plan: str, anchor: date, zone: str, status: str) -> None:
        self.now = utc("2016-03-01T05:00")
        self.name = next(NAMES)
        self.references = count()
        self.model = Model(PLANS, plan, anchor, zone, status, self.now)
        self.call(
            "enroll",
            None,
            plan=plan,
            anchor_on=anchor,
            timezone=zone,
            status=status,
        )

    def call(self, function: str, at: datetime | None, **arguments: Any) -> str:
        """
        Call the function and, with the same arguments, once more: the second time
        nothing is posted.
        """
        reference = f"r{next(self.references)}"
        known = {
            "member_id": self.name,
            "reference": reference,
            "at": at or self.now,
        } | arguments
        first, second = (self.market.call(function, **known) for _ in range(2))
        assert second == (*first[:-1], True)
        return reference

    def both(
        self, model: Any, function: str, at: datetime, **arguments: Any
    ) -> str | None:
        """
        Do it in the model and in the database.

        Both do it, or both refuse it for the same reason.
        """
        code = None
        try:
            model()
        except Refused as refusal:
            code = str(refusal)
        if code is None:
            return self.call(function, at, **arguments)
        with refused(code):
            self.call(function, at, **arguments)
        return None

    @rule(hours=hours)
    def time_passes(self, hours: int) -> None:
        self.now += timedelta(hours=hours)

    @rule()
    def a_pass_runs(self) -> None:
        renew(self.database, self.now.isoformat()[:19], threads=1)
        self.model.is_passed(self.now)

    @rule(ago=backwards)
    def a_pass_acts_at_an_earlier_time(self, ago: timedelta) -> None:
        renew(self.database, (self.now - ago).isoformat()[:19], threads=1)
        self.model.is_passed(self.now - ago)

    @rule()
    def a_backfill_runs(self) -> None:
        repair(
            self.database,
            self.now.isoformat()[:19],
            date(1900, 1, 1),
            date(2100, 1, 1),
            members=[self.name],
        )
        self.model = self.model.backfill(self.now)

    @rule(hours=hours, passes=st.booleans())
    def a_suspension_was_a_mistake(self, hours: int, passes: bool) -> None:
        self.ask("set_status", self.now, status="suspended")
        self.now += timedelta(days=20, hours=hours)
        if passes:
            self.a_pass_runs()
        self.ask("set_status", self.now, status="active")
        self.a_pass_runs()
        self.a_backfill_runs()

    @rule(amount=amounts, ago=backwards)
    def spend(self, amount: int, ago: timedelta) -> None:
        at, key = self.now - ago, f"s{len(self.model.spends)}"
        reference = self.both(
            lambda: self.model.spend(amount, key, at), "spend", at, amount=amount
        )
        if reference:
            self.model.spends[reference] = self.model.spends.pop(key)

    @precondition(lambda self: self.model.spends)
    @rule(
        which=st.integers(0, 50),
        amount=st.none() | st.integers(1, 60),
        ago=backwards,
    )
    def refund(self, which: int, amount: int | None, ago: timedelta) -> None:
        at = self.now - ago
        spends = sorted(self.model.spends)
        spent = spends[which % len(spends)]
        self.both(
            lambda: self.model.refund(spent, amount, at),
            "refund",
            at,
            spend_reference=spent,
            amount=amount,
        )

    @rule(amount=amounts, days=st.none() | st.integers(1, 50), bonus=st.booleans())
    def buy(self, amount: int, days: int | None, bonus: bool) -> None:
        ends = None if days is None else self.now + timedelta(days=days)
        kind, function = ("bonus", "grant_bonus") if bonus else ("purchase", "purchase")
        at = self.now
        self.both(
            lambda: self.model.add(kind, amount, ends, at),
            function,
            at,
            amount=amount,
            expires_at=ends,
        )

    def ask(self, function: str, at: datetime, **arguments: Any) -> None:
        self.both(
            lambda: self.model.ask(function, at, **arguments),
            function,
            at,
            **arguments,
        )

    @rule(plan=plans, effective=st.sampled_from(["now", "next_cycle"]), ago=backwards)
    def change_plan(self, plan: str, effective: str, ago: timedelta) -> None:
        self.ask("change_plan", self.now - ago, plan=plan, effective=effective)

    @rule(
        status=st.sampled_from(
            ["active", "active", "active", "suspended", "under_review", "closed"]
        ),
        ago=backwards,
    )
    def set_status(self, status: str, ago: timedelta) -> None:
        self.ask("set_status", self.now - ago, status=status)

    @rule(zone=zones, ago=backwards)
    def set_timezone(self, zone: str, ago: timedelta) -> None:
        self.ask("set_timezone", self.now - ago, timezone=zone)

    @invariant()
    def the_facts_are_the_models(self) -> None:
        member = self.conn.execute(
            "SELECT * FROM renewer.member WHERE member_id = %s", [self.name]
        ).fetchone()
        assert member is not None
        model = self.model
        expected = {
            "balance": model.balance,
            "status": model.status,
            "plan": model.plan,
            "timezone": model.zone,
            "renews_at": model.renews,
            "lapses_at": model.lapses,
            "requested_at": model.requested,
            "retry_at": None,
            "parked": False,
            "due_at": model.due,
        }
        assert {name: member[name] for name in expected} == expected

    @invariant()
    def the_lots_are_the_models(self) -> None:
        rows = self.conn.execute(
            "SELECT source, remaining, issued_at, expires_at FROM renewer.lot "
            "WHERE member_id = %s ORDER BY number",
            [self.name],
        )
        expected = [
            (lot.source, lot.left, lot.issued, lot.ends) for lot in self.model.lots
        ]
        assert [tuple(row.values()) for row in rows] == expected

    @invariant()
    def the_ledger_is_the_models(self) -> None:
        rows = self.conn.execute(
            "SELECT kind, amount, occurred_at FROM renewer.ledger_entry "
            "WHERE member_id = %s ORDER BY seq",
            [self.name],
        )
        assert [tuple(row.values()) for row in rows] == self.model.entries


@pytest.mark.timeout(1200)
def test_every_sequence_leaves_the_ledger_of_the_model(
    database: str, conn: Database, request: pytest.FixtureRequest
) -> None:
    """
    Balances, lots, entries and what makes a member due agree after every step.

    Passes are over all members, so that one who is due too late is missed. In the end
    `verify` is clean.
    """
    for code, (allowance, cap, lifetime) in PLANS.items():
        add_plan(conn, Revision(code, EPOCH, allowance, cap, lifetime))
    # The long form plays new sequences each time, the short one always the same.
    long = request.config.getoption("--long")
    examples, steps = (600, 60) if long else (20, 30)
    run_state_machine_as_test(
        partial(RandomCalls, database, conn),
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            derandomize=not long,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
    assert violations(conn) == []
