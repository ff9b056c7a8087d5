"""
Brings members in from a CSV file.

Every line is checked, and every bad one named, before anything is kept.

Lines go through COPY into a table that lives as long as the transaction, so a file of
any length needs no memory.
"""

import csv
import re
from collections.abc import Callable, Iterable, Iterator
from datetime import date, datetime
from difflib import get_close_matches
from functools import lru_cache
from typing import BinaryIO

import orjson
import psycopg
from psycopg.types.json import Jsonb

from renewer.errors import InputError
from renewer.rules.boundary import allowance_ends_at
from renewer.rules.calendar import Calendar, read_date, timezones, zone
from renewer.rules.ledger import Status
from renewer.rules.plans import Plans
from renewer.rules.value import value
from renewer.store.connection import Database
from renewer.store.staging import find_bad_lines, import_staged, stage_members

REQUIRED = ("member_id", "plan", "anchor_on")
OPTIONAL = ("timezone", "status", "balance")
SEPARATORS = (",", ";", "\t")
LONGEST_LINE = 65536
LARGEST_BALANCE = 1_000_000_000


@value
class Imported:
    """How many members were imported, how many lines were bad, the columns read."""

    imported: int
    bad: int
    columns: tuple[str, ...] = ()


@value
class NewMember:
    """
    A member as a line of the file describes them; *expires_at* ends their balance.
    """

    member_id: str
    plan: str
    anchor_on: date
    timezone: str
    status: Status
    balance: int
    cycle_n: int
    cycle_first_day: date
    cycle_last_day: date
    first_boundary_on: date
    renews_at: datetime
    expires_at: datetime | None


@value
class Line:
    """One line of the file, checked: a *member*, or a *reason* why not."""

    number: int
    member: NewMember | None = None
    reason: str | None = None


@value
class Layout:
    """The columns a file has, in its order, and what separates them."""

    columns: tuple[str, ...]
    separator: str


def import_members(
    conn: Database,
    file: BinaryIO,
    plans: Plans,
    as_of: datetime,
    *,
    skip_bad: bool = False,
    on_bad: Callable[[int, str], None],
    progress: Callable[[int], None] = lambda _: None,
) -> Imported:
    """
    Import the members of a CSV *file* as they stand at *as_of*, all or none.

    A balance becomes an allowance lot of the cycle that contains *as_of*. Each bad line
    is given to *on_bad* with its number and reason, in the order of the file; unless
    *skip_bad* the first of them means that nothing is imported. *progress* is called
    with each number of lines read.
    """
    layout, numbered = _open(file)
    rows = (_row(line) for line in _read_lines(numbered, layout, plans, as_of))
    bad = 0
    try:
        with conn.transaction() as transaction:
            stage_members(conn, rows, progress)
            for number, reason in find_bad_lines(conn):
                on_bad(number, reason)
                bad += 1
            if bad and not skip_bad:
                raise psycopg.Rollback(transaction)
            return Imported(import_staged(conn, as_of), bad, layout.columns)
    except psycopg.errors.UniqueViolation as error:
        raise InputError(
            "a member of this file was added meanwhile and nothing was imported: "
            "import it again"
        ) from error
    return Imported(0, bad, layout.columns)


def _row(line: Line) -> tuple[object, ...]:
    """Return *line* as a row of the staging table."""
    member = line.member
    if member is None:
        return (line.number, None, None, None, None, line.reason)
    columns = Jsonb(member, dumps=orjson.dumps)
    return (
        line.number,
        member.member_id,
        columns,
        member.balance,
        member.expires_at,
        line.reason,
    )


def read_lines(file: BinaryIO, plans: Plans, as_of: datetime) -> Iterator[Line]:
    """
    Yield every line of *file* after the header, checked.

    InputError when there is no usable header.
    """
    layout, numbered = _open(file)
    return _read_lines(numbered, layout, plans, as_of)


def _open(file: BinaryIO) -> tuple[Layout, Iterator[tuple[int, bytes]]]:
    """Return the layout of *file*, and the numbered lines behind its header."""
    numbered = enumerate(iter(lambda: file.readline(LONGEST_LINE), b""), 1)
    return _read_header(next(numbered, (1, b""))[1]), numbered


def _read_lines(
    numbered: Iterable[tuple[int, bytes]],
    layout: Layout,
    plans: Plans,
    as_of: datetime,
) -> Iterator[Line]:
    for number, raw in numbered:
        if len(raw) == LONGEST_LINE:
            raise InputError(
                f"line {number} is longer than {LONGEST_LINE} bytes: is this a CSV "
                "file?"
            )
        try:
            values = _split(raw, layout.separator)
            if values:
                yield Line(number, _read_member(layout, values, plans, as_of))
        except InputError as error:
            yield Line(number, reason=str(error))


def _split(raw: bytes, separator: str) -> list[str]:
    """Return the fields of one line as they stand there; none when it is blank."""
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise InputError(
            f"not valid UTF-8 at byte {error.start + 1}: save the file as UTF-8"
        ) from error
    try:
        rows = csv.reader([text], strict=True, delimiter=separator)
        return next((row for row in rows if any(map(str.strip, row))), [])
    except csv.Error as error:
        raise InputError(f"not a line of CSV: {error}") from error


def _read_header(raw: bytes) -> Layout:
    """
    Return what the first line says of the file.

    Names may be in other case and have blanks; the separator is the one with which
    most of them are known.
    """
    expected = (
        f"the first line must name the columns {','.join(REQUIRED)} and may "
        f"name {','.join(OPTIONAL)}"
    )
    line = raw.removeprefix(b"\xef\xbb\xbf")
    if not line:
        raise InputError(f"the file is empty: {expected}")
    try:
        found = [Layout(_names(_split(line, each)), each) for each in SEPARATORS]
    except InputError as error:
        raise InputError(f"line 1: {error}; {expected}") from error
    layout = max(found, key=_count_known)
    missing = [name for name in REQUIRED if name not in layout.columns]
    unknown = [name for name in layout.columns if name not in REQUIRED + OPTIONAL]
    if missing:
        raise InputError(f"column {missing[0]} is missing: {expected}")
    if unknown:
        raise InputError(f"column {unknown[0]!r} is unknown: {expected}")
    if len(set(layout.columns)) < len(layout.columns):
        raise InputError(f"a column is named twice: {expected}")
    return layout


def _names(header: list[str]) -> tuple[str, ...]:
    """Return column names as we write them: "Member ID" is member_id."""
    return tuple(re.sub(r"[ -]+", "_", name.strip().lower()) for name in header)


def _count_known(layout: Layout) -> int:
    return sum(name in REQUIRED + OPTIONAL for name in layout.columns)


def _read_member(
    layout: Layout, values: list[str], plans: Plans, as_of: datetime
) -> NewMember:
    """Return the member one line describes; their balance is of the present cycle."""
    columns = layout.columns
    if len(values) != len(columns):
        raise InputError(f"{len(values)} fields where the header names {len(columns)}")
    given = dict(zip(columns, values, strict=True))
    member_id = read_member_id(given["member_id"])
    given = {name: text.strip() for name, text in given.items()}
    plan = given["plan"]
    if plan not in plans:
        codes = tuple(plans.codes())
        listed = f"the plans are {', '.join(codes)}"
        if not codes:
            listed = "load it with `renewer plans load` first"
        raise InputError(f"unknown plan {plan!r}: {_suggest(plan, codes) or listed}")
    timezone = _read_timezone(given.get("timezone") or "UTC")
    anchor_on = read_date("anchor_on", given["anchor_on"])
    balance = _read_balance(given.get("balance") or "0")
    status = _read_status(given.get("status") or "active")
    calendar = Calendar(anchor_on, timezone)
    n = calendar.number_at(as_of)
    if n < 0:
        raise InputError(
            f"anchor_on {anchor_on} is after {as_of.isoformat(timespec='minutes')}, "
            "the time of this import"
        )
    expires_at = None
    if balance:
        rules = plans.first_known(plan, calendar.first_day(n))
        expires_at = allowance_ends_at(calendar, n, rules)
    return NewMember(
        member_id=member_id,
        plan=plan,
        anchor_on=anchor_on,
        timezone=timezone,
        status=status,
        balance=balance,
        cycle_n=n,
        cycle_first_day=calendar.first_day(n),
        cycle_last_day=calendar.last_day(n),
        first_boundary_on=calendar.first_day(n + 1),
        renews_at=calendar.boundary(n + 1),
        expires_at=expires_at,
    )


@lru_cache(maxsize=1024)
def _suggest(text: str, names: tuple[str, ...]) -> str | None:
    """Return the question that asks for the one of *names* that *text* is near to."""
    by_letters = {name.casefold(): name for name in names}
    near = get_close_matches(text.casefold(), by_letters, n=1, cutoff=0.8)
    return f"did you mean {by_letters[near[0]]!r}?" if near else None


def _read_timezone(text: str) -> str:
    try:
        zone(text)
    except InputError:
        suggested = _suggest(text, tuple(sorted(timezones())))
        if suggested is None:
            raise
        raise InputError(f"unknown time zone {text!r}: {suggested}") from None
    return text


def read_member_id(text: str) -> str:
    """Return *text*; InputError when it is no name for a member, or looks like one."""
    if text != text.strip():
        raise InputError("member_id has a blank at its begin or end: take it away")
    if not 1 <= len(text) <= 64:
        raise InputError(f"member_id has {len(text)} characters: use 1 to 64")
    if not text.isprintable():
        raise InputError(f"member_id {text!r} has characters that cannot be printed")
    return text


def _read_status(text: str) -> Status:
    try:
        return Status(text)
    except ValueError as error:
        way_out = _suggest(text, tuple(map(str, Status))) or f"use {', '.join(Status)}"
        raise InputError(f"unknown status {text!r}: {way_out}") from error


def _read_balance(text: str) -> int:
    if re.fullmatch(r"-[0-9]+", text):
        raise InputError(f"balance {text} is negative: a member holds 0 or more")
    if not re.fullmatch(r"[0-9]{1,10}", text) or int(text) > LARGEST_BALANCE:
        raise InputError(
            f"balance {text!r} is not a whole number from 0 to {LARGEST_BALANCE}"
        )
    return int(text)
