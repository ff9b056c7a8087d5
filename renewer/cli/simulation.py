"""The demo behind its pages: members of every kind, and a clock the reader moves."""

import io
import threading
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial

from psycopg.rows import DictRow

from renewer import store
from renewer.answers.verification import find_violations
from renewer.jobs import importing, plan_files
from renewer.jobs.pass_request import PassOptions, PassRequest
from renewer.jobs.renewal import renew_due
from renewer.rules.ledger import Member, Status, value
from renewer.rules.plans import Plans
from renewer.store import migrations
from renewer.web.stage import Account, Step

PRESET = "upwork-2016"
HEADER = "member_id,plan,anchor_on,timezone,status,balance"
HOUR = timedelta(hours=1)
HOURS_A_DAY = 24
BEGINNING = datetime(2016, 5, 14, 12, tzinfo=UTC)
"""When the clock starts; it stands at a full hour, as passes begin at one."""


@value
class Part:
    """One member of the demo, as brought in on a day, and what they show."""

    line: str
    imported_on: str
    story: str

    @property
    def member_id(self) -> str:
        """Return the member's id."""
        return self.line.split(",")[0]


CAST = (
    Part(
        "ana,basic,2016-04-19,UTC,active,2",
        "2016-05-14",
        "“More than a month and no refill, what is wrong?” Nothing: the cycle ends on "
        "18 May.",
    ),
    Part(
        "ben,plus,2016-04-17,Europe/Berlin,active,30",
        "2016-05-01",
        "Lives in Berlin: the day begins there two hours earlier. All 30 roll over.",
    ),
    Part(
        "cleo,plus,2016-04-15,UTC,active,200",
        "2016-05-01",
        "Has 200 unused, and Plus keeps 140 of them.",
    ),
    Part(
        "dan,basic,2016-01-31,UTC,active,0",
        "2016-05-01",
        "Started on January 31: short months end on their last day.",
    ),
    Part(
        "eva,basic,2016-04-16,America/Sao_Paulo,active,10",
        "2016-05-01",
        "In São Paulo the midnight of 16 October 2016 does not exist: the cycle starts "
        "at 01:00.",
    ),
    Part(
        "finn,basic,2016-04-15,UTC,active,12",
        "2016-05-01",
        "“My cycle is the 14th, and I see no Connects.” It is the last day of the old "
        "cycle.",
    ),
    Part(
        "gita,basic,2016-04-15,UTC,under_review,5",
        "2016-05-01",
        "Is under review: boundaries wait until it ends.",
    ),
    Part(
        "hugo,basic,2016-04-20,UTC,active,5",
        "2016-05-10",
        "Bought 20: a cycle never touches those.",
    ),
    Part(
        "iris,basic,2016-02-29,UTC,active,0",
        "2016-05-01",
        "Started on February 29.",
    ),
    Part(
        "juno,plus,2016-02-12,UTC,active,0",
        "2016-02-20",
        "The job was down for three months: each missed boundary is posted once.",
    ),
    Part(
        "kim,plus,2016-04-18,UTC,active,80",
        "2016-05-01",
        "Goes from Plus to Basic with the next cycle, which keeps nothing.",
    ),
    Part(
        "lea,basic,2016-04-16,UTC,suspended,4",
        "2016-05-01",
        "Is suspended: the cycles go on and bring 0.",
    ),
    Part(
        "mia,basic,2016-04-16,UTC,closed,3",
        "2016-05-01",
        "Has closed the membership: nothing renews, nothing expires.",
    ),
)


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
        with store.connect(self.conninfo) as conn:
            plan_files.record_plans(conn, plan_files.read_plans(PRESET))
            for part in CAST:
                bring_in(conn, part.line, utc(part.imported_on))
            bought_at, asked_at = utc("2016-05-11"), utc("2016-05-10")
            store.purchase(conn, "hugo", 20, "demo", bought_at)
            store.change_plan(conn, "kim", "basic", "demo", asked_at)
            store.take_census(conn, timedelta(0), self._now)

    def advance(self, step: Step) -> None:
        """Move the clock on and run the passes up to then; one step at a time."""
        with self._turn, store.connect(self.conninfo) as conn:
            began_at, before = self._now, self._find_cast(conn)
            hours = list(_hours(began_at, step, before))
            for as_of in hours:
                renew_due(
                    partial(store.connect, self.conninfo),
                    PassRequest(as_of, PassOptions(threads=1), "schedule"),
                )
            store.date_runs(conn)
            ended_at = hours[-1]
            store.take_census(conn, timedelta(0), ended_at)
            self._account = Account(
                began_at,
                ended_at,
                len(hours),
                _find_posted(conn, before),
                len(list(find_violations(conn))),
            )
            self._now = ended_at

    def _find_cast(self, conn: store.Database) -> Sequence[Member]:
        return store.find_members(conn, list(self.stories))


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
    conn: store.Database, before: Sequence[Member]
) -> dict[str, Sequence[DictRow]]:
    """Return what was posted for each member who was found *before*."""
    posted: dict[str, Sequence[DictRow]] = {}
    for held in before:
        lines = store.find_statement(conn, held.member_id, held.last_seq)
        if lines:
            posted[held.member_id] = lines
    return posted


def bring_in(conn: store.Database, line: str, as_of: datetime) -> None:
    """Import the one member of *line*, as a file of members has it."""
    file = io.BytesIO(f"{HEADER}\n{line}\n".encode())
    known = Plans(store.find_plans(conn))
    done = importing.import_members(conn, file, known, as_of, on_bad=lambda *_: None)
    assert done.imported == 1


def utc(text: str) -> datetime:
    """Return an instant; *text* is a day, or a time without an offset."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)
