"""
Brings members in from a CSV file.

Every line is checked, and every bad one named, before anything is kept.

Lines go through COPY into a table that lives as long as the transaction, so a file of
any length needs no memory.
"""

import csv
import re
from collections.abc import Callable, Iterator
from dataclasses import fields
from datetime import date, datetime
from typing import BinaryIO

import psycopg

from renewer import store
from renewer.errors import InputError
from renewer.rules import cycle
from renewer.rules.boundary import allowance_ends_at
from renewer.rules.ledger import Status, value
from renewer.rules.plans import Plans

REQUIRED = ("member_id", "plan", "anchor_on")
OPTIONAL = ("timezone", "status", "balance")
LONGEST_LINE = 65536
LARGEST_BALANCE = 1_000_000_000


@value
class Imported:
    """How many members were imported and how many lines were bad."""

    imported: int
    bad: int


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
    first_boundary_on: date
    renews_at: datetime
    expires_at: datetime | None


@value
class Line:
    """One line of the file, checked: a *member*, or a *reason* why not."""

    number: int
    member: NewMember | None = None
    reason: str | None = None


def import_members(
    conn: store.Database,
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
    *skip_bad* the first of them means that nothing is imported.
    """
    rows = (_row(line) for line in read_lines(file, plans, as_of))
    bad = 0
    try:
        with conn.transaction() as transaction:
            store.stage_members(conn, rows, progress)
            for number, reason in store.find_bad_lines(conn):
                on_bad(number, reason)
                bad += 1
            if bad and not skip_bad:
                raise psycopg.Rollback(transaction)
            return Imported(store.import_staged(conn, as_of), bad)
    except psycopg.errors.UniqueViolation as error:
        raise InputError(
            "a member of this file was added meanwhile and nothing was imported: "
            "import it again"
        ) from error
    return Imported(0, bad)


def _row(line: Line) -> tuple[object, ...]:
    """Return *line* as a row of the staging table."""
    if line.member is None:
        columns: tuple[object, ...] = (None,) * len(fields(NewMember))
    else:
        columns = tuple(getattr(line.member, each.name) for each in fields(NewMember))
    return (line.number, *columns, line.reason)


def read_lines(file: BinaryIO, plans: Plans, as_of: datetime) -> Iterator[Line]:
    """
    Yield every line of *file* after the header, checked.

    InputError when there is no usable header.
    """
    numbered = enumerate(iter(lambda: file.readline(LONGEST_LINE), b""), 1)
    columns = _read_header(next(numbered, (1, b""))[1])
    for number, raw in numbered:
        if len(raw) == LONGEST_LINE:
            raise InputError(
                f"line {number} is longer than {LONGEST_LINE} bytes: is this a CSV "
                "file?"
            )
        try:
            values = _split(raw)
            if values:
                yield Line(number, _read_member(columns, values, plans, as_of))
        except InputError as error:
            yield Line(number, reason=str(error))


def _split(raw: bytes) -> list[str]:
    """Return the fields of one line; none when it is blank."""
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise InputError(
            f"not valid UTF-8 at byte {error.start + 1}: save the file as UTF-8"
        ) from error
    try:
        return next(
            (
                [field.strip() for field in row]
                for row in csv.reader([text], strict=True)
                if any(row)
            ),
            [],
        )
    except csv.Error as error:
        raise InputError(f"not a line of CSV: {error}") from error


def _read_header(raw: bytes) -> list[str]:
    expected = (
        f"the first line must name the columns {','.join(REQUIRED)} and may "
        f"name {','.join(OPTIONAL)}"
    )
    try:
        columns = [name.lower() for name in _split(raw.removeprefix(b"\xef\xbb\xbf"))]
    except InputError as error:
        raise InputError(f"line 1: {error}; {expected}") from error
    missing = [name for name in REQUIRED if name not in columns]
    unknown = [name for name in columns if name not in REQUIRED + OPTIONAL]
    if missing:
        raise InputError(f"column {missing[0]} is missing: {expected}")
    if unknown:
        raise InputError(f"column {unknown[0]!r} is unknown: {expected}")
    if len(set(columns)) < len(columns):
        raise InputError(f"a column is named twice: {expected}")
    return columns


def _read_member(
    columns: list[str], values: list[str], plans: Plans, as_of: datetime
) -> NewMember:
    """Return the member one line describes; their balance is of the present cycle."""
    if len(values) != len(columns):
        raise InputError(f"{len(values)} fields where the header names {len(columns)}")
    given = dict(zip(columns, values, strict=True))
    member_id = _read_member_id(given["member_id"])
    plan = given["plan"]
    if plan not in plans:
        raise InputError(
            f"unknown plan {plan!r}: the plans are "
            f"{', '.join(plans.codes()) or 'not loaded yet'}"
        )
    timezone = given.get("timezone") or "UTC"
    cycle.zone(timezone)
    anchor_on = cycle.read_date("anchor_on", given["anchor_on"])
    balance = _read_balance(given.get("balance") or "0")
    status = _read_status(given.get("status") or "active")
    n = cycle.cycle_number(anchor_on, timezone, as_of)
    if n < 0:
        raise InputError(
            f"anchor_on {anchor_on} is after {as_of.isoformat(timespec='minutes')}, "
            "the time of this import"
        )
    expires_at = None
    if balance:
        rules = plans.first_known(plan, cycle.first_day(anchor_on, n))
        expires_at = allowance_ends_at(anchor_on, timezone, n, rules)
    return NewMember(
        member_id=member_id,
        plan=plan,
        anchor_on=anchor_on,
        timezone=timezone,
        status=status,
        balance=balance,
        cycle_n=n,
        first_boundary_on=cycle.first_day(anchor_on, n + 1),
        renews_at=cycle.boundary(anchor_on, timezone, n + 1),
        expires_at=expires_at,
    )


def _read_member_id(text: str) -> str:
    if not 1 <= len(text) <= 64:
        raise InputError(f"member_id has {len(text)} characters: use 1 to 64")
    if not text.isprintable():
        raise InputError(f"member_id {text!r} has characters that cannot be printed")
    return text


def _read_status(text: str) -> Status:
    try:
        return Status(text)
    except ValueError as error:
        raise InputError(f"unknown status {text!r}: use {', '.join(Status)}") from error


def _read_balance(text: str) -> int:
    if re.fullmatch(r"-[0-9]+", text):
        raise InputError(f"balance {text} is negative: a member holds 0 or more")
    if not re.fullmatch(r"[0-9]{1,10}", text) or int(text) > LARGEST_BALANCE:
        raise InputError(
            f"balance {text!r} is not a whole number from 0 to {LARGEST_BALANCE}"
        )
    return int(text)
