"""What Python and SQL say to each other has one shape, held against the SQL's text."""

import re
from dataclasses import asdict, fields, replace
from datetime import date
from typing import Any

from renewer.rules.ledger import (
    Change,
    ChangedDay,
    Entry,
    Kind,
    Lot,
    Member,
    Request,
    Source,
    Status,
)
from renewer.rules.policy import plan_posting
from renewer.rules.posting import Applied, Posting
from renewer.store.batches import WRITTEN, Unplanned, describe_failure, describe_posting
from renewer.store.members import COLUMNS
from tests.support import PLANS, ROOT, member, utc

SCHEMA = (ROOT / "sql" / "migrations" / "0001_schema.sql").read_text()
VIEW = (ROOT / "sql" / "views" / "member_state.sql").read_text()
PROCEDURE = (ROOT / "sql" / "routines" / "job" / "post_member.sql").read_text()
RETRY_AT = utc("2016-05-19T00:50")


def names_of(of: type) -> list[str]:
    """Return the fields of a dataclass, in order."""
    return [field.name for field in fields(of)]


def attributes(name: str) -> list[str]:
    """Return the attributes of a composite type of the schema, in order."""
    found = re.search(rf"CREATE TYPE renewer\.{name} AS \((.+?)\n\);", SCHEMA, re.S)
    assert found is not None
    lines = [line.split() for line in found[1].splitlines()]
    return [words[0] for words in lines if words and words[0] != "--"]


def columns(table: str) -> list[str]:
    """Return the columns of a table of the schema, in order."""
    found = re.search(rf"CREATE TABLE renewer\.{table} \((.+?)\n\);", SCHEMA, re.S)
    assert found is not None
    return re.findall(r"^    ([a-z_]+) ", found[1], re.M)


def whole_posting() -> Posting:
    """Return a posting that changes, and fills, all there is of a member."""
    at = utc("2016-05-19T00:00")
    old = Lot(1, Source.ALLOWANCE, 5, utc("2016-04-19T00:00"), None)
    new = Lot(2, Source.ALLOWANCE, 60, at, utc("2016-06-19T00:00"))
    request = Request("r1", Change.PLAN, {"plan": "plus"}, utc("2016-06-01T00:00"))
    before = member("basic", "2016-04-19", "2016-05-01")
    after = replace(
        before,
        plan="plus",
        anchor_on=at.date(),
        timezone="Europe/Berlin",
        status=Status.SUSPENDED,
        first_boundary_on=at.date(),
        last_boundary_at=at,
        cycle_ended_at=at,
        pending_plan="gold",
        boundary_timezone="Asia/Tokyo",
        allowance_lot=2,
        changed=ChangedDay(at.date(), 60, 3, 30, 5),
        lots=(new,),
        requests=(request,),
    )
    days = date(2016, 5, 19), date(2016, 6, 18), date(2016, 4, 19)
    entry = Entry(1, Kind.RENEWAL, 60, 65, at, 2, *days, 4, "plus", "late", "r0")
    applied = Applied("r0", 60, 1, 1)
    return Posting(before, after, (entry,), (new,), (old,), (applied,))


def posting_document() -> dict[str, Any]:
    return describe_posting(whole_posting(), RETRY_AT)


def failure_document() -> dict[str, Any]:
    held = member("gold", "2016-04-19", "2016-05-01")
    failed = Unplanned(held, "PlanError", "unknown plan 'gold'", "gold")
    return describe_failure(failed, RETRY_AT)


def test_the_view_has_the_fields_of_a_member_in_order() -> None:
    """A row is decoded by position; what its readers page by comes behind."""
    names = re.findall(r"^SELECT (.+?)^FROM", VIEW, re.S | re.M)[0]
    plain = re.sub(r"CASE.*?\bEND\b", "", re.sub(r"--.*", "", names), flags=re.S)
    selected = [re.split(r"[.\s]+", each.strip())[-1] for each in plain.split(",")]
    assert selected == [*names_of(Member), "due_at", "retry_at"]


def test_a_member_is_a_row_of_the_table() -> None:
    """Every field but those that other tables hold is a column of that name."""
    elsewhere = {"attempts", "lots", "requests"}
    assert set(names_of(Member)) - elsewhere == set(COLUMNS)
    assert set(COLUMNS) - set(columns("member")) == set()


def test_a_posting_writes_every_column_of_a_member_that_it_may() -> None:
    """
    The procedure's UPDATE, the type and the document have one list.

    The others name the member, or are written by failures and calls.
    """
    update = PROCEDURE.rpartition("UPDATE renewer.member")[2].partition("WHERE")[0]
    written = re.findall(r"(\w+) = planned\.\1\b", update)
    assert sorted(written) == sorted(WRITTEN)
    assert set(WRITTEN) - set(attributes("planned")) == set()
    others = {"member_id", "bucket", "version", "retry_at", "parked", "due_at"}
    others |= {"last_request", "created_at"}
    assert set(columns("member")) - set(WRITTEN) == others


def test_a_request_that_was_applied_is_sent_as_it_is() -> None:
    """Its fields are the attributes, in order: a name that differs would be null."""
    assert names_of(Applied) == attributes("planned_request")


def test_each_field_of_an_entry_and_a_new_lot_is_sent() -> None:
    """Of a lot on record nothing else can change than what remains."""
    posting, document = whole_posting(), posting_document()
    assert document["entries"] == [asdict(each) for each in posting.entries]
    assert document["new_lots"] == [asdict(each) for each in posting.new_lots]
    (entry,), (new,) = document["entries"], document["new_lots"]
    assert sorted(entry) == sorted(attributes("planned_entry"))
    assert sorted(new) == sorted(attributes("planned_lot"))
    assert document["changed_lots"] == [{"number": 1, "remaining": 5}]


def test_a_zero_is_sent_and_a_null_is_not() -> None:
    """SQL takes what is missing for null."""
    held = member("basic", "2016-04-19", "2016-05-01")
    posting = plan_posting(held, PLANS, utc("2016-05-19T00:00"))
    zero = Entry(1, Kind.RENEWAL, 0, 0, utc("2016-05-19T00:00"), None)
    posting.entries = (zero,)
    posting.after = replace(posting.after, balance=0)
    document = describe_posting(posting, RETRY_AT)
    assert document["balance"] == 0
    assert "pending_plan" not in document
    (entry,) = document["entries"]
    assert sorted(entry) == [
        "amount",
        "balance_after",
        "kind",
        "occurred_at",
        "seq",
    ]


def test_what_is_sent_for_a_member_is_a_planned() -> None:
    """
    Postings and failures have no key the type lacks: SQL would ignore it.

    Together they fill every attribute: one that nobody sends would always be null.
    """
    planned = set(attributes("planned"))
    posting, failure = set(posting_document()), set(failure_document())
    assert posting - planned == set()
    assert failure - planned == set()
    assert posting | failure == planned


def test_a_posting_sends_what_a_member_is_and_a_failure_only_why() -> None:
    """Both name the member, the version that was planned and the time of a retry."""
    posting, failure = posting_document(), failure_document()
    assert set(posting) & set(failure) == {"member_id", "version", "retry_at"}
    assert {key for key in failure if key.startswith("error_")} == {
        "error_code",
        "error_message",
        "error_plan",
        "error_timezone",
    }
