"""What an explanation comes to, and the facts it is made of."""

from datetime import date
from typing import Any

import pytest

from renewer import store
from renewer.answers.explanation import Explanation, find_explanation
from renewer.answers.sentence import sentence
from renewer.errors import InputError
from renewer.rules.ledger import CatchUp
from renewer.rules.plans import Revision
from tests.support import EPOCH, bring_in, load_plans, renew, repair, utc

LINE = "ana,basic,2016-04-19,,{},2"


def explain(conn: store.Database, as_of: str, member_id: str = "ana") -> Explanation:
    told = find_explanation(conn, member_id, utc(as_of), CatchUp.EACH)
    assert told is not None
    return told


def enter(conn: store.Database, status: str = "active", line: str = LINE) -> None:
    load_plans(conn)
    bring_in(conn, [line.format(status)], "2016-05-14")


def call(conn: store.Database, function: str, *arguments: Any, at: str) -> None:
    named = ", ".join(["%s"] * len(arguments))
    conn.execute(f"SELECT renewer.{function}({named}, at => %s)", [*arguments, utc(at)])


def fail(conn: store.Database) -> None:
    conn.execute(
        "INSERT INTO renewer.failure (member_id, code, message, next_try_at)"
        " VALUES ('ana', '22003', 'out of range', %s)",
        [utc("2016-05-20T02:00")],
    )


def test_a_stranger_is_nobody(conn: store.Database) -> None:
    """None, not an error."""
    assert find_explanation(conn, "nobody", utc("2016-05-14"), CatchUp.EACH) is None


def test_closed_comes_before_failed_and_failed_before_the_rest(database: str, conn: store.Database) -> None:
    """The first that applies, in the order of the contract."""
    enter(conn)
    assert explain(conn, "2016-05-18").code == "last_day"
    assert explain(conn, "2016-05-20").code == "waiting_for_pass"
    call(conn, "set_status", "ana", "suspended", "1", at="2016-05-14")
    assert explain(conn, "2016-05-20").code == "suspended"
    call(conn, "set_status", "ana", "under_review", "2", at="2016-05-15")
    assert explain(conn, "2016-05-20").code == "under_review"
    fail(conn)
    assert explain(conn, "2016-05-20").code == "failed"
    call(conn, "set_status", "ana", "closed", "3", at="2016-05-16")
    assert explain(conn, "2016-05-20").code == "closed"


def test_renewed_is_within_a_day_of_the_award_or_of_the_pass_that_wrote_it(database: str, conn: store.Database) -> None:
    """A late pass counts from its own time."""
    enter(conn)
    renew(database, "2016-05-22T08:00")
    assert [explain(conn, as_of).code for as_of in ("2016-05-19T12:00", "2016-05-20", "2016-05-20T00:01")] == [
        "renewed",
        "renewed",
        "not_due",
    ]
    assert [explain(conn, as_of).code for as_of in ("2016-05-22T07:59", "2016-05-22T08:00", "2016-05-23T08:01")] == [
        "not_due",
        "renewed",
        "not_due",
    ]


def test_the_past_is_refused(database: str, conn: store.Database) -> None:
    """Before the last posted boundary, and before the first cycle on record."""
    enter(conn)
    with pytest.raises(InputError, match="`renewer history` has the past"):
        explain(conn, "2016-04-18T23:59")
    assert explain(conn, "2016-04-19").code == "not_due"
    renew(database, "2016-05-19")
    with pytest.raises(InputError, match="is before 2016-05-19T00:00:00"):
        explain(conn, "2016-05-18T23:59")
    assert explain(conn, "2016-05-19").code == "renewed"


def test_what_comes_is_what_the_job_posts(database: str, conn: store.Database) -> None:
    """The figures of the sentence are those of the ledger an hour later."""
    enter(conn, line="ana,plus,2016-04-19,Asia/Tokyo,{},200")
    upcoming = explain(conn, "2016-05-14").upcoming
    assert upcoming is not None
    renew(database, "2016-05-19")
    rows = conn.execute("SELECT kind, amount, occurred_at, balance_after FROM renewer.ledger_entry ORDER BY seq")
    _, expiry, _, rolled, renewal = [tuple(row.values()) for row in rows]
    assert (upcoming.expiring, upcoming.carried) == (-expiry[1], rolled[1])
    assert (upcoming.allowance, upcoming.awards_at, upcoming.balance_after) == renewal[1:]


def test_a_member_who_enrolled_and_was_not_awarded_waits_for_the_pass(database: str, conn: store.Database) -> None:
    """Their cycle is the one that holds the enrolment; before it nothing can be said."""
    load_plans(conn)
    call(conn, "enroll", "ana", "basic", date(2016, 1, 31), "UTC", "active", "e", at="2016-05-14T10:00")
    told = explain(conn, "2016-05-14T10:30")
    assert (told.code, told.cycle.first_day, told.cycle.last_day) == (
        "waiting_for_pass",
        date(2016, 4, 30),
        date(2016, 5, 30),
    )
    assert sentence(told).startswith(
        "Your 60 Connects, due since 14 May 2016 at 10:00 UTC, 30 minutes ago, are not posted yet; nothing is lost, "
        "and the next run of our renewal job posts what is due, with its own date;"
    )
    with pytest.raises(InputError):
        explain(conn, "2016-05-14T09:59")


def test_a_last_award_of_0_is_told_with_its_reason(database: str, conn: store.Database) -> None:
    """Suspended then, active now."""
    enter(conn)
    call(conn, "set_status", "ana", "suspended", "1", at="2016-05-14")
    call(conn, "set_status", "ana", "active", "2", at="2016-05-25")
    renew(database, "2016-05-26")
    told = explain(conn, "2016-05-28")
    assert told.code == "not_due"
    assert "; the award of 19 May 2016 was 0, because your account was suspended then" in sentence(told)


def test_a_late_award_is_no_award_of_0(database: str, conn: store.Database) -> None:
    """What was made up for counts as awarded, today."""
    enter(conn)
    call(conn, "set_status", "ana", "suspended", "1", at="2016-05-14")
    call(conn, "set_status", "ana", "active", "2", at="2016-05-25")
    renew(database, "2016-05-26")
    repair(database, "2016-05-28", members=["ana"])
    told = explain(conn, "2016-05-28T06:00")
    assert told.code == "renewed"
    assert sentence(told).startswith(
        "Your current billing cycle runs from 19 May to 18 June 2016 and its 60 Connects have been awarded (made up "
        "for late); your balance is 60;"
    )
    assert told.last_award is not None
    assert (told.last_award.awarded, told.last_award.reason) == (60, "suspended")
    assert [(past.awarded, past.reason, past.late) for past in told.cycles] == [(60, None, True)]


def test_a_plan_without_connects_is_told(conn: store.Database) -> None:
    """A renewal of 0 is coming, and it says so."""
    load_plans(conn, "upwork-2019")
    bring_in(conn, ["ana,basic,2019-04-19"], "2019-05-14")
    told = sentence(explain(conn, "2019-05-16"))
    assert "; your next cycle, which brings no Connects because plan basic includes none, begins the day after" in told


def test_an_unknown_plan_is_told_before_and_after_it_failed(database: str, conn: store.Database) -> None:
    """In a person's words, with the next try; parked, with a person."""
    enter(conn)
    conn.execute("UPDATE renewer.member SET plan = 'gold'")
    assert sentence(explain(conn, "2016-05-16")).startswith(
        "Your billing cycle runs from 19 April to 18 May 2016; what the renewal of 19 May 2016 at 00:00 UTC brings "
        "cannot be said yet, because the rules of plan “gold” are missing in our system, which is for us to mend;"
    )
    renew(database, "2016-05-19T05:00")
    told = explain(conn, "2016-05-19T05:10")
    assert told.code == "failed"
    assert sentence(told).startswith(
        "Your renewal of 19 May 2016 at 00:00 UTC could not be posted, because the rules of plan “gold” are "
        "missing in our system; it was tried once and is tried again on 19 May 2016 at 05:50 UTC; nothing is lost, and "
        "the award keeps its date;"
    )
    assert [(past.expected, past.awarded, past.reason) for past in told.cycles] == [(None, 0, "failed")]
    conn.execute("UPDATE renewer.failure SET parked = true")
    assert "set aside for a person on our side to mend" in sentence(explain(conn, "2016-05-19T05:10"))


def test_an_unknown_zone_is_told(conn: store.Database) -> None:
    """In UTC, in a person's words."""
    enter(conn)
    conn.execute("UPDATE renewer.member SET timezone = 'Mars/Base'")
    told = explain(conn, "2016-05-16")
    assert (told.code, told.timezone) == ("not_due", "UTC")
    assert "brings cannot be said yet, because our system does not know your time zone “Mars/Base”" in sentence(told)


def test_after_a_move_the_last_day_is_that_of_the_former_zone(database: str, conn: store.Database) -> None:
    """The next boundary keeps its instant, which is later on the same day where the member is now."""
    enter(conn)
    call(conn, "set_timezone", "ana", "Asia/Tokyo", "1", at="2016-05-15")
    renew(database, "2016-05-15")
    told = explain(conn, "2016-05-18T20:00")
    assert told.code == "last_day"
    assert sentence(told).startswith(
        "Your billing cycle runs from 19 April to 18 May 2016 by the time of UTC, where that day is not over; nothing "
        "is wrong: your next 60 Connects are awarded on 19 May 2016 at 09:00 (Asia/Tokyo time);"
    )


def test_a_change_of_plan_that_waits_is_told(conn: store.Database) -> None:
    """It takes effect with the next pass; what comes after is foreseen with it."""
    enter(conn)
    call(conn, "change_plan", "ana", "plus", "now", "1", at="2016-05-14")
    told = explain(conn, "2016-05-14T00:10")
    assert (
        "; your change to plan plus of 14 May 2016 is recorded and not applied yet: it brings 60 Connects and a cycle "
        "from 14 May to 13 June 2016; the next run of our renewal job applies it; your balance of 2 then becomes 62; "
        "your next 70 Connects are awarded on 14 June 2016 at 00:00 UTC;"
    ) in sentence(told)
    assert (told.code, told.awards_at) == ("not_due", utc("2016-06-14"))


def test_after_a_change_of_plan_the_cycle_counts_from_it(database: str, conn: store.Database) -> None:
    """The anchor is the day of the change, and its credit is no gap."""
    enter(conn)
    call(conn, "change_plan", "ana", "plus", "now", "1", at="2016-05-14")
    renew(database, "2016-05-14")
    told = explain(conn, "2016-05-20")
    assert "not on the 1st, because your plan was changed on 14 May 2016" in sentence(told)
    assert [(past.expected, past.awarded, past.reason) for past in told.cycles] == [(60, 60, "plan_changed")]


def test_under_review_all_that_waits_is_told(conn: store.Database) -> None:
    """Since when, that nothing is lost, and what it would come to."""
    enter(conn, "under_review")
    told = explain(conn, "2016-07-20")
    assert sentence(told).startswith(
        "Your account is under review, and renewals wait until that ends; 3 wait, the oldest since 19 May 2016 at "
        "00:00 UTC, and nothing is lost: as soon as the review ends with your account active, all that waited is "
        "posted, each with its own date; your balance of 2 would today become 60, for 180 are awarded and 122 unused "
        "expire;"
    )
    assert [(past.first_day, past.reason) for past in told.cycles] == [
        (date(2016, month, 19), "under_review") for month in (5, 6, 7)
    ]


def test_a_closed_membership_is_told_since_when(database: str, conn: store.Database) -> None:
    """The balance stays and nothing comes."""
    enter(conn)
    call(conn, "set_status", "ana", "closed", "1", at="2016-05-15")
    for _ in range(2):
        told = explain(conn, "2016-07-20")
        assert (told.awards_at, told.upcoming, told.cycles) == (None, None, [])
        assert sentence(told) == (
            "Your membership has been closed since 15 May 2016, so no Connects renew any more; your balance of 2 "
            "Connects stays as it is."
        )
        renew(database, "2016-05-16")


def told_then_posted(database: str, conn: store.Database, as_of: str, *clauses: str) -> None:
    """Check that the sentence has the *clauses*, and that what it says of the balance is what a pass then leaves."""
    told = explain(conn, as_of)
    text = sentence(told)
    for clause in clauses:
        assert clause in text, text
    renew(database, as_of)
    (held,) = store.find_members(conn, ["ana"])
    assert held.balance == told.settled.balance


def test_what_was_due_before_a_suspension_is_awarded(database: str, conn: store.Database) -> None:
    """The status in force at the boundary counts, not that of today."""
    enter(conn)
    call(conn, "set_status", "ana", "suspended", "1", at="2016-05-20T10:00")
    told_then_posted(
        database,
        conn,
        "2016-05-20T12:00",
        "suspended since 20 May 2016, so monthly Connects are not awarded; your 60 Connects, due since 19 May 2016",
        "your balance of 2 then becomes 60, for 60 are awarded and 2 unused expire",
    )


def test_what_was_due_while_suspended_is_0_and_says_why(database: str, conn: store.Database) -> None:
    """Active again does not bring it back."""
    enter(conn, "suspended")
    call(conn, "set_status", "ana", "active", "1", at="2016-05-20T10:00")
    told_then_posted(
        database, conn, "2016-05-20T12:00", "is not posted yet and will be 0, because your account was suspended then"
    )


def test_what_was_due_before_the_closing_is_told(database: str, conn: store.Database) -> None:
    """The balance stays as it is after that."""
    enter(conn)
    call(conn, "set_status", "ana", "closed", "1", at="2016-05-20T10:00")
    told = explain(conn, "2016-05-20T12:00")
    assert (told.awards_at, [past.reason for past in told.cycles]) == (utc("2016-05-19"), ["waiting_for_pass"])
    told_then_posted(
        database,
        conn,
        "2016-05-20T12:00",
        "what was due before the closing is still posted by the next run of our renewal job; your balance of 2 then "
        "becomes 60 and stays as it is.",
    )


def test_a_change_made_before_the_boundary_takes_its_place(database: str, conn: store.Database) -> None:
    """No renewal of the old cycle will ever be posted, and none is promised."""
    enter(conn)
    call(conn, "change_plan", "ana", "plus", "now", "1", at="2016-05-14T10:00")
    told_then_posted(
        database,
        conn,
        "2016-05-20T12:00",
        "Your change to plan plus of 14 May 2016 is recorded and not applied yet: it brings 60 Connects and a cycle "
        "from "
        "14 May to 13 June 2016; our renewal job is late; nothing is lost,",
        "your balance of 2 then becomes 62;",
    )


def test_a_downgrade_asked_for_after_the_boundary_comes_a_month_later(database: str, conn: store.Database) -> None:
    """With what it costs then."""
    enter(conn, line="ana,plus,2016-04-19,,{},2")
    call(conn, "change_plan", "ana", "basic", "next_cycle", "1", at="2016-05-20T10:00")
    told_then_posted(
        database,
        conn,
        "2016-05-20T12:00",
        "you move from plan plus to plan basic on 19 June 2016, which brings 60 instead of 70 a month; the 72 you have "
        "unused expire on 19 June 2016",
    )


def test_what_was_due_before_the_review_is_not_held_back(database: str, conn: store.Database) -> None:
    """The next pass posts it while the review goes on."""
    enter(conn)
    call(conn, "set_status", "ana", "under_review", "1", at="2016-05-20T10:00")
    told_then_posted(
        database,
        conn,
        "2016-05-20T12:00",
        "what was due before the review began is posted by the next run of our renewal job",
    )


def test_a_review_that_ended_is_no_late_job(database: str, conn: store.Database) -> None:
    """What it held back is posted by the next pass."""
    enter(conn, "under_review")
    call(conn, "set_status", "ana", "active", "1", at="2016-07-20T10:00")
    told_then_posted(
        database,
        conn,
        "2016-07-20T10:30",
        "Your review ended on 20 July 2016, and what it held back is not posted yet; your billing cycle ended on",
        "Connects in all; nothing is lost, and the next run of our renewal job posts what is due",
    )


def test_with_catch_up_latest_nobody_is_told_that_nothing_is_lost(conn: store.Database) -> None:
    """Which ones will be 0, and why."""
    enter(conn)
    told = find_explanation(conn, "ana", utc("2016-07-20"), CatchUp.LATEST)
    assert told is not None
    text = sentence(told)
    assert (
        "are not posted yet, 60 Connects in all; those of 19 May 2016 and 19 June 2016 will be 0, because several "
        "cycles "
        "were missed and only the latest is awarded;"
    ) in text
    assert "nothing is lost" not in text
    assert [past.reason for past in told.cycles] == ["caught_up", "caught_up", "waiting_for_pass"]


def test_what_was_cut_is_told_by_the_ledger_not_by_the_plan_of_today(database: str, conn: store.Database) -> None:
    """A change of plan on the same day, its credit, and what the old plan's cap had cut before."""
    load_plans(conn)
    store.add_plan(conn, Revision("small", EPOCH, 10, 60))
    bring_in(conn, ["ana,small,2016-04-19,,,100"], "2016-05-14")
    renew(database, "2016-05-19")
    call(conn, "change_plan", "ana", "plus", "now", "1", at="2016-05-19T10:00")
    waiting = sentence(explain(conn, "2016-05-19T10:30"))
    assert (
        "; your change to plan plus is recorded and applied by the next run of our renewal job: your balance" in waiting
    )
    renew(database, "2016-05-19T11:00")
    text = sentence(explain(conn, "2016-05-19T12:00"))
    assert "60 of your 100 unused Connects rolled over, the most plan small carried over, and 40 expired" in text
    assert "; 60 more were credited on 19 May 2016 for a change of plan;" in text
    assert "because your plan was changed on 19 May 2016" in text


def test_a_prorated_upgrade_says_why_it_is_no_full_allowance(database: str, conn: store.Database) -> None:
    """97 of 100: the published case."""
    load_plans(conn, "upwork-2025")
    bring_in(conn, ["ana,basic,2025-04-19,,,4"], "2025-05-01")
    call(conn, "change_plan", "ana", "plus", "now", "1", at="2025-05-10")
    renew(database, "2025-05-10T01:00")
    assert (
        "; the 97 of 10 May 2025 are the credit for your change to plan plus: its allowance less what your plan before "
        "gave you for the days its cycle still had;"
    ) in sentence(explain(conn, "2025-05-12"))


def test_after_a_move_west_the_award_comes_on_the_last_day_itself(database: str, conn: store.Database) -> None:
    """No "day after", no "up to and including": the instant."""
    enter(conn)
    call(conn, "set_timezone", "ana", "America/New_York", "1", at="2016-05-15")
    renew(database, "2016-05-15")
    text = sentence(explain(conn, "2016-05-16T05:00"))
    assert "; your next 60 Connects are awarded on 18 May 2016 at 20:00 (America/New_York time);" in text
    assert (
        "expire on 18 May 2016 at 20:00 (America/New_York time) because plan basic carries nothing over; you can use "
        "them until then;" in text
    )
    assert "the day after" not in text


def test_since_when_is_the_first_call_for_the_present_status(conn: store.Database) -> None:
    """Saying it again does not make it younger, and a later call is not known yet."""
    enter(conn)
    for number, (status, day) in enumerate((("active", 14), ("suspended", 15), ("suspended", 16), ("active", 18))):
        call(conn, "set_status", "ana", status, str(number), at=f"2016-05-{day}")
    assert sentence(explain(conn, "2016-05-17")).startswith("Your account is suspended since 15 May 2016, so")


def test_a_reference_stays_in_one_line(conn: store.Database) -> None:
    """Free text of the marketplace, in a sentence that is pasted."""
    enter(conn)
    call(conn, "grant_bonus", "ana", 30, "two\nlines [b]" + "x" * 100, at="2016-05-14")
    text = sentence(explain(conn, "2016-05-16"))
    assert "\n" not in text
    assert f"(two lines [b]{'x' * 26}…)" in text
