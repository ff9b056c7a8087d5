"""What Python and SQL say to each other has one shape, held against the SQL's text."""

import re
from dataclasses import asdict, fields, replace
from datetime import date
from typing import Any

import pytest

from renewer import store
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
from renewer.store.batches import SELDOM_CHANGED
from tests.support import PLANS, ROOT, member, utc

SCHEMA = (ROOT / "sql" / "migrations" / "0001_schema.sql").read_text()
PROCEDURE = (ROOT / "sql" / "routines" / "job" / "post_member.sql").read_text()
VIEW = (ROOT / "sql" / "views" / "member_state.sql").read_text()
QUERIES = ROOT / "sql" / "queries" / "members"

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


def split_columns(text: str) -> list[str]:
    """Return the columns between SELECT and FROM: what stands between outer commas."""
    columns, depth, column = [], 0, ""
    for character in text:
        depth += {"(": 1, ")": -1}.get(character, 0)
        if character == "," and depth == 0:
            columns.append(column)
            column = ""
        else:
            column += character
    return [*columns, column]


def selected(sql: str) -> list[str]:
    """Return the names of the columns a statement selects, in order."""
    plain = re.sub(r"--.*", "", sql)
    found = re.search(r"\bSELECT\b(.+?)\nFROM\b", plain, re.S)
    assert found is not None
    # A column's name is its last word: "m.plan" is plan, "CASE … END AS attempts" too.
    return [re.split(r"[.\s]+", each.strip())[-1] for each in split_columns(found[1])]


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
    day, anchor = date(2016, 5, 19), date(2016, 4, 19)
    entry = Entry(1, Kind.RENEWAL, 60, 65, at, 2, day, anchor, 4, "plus", "late", "r0")
    applied = Applied("r0", 60, 1, 1)
    return Posting(before, after, (entry,), (new,), (old,), (applied,))


def posting_document() -> dict[str, Any]:
    return store.describe_posting(whole_posting(), RETRY_AT)


def failure_document() -> dict[str, Any]:
    held = member("gold", "2016-04-19", "2016-05-01")
    failed = store.Unplanned(held, "PlanError", "unknown plan 'gold'", "gold")
    return store.describe_failure(failed, RETRY_AT)


def test_a_member_is_a_row_of_the_view() -> None:
    """The view has the fields of Member in order, then what its readers page by."""
    assert selected(VIEW) == [*names_of(Member), "due_at", "retry_at"]


@pytest.mark.parametrize("query", ["find_due_members", "find_members"])
def test_the_queries_that_read_members_select_the_whole_view(query: str) -> None:
    """In its order, by which a row is decoded, up to what they page by."""
    text = (QUERIES / f"{query}.sql").read_text()
    assert "\nFROM renewer.member_state AS s\n" in text
    assert selected(text) == [*names_of(Member), "due_at"]


def test_a_request_that_was_applied_is_sent_as_it_is() -> None:
    """Its fields are the attributes, in order: a name that differs would be null."""
    assert names_of(Applied) == attributes("planned_request")


def test_what_is_left_out_of_a_posting_is_kept_by_the_procedure() -> None:
    """Of nothing else: a value that a posting empties is sent as nothing."""
    kept = re.findall(r"(\w+) = coalesce\(planned\.\1, m\.\1\)", PROCEDURE)
    assert sorted(kept) == sorted(SELDOM_CHANGED)


def test_each_field_of_an_entry_and_a_new_lot_is_sent() -> None:
    """Of a lot on record nothing else can change than what remains."""
    posting, document = whole_posting(), posting_document()
    assert document["entries"] == [asdict(each) for each in posting.entries]
    assert document["new_lots"] == [asdict(each) for each in posting.new_lots]
    (entry,), (new,) = document["entries"], document["new_lots"]
    assert sorted(entry) == sorted(attributes("planned_entry"))
    assert sorted(new) == sorted(attributes("planned_lot"))
    assert document["changed_lots"] == [{"number": 1, "remaining": 5}]


@pytest.mark.parametrize("name", SELDOM_CHANGED)
def test_what_stays_as_it_is_is_left_out_all_of_it_or_none(name: str) -> None:
    """When one of them changes all are sent; nothing else is left out for staying."""
    posting = whole_posting()
    posting.before = replace(posting.before, first_boundary_on=date(2016, 5, 1))
    kept = {each: getattr(posting.before, each) for each in SELDOM_CHANGED}
    posting.after = replace(posting.after, **kept)
    document = store.describe_posting(posting, RETRY_AT)
    assert set(posting_document()) - set(document) == set(SELDOM_CHANGED)
    change = {name: getattr(whole_posting().after, name)}
    posting.after = replace(posting.after, **change)
    assert store.describe_posting(posting, RETRY_AT) == document | kept | change


def test_a_zero_is_sent_and_a_null_is_not() -> None:
    """SQL takes what is missing for null."""
    held = member("basic", "2016-04-19", "2016-05-01")
    posting = plan_posting(held, PLANS, utc("2016-05-19T00:00"))
    zero = Entry(1, Kind.RENEWAL, 0, 0, utc("2016-05-19T00:00"), None)
    posting.entries = (zero,)
    posting.after = replace(posting.after, balance=0)
    document = store.describe_posting(posting, RETRY_AT)
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
