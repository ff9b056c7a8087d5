"""The members of both demos, and the hours at which the job is worth watching."""

from collections.abc import Sequence
from datetime import UTC, datetime

from renewer.rules.value import value


@value
class Part:
    """
    One member of the demos, and what their renewals show.

    *line* is a row of a members file, imported on *imported_on*; then the member buys
    *bought* Connects and asks for the plan *next_plan*. The printed demo shows the
    *passes*, none of a member that only the pages show; before them the job ran last
    at *caught_up_at*. All times are UTC.
    """

    line: str
    imported_on: str
    title: str
    why: str
    passes: Sequence[str] = ()
    caught_up_at: str | None = None
    bought: int = 0
    next_plan: str | None = None

    @property
    def member_id(self) -> str:
        """Return the member's id."""
        return self.line.split(",")[0]

    @property
    def story(self) -> str:
        """Return the title and the explanation as sentences."""
        return f"{self.title}. {self.why}"


CAST = (
    Part(
        "ana,basic,2016-04-19,UTC,active,2",
        "2016-05-14",
        "“More than a month and no refill, what is wrong?”: Basic, 2 left",
        "Nothing is wrong. The cycle is 19 April to 18 May; the award comes the day "
        "after.",
        passes=("2016-05-14T12:00", "2016-05-18T23:00", "2016-05-19T00:00"),
    ),
    Part(
        "ben,plus,2016-04-17,Europe/Berlin,active,30",
        "2016-05-01",
        "Plus in Berlin, 30 left: unused Connects roll over",
        "The day begins there two hours earlier. Plus keeps up to 140 unused Connects; "
        "all 30 are below that.",
        passes=("2016-05-16T21:00", "2016-05-16T22:00"),
    ),
    Part(
        "cleo,plus,2016-04-15,UTC,active,200",
        "2016-05-01",
        "Plus, 200 left: more than the plan carries",
        "The cap of 140 counts before the new 70 are added, so 60 expire.",
        passes=("2016-05-14T23:00", "2016-05-15T00:00"),
    ),
    Part(
        "dan,basic,2016-01-31,UTC,active,0",
        "2016-05-01",
        "Started on January 31",
        "A short month ends on its last day; the anchor's day comes back in the next.",
        passes=(
            "2016-05-30T23:00",
            "2016-05-31T00:00",
            "2016-06-29T23:00",
            "2016-06-30T00:00",
        ),
    ),
    Part(
        "eva,basic,2016-04-16,America/Sao_Paulo,active,10",
        "2016-05-01",
        "A midnight that does not exist: São Paulo, 16 October 2016",
        "That night clocks went from 23:59 to 01:00: the cycle starts with the "
        "first hour.",
        passes=("2016-10-16T02:00", "2016-10-16T03:00"),
        caught_up_at="2016-10-15",
    ),
    Part(
        "finn,basic,2016-04-15,UTC,active,12",
        "2016-05-01",
        "“My billing cycle is 14th May but I could not see my Connects”",
        "May 14 is the last day of the old cycle. The award comes on May 15.",
        passes=("2016-05-14T12:00", "2016-05-14T23:00", "2016-05-15T00:00"),
    ),
    Part(
        "gita,basic,2016-04-15,UTC,under_review,5",
        "2016-05-01",
        "Under review",
        "Boundaries wait until the review ends; then all that waited is posted.",
        passes=("2016-05-15T00:00", "2016-05-15T01:00"),
    ),
    Part(
        "hugo,basic,2016-04-20,UTC,active,5",
        "2016-05-10",
        "20 bought Connects beside 5 of the allowance",
        "A cycle never touches what was bought.",
        passes=("2016-05-19T23:00", "2016-05-20T00:00"),
        bought=20,
    ),
    Part(
        "iris,basic,2016-02-29,UTC,active,0",
        "2016-05-01",
        "Started on February 29",
        "In common years February ends the cycle a day early, and only in February.",
        passes=(
            "2017-02-27T23:00",
            "2017-02-28T00:00",
            "2017-03-28T23:00",
            "2017-03-29T00:00",
        ),
        caught_up_at="2017-02-27",
    ),
    Part(
        "juno,plus,2016-02-12,UTC,active,0",
        "2016-02-20",
        "The scheduler was down for three months",
        "Each missed boundary is posted once, in order, dated at its own day.",
        passes=("2016-05-14T12:00", "2016-05-14T13:00"),
    ),
    Part(
        "kim,plus,2016-04-18,UTC,active,80",
        "2016-05-01",
        "Changes to Basic",
        "It starts with the next cycle and keeps nothing.",
        next_plan="basic",
    ),
    Part(
        "lea,basic,2016-04-16,UTC,suspended,4",
        "2016-05-01",
        "Suspended",
        "The cycles go on and bring 0.",
    ),
    Part(
        "mia,basic,2016-04-16,UTC,closed,3",
        "2016-05-01",
        "Has closed the membership",
        "Nothing renews, nothing expires.",
    ),
)


def utc(text: str) -> datetime:
    """Return an instant; *text* is a day, or a time without an offset."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)
