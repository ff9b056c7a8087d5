"""The demo behind its pages: members of every kind, and a clock the reader moves."""

import io
import threading
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial

from psycopg.rows import DictRow

from renewer.answers.verification import find_violations
from renewer.cli.cast import CAST, Part, utc
from renewer.jobs import importing, plan_files
from renewer.jobs.pass_request import PassOptions, PassRequest
from renewer.jobs.renewal import renew_due
from renewer.rules.ledger import Member, Status
from renewer.rules.plans import Plans
from renewer.store import migrations
from renewer.store.batches import change_plan, purchase
from renewer.store.connection import Database, connect
from renewer.store.history import find_statement
from renewer.store.members import find_members
from renewer.store.revisions import find_plans
from renewer.store.runs import date_runs
from renewer.store.watch import take_census
from renewer.web.stage import Account, Step

PRESET = "upwork-2016"
HEADER = "member_id,plan,anchor_on,timezone,status,balance"
HOUR = timedelta(hours=1)
HOURS_A_DAY = 24
BEGINNING = datetime(2016, 5, 14, 12, tzinfo=UTC)
"""When the clock starts; it stands at a full hour, as passes begin at one."""


class Simulation:
    """Members on a database of the demo's own, and the clock that moves them on."""

    def __init__(self, conninfo: str) -> None:
        self.conninfo = conninfo
        self._turn = threading.Lock()
        self._now = BEGINNING
        self._account: Account | None = None

    @property
    def now(self) -> datetime:
        """Return what the clock shows."""
        return self._now

    @property
    def account(self) -> Account | None:
        """Return what the last step did; None before the first."""
        return self._account

    @property
    def stories(self) -> Mapping[str, str]:
        """Return who takes part, and what each of them shows."""
        return {part.member_id: part.story for part in CAST}

    def prepare(self) -> None:
        """Make the schema and bring the members in."""
        migrations.migrate(self.conninfo, roles=True)
        with connect(self.conninfo) as conn:
            plan_files.record_plans(conn, plan_files.read_plans(PRESET))
            for part in CAST:
                bring_in(conn, part)
            take_census(conn, timedelta(0), self._now)

    def advance(self, step: Step) -> None:
        """Move the clock on and run the passes up to then; one step at a time."""
        with self._turn, connect(self.conninfo) as conn:
            began_at, before = self._now, self._find_cast(conn)
            hours = list(_hours(began_at, step, before))
            for as_of in hours:
                run_pass(self.conninfo, as_of)
            date_runs(conn)
            ended_at = hours[-1]
            take_census(conn, timedelta(0), ended_at)
            self._account = Account(
                began_at,
                ended_at,
                len(hours),
                _find_posted(conn, before),
                len(list(find_violations(conn))),
            )
            self._now = ended_at

    def _find_cast(self, conn: Database) -> Sequence[Member]:
        return find_members(conn, list(self.stories))


def _hours(now: datetime, step: Step, members: Sequence[Member]) -> Iterator[datetime]:
    """Yield the hours of the passes that a step from *now* runs."""
    if step is Step.BOUNDARY:
        # Nobody is due in between: passes there would post nothing.
        yield _full_hour(_find_boundary(now, members))
        return
    passes_ahead = HOURS_A_DAY if step is Step.DAY else 1
    for passed in range(1, passes_ahead + 1):
        yield now + HOUR * passed


def _find_boundary(now: datetime, members: Sequence[Member]) -> datetime:
    """Return the next boundary that a pass will post."""
    renewing = (Status.ACTIVE, Status.SUSPENDED)
    return min(
        each.renews_at
        for each in members
        if each.status in renewing and each.renews_at > now
    )


def _full_hour(at: datetime) -> datetime:
    """Return the first full hour from *at* on: passes begin then."""
    begun = at.replace(minute=0, second=0, microsecond=0)
    return begun if begun == at else begun + HOUR


def _find_posted(
    conn: Database, before: Sequence[Member]
) -> dict[str, Sequence[DictRow]]:
    """Return what was posted for each member who was found *before*."""
    posted: dict[str, Sequence[DictRow]] = {}
    for held in before:
        lines = find_statement(conn, held.member_id, held.last_seq)
        if lines:
            posted[held.member_id] = lines
    return posted


def bring_in(conn: Database, part: Part) -> None:
    """Import a member of the demo, and make the calls the application would make."""
    file = io.BytesIO(f"{HEADER}\n{part.line}\n".encode())
    known, at = Plans(find_plans(conn)), utc(part.imported_on)
    done = importing.import_members(conn, file, known, at, on_bad=lambda *_: None)
    assert done.imported == 1
    if part.bought:
        purchase(conn, part.member_id, part.bought, "demo", at)
    if part.next_plan is not None:
        change_plan(conn, part.member_id, part.next_plan, "demo", at)


def run_pass(conninfo: str, as_of: datetime) -> None:
    """Run the pass that the worker would run at *as_of*."""
    renew_due(
        partial(connect, conninfo),
        PassRequest(as_of, PassOptions(threads=1), "schedule"),
    )
