"""Options that several commands share, and how their text becomes values."""

from datetime import UTC, date, datetime, timedelta
from typing import Annotated

import typer

from renewer.errors import InputError
from renewer.rules.calendar import FIRST_ANCHOR, read_date
from renewer.rules.ledger import CatchUp

FIRST_AS_OF = datetime(FIRST_ANCHOR.year, 1, 1, tzinfo=UTC)
FARTHEST = timedelta(days=36525)

AsOf = Annotated[
    str | None,
    typer.Option(
        "--as-of",
        metavar="T",
        help="Act as at this time (ISO 8601, UTC without an offset). Default: now.",
    ),
]
AllowFuture = Annotated[
    bool,
    typer.Option(
        "--allow-future",
        help="Accept an --as-of after the database's clock, to rehearse.",
    ),
]
MemberId = Annotated[str, typer.Argument(metavar="MEMBER", help="The member's id.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
CatchUpOption = Annotated[
    CatchUp | None,
    typer.Option(
        "--catch-up",
        help=(
            "What several missed boundaries are worth. Default: RENEWER_CATCH_UP, "
            "or each."
        ),
    ),
]
Members = Annotated[
    list[str] | None,
    typer.Option("--member", metavar="M", help="Only this member; may be repeated."),
]


def read_instant(name: str, text: str) -> datetime:
    """Return the instant *text* names, in UTC; one without an offset is UTC."""
    try:
        at = datetime.fromisoformat(text)
        return at.replace(tzinfo=at.tzinfo or UTC).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise InputError(
            f"{name} {text!r} is not a time: use ISO 8601, such as 2026-05-19 or "
            "2026-05-19T00:00:00+02:00"
        ) from error


def read_days(start: str, end: str) -> tuple[date, date]:
    """Return the days of --from and --to, both included."""
    first, last = read_date("--from", start), read_date("--to", end)
    if first > last:
        raise InputError(
            f"--from {first} is after --to {last}: give the earlier day first"
        )
    return first, last


def resolve_as_of(text: str | None, now: datetime, *, allow_future: bool) -> datetime:
    """
    Return the time to act at: *text* or the database's *now*.

    The future only when it is allowed.
    """
    if text is None:
        return now
    as_of = read_instant("--as-of", text)
    if not FIRST_AS_OF <= as_of <= now + FARTHEST:
        raise InputError(
            f"--as-of {text!r} is out of reach: use {FIRST_AS_OF.year} to 100 years "
            "from now"
        )
    if as_of > now and not allow_future:
        raise InputError(
            f"--as-of {as_of.isoformat()} is after the database's clock "
            f"({now.isoformat(timespec='seconds')}): "
            "what is posted stays posted; add --allow-future if you mean it"
        )
    return as_of
