"""What an explanation comes to, the facts it is made of, and what is said of them."""

from datetime import date

import pytest

from renewer.answers.documents import NextDocument, explanation_document
from renewer.answers.explanation import Code, Explanation, find_explanation
from renewer.answers.headline import headline
from renewer.answers.notes import notes
from renewer.answers.wording import REASONS, Word
from renewer.errors import InputError
from renewer.rules.cycle_history import Flaw, Shortfall
from renewer.rules.ledger import CatchUp, Reason
from renewer.rules.plans import Revision
from renewer.store.connection import Database
from renewer.store.history import find_statement
from renewer.store.members import find_members
from renewer.store.revisions import add_plan
from tests.support import EPOCH, Marketplace, bring_in, load_plans, renew, repair, utc

LINE = "ana,basic,2016-04-19,,{},2"
START_DAY = (
    "Your cycles start on the 19th of each month, not on the 1st, because your "
    "membership started on 19 April 2016."
)
UNUSED = (
    "Use your 2 unused monthly Connects by the end of 18 May 2016, because plan Basic "
    "keeps none for the next cycle."
)


def explain(conn: Database, as_of: str, member_id: str = "ana") -> Explanation:
    facts = find_explanation(conn, member_id, utc(as_of), CatchUp.EACH)
    assert facts is not None
    return facts


def said(conn: Database, as_of: str) -> str:
    """Return the headline of ana."""
    return headline(explain(conn, as_of))


def noted(conn: Database, as_of: str) -> dict[str, str]:
    """Return the text of each of ana's notes by its code; no code comes twice."""
    found = notes(explain(conn, as_of))
    texts = {note.code: note.text for note in found}
    assert len(texts) == len(found)
    return texts


def enter(conn: Database, status: str = "active", line: str = LINE) -> None:
    load_plans(conn)
    bring_in(conn, [line.format(status)], "2016-05-14")


def fail(conn: Database) -> None:
    conn.execute(
        "INSERT INTO renewer.failure (member_id, code, message)"
        " VALUES ('ana', '22003', 'out of range')"
    )
    conn.execute(
        "UPDATE renewer.member SET retry_at = %s WHERE member_id = 'ana'",
        [utc("2016-05-20T02:00")],
    )


def test_a_stranger_is_nobody(conn: Database) -> None:
    """None, not an error."""
    assert find_explanation(conn, "nobody", utc("2016-05-14"), CatchUp.EACH) is None


def test_closed_comes_before_failed_and_failed_before_the_rest(
    database: str, conn: Database
) -> None:
    """The first that applies, in the order of the contract."""
    enter(conn)
    assert explain(conn, "2016-05-18").code == "last_day"
    assert explain(conn, "2016-05-20").code == "waiting_for_pass"
    Marketplace(conn).call("set_status", "ana", "suspended", "1", at="2016-05-14")
    assert explain(conn, "2016-05-20").code == "suspended"
    Marketplace(conn).call("set_status", "ana", "under_review", "2", at="2016-05-15")
    assert explain(conn, "2016-05-20").code == "under_review"
    fail(conn)
    assert explain(conn, "2016-05-20").code == "failed"
    Marketplace(conn).call("set_status", "ana", "closed", "3", at="2016-05-16")
    assert explain(conn, "2016-05-20").code == "closed"


def test_renewed_is_within_a_day_of_the_award_or_of_the_pass_that_wrote_it(
    database: str, conn: Database
) -> None:
    """A late pass counts from its own time."""
    enter(conn)
    renew(database, "2016-05-22T08:00")
    assert [
        explain(conn, as_of).code
        for as_of in ("2016-05-19T12:00", "2016-05-20", "2016-05-20T00:01")
    ] == [
        "renewed",
        "renewed",
        "not_due",
    ]
    assert [
        explain(conn, as_of).code
        for as_of in ("2016-05-22T07:59", "2016-05-22T08:00", "2016-05-23T08:01")
    ] == [
        "not_due",
        "renewed",
        "not_due",
    ]


def test_the_past_is_refused(database: str, conn: Database) -> None:
    """Before the last posted boundary, and before the first cycle on record."""
    enter(conn)
    with pytest.raises(InputError, match="`renewer history` has the past"):
        explain(conn, "2016-04-18T23:59")
    assert explain(conn, "2016-04-19").code == "not_due"
    renew(database, "2016-05-19")
    with pytest.raises(InputError, match="is before 2016-05-19T00:00:00"):
        explain(conn, "2016-05-18T23:59")
    assert explain(conn, "2016-05-19").code == "renewed"


def test_what_comes_is_what_the_job_posts(database: str, conn: Database) -> None:
    """The figures of the sentence are those of the ledger an hour later."""
    enter(conn, line="ana,plus,2016-04-19,Asia/Tokyo,{},200")
    upcoming = explain(conn, "2016-05-14").upcoming
    assert upcoming is not None
    renew(database, "2016-05-19")
    rows = conn.execute(
        "SELECT kind, amount, occurred_at, balance_after"
        " FROM renewer.ledger_entry ORDER BY seq"
    )
    _, expiry, _, rolled, renewal = [tuple(row.values()) for row in rows]
    assert (upcoming.expiring, upcoming.carried) == (-expiry[1], rolled[1])
    assert (upcoming.allowance, upcoming.awards_at, upcoming.balance_after) == renewal[
        1:
    ]


def test_who_enrolled_and_was_not_awarded_waits(conn: Database) -> None:
    """Their cycle is the one that holds the enrolment; before it nothing is said."""
    load_plans(conn)
    plan = ["basic", date(2016, 1, 31), "UTC", "active"]
    Marketplace(conn).call("enroll", "ana", *plan, "e", at="2016-05-14T10:00")
    facts = explain(conn, "2016-05-14T10:30")
    days = facts.cycle.first_day, facts.cycle.last_day
    assert days == (date(2016, 4, 30), date(2016, 5, 30))
    document = explanation_document(facts)
    assert (document.status_code, document.cycle, document.last_renewal) == (
        "waiting_for_pass",
        None,
        None,
    )
    assert headline(facts) == (
        "Nothing is wrong: your membership began on 14 May 2016. You get 60 Connects "
        "soon and lose nothing. You then have 60."
    )
    assert said(conn, "2016-05-14T14:00").startswith(
        "Our system is late with your Connects of 14 May 2016."
    )
    with pytest.raises(InputError):
        explain(conn, "2016-05-14T09:59")


def test_a_last_award_of_0_is_told_with_its_reason(
    database: str, conn: Database
) -> None:
    """Suspended then, active now."""
    enter(conn)
    Marketplace(conn).call("set_status", "ana", "suspended", "1", at="2016-05-14")
    Marketplace(conn).call("set_status", "ana", "active", "2", at="2016-05-25")
    renew(database, "2016-05-26")
    assert said(conn, "2016-05-28") == (
        "You got no Connects on 19 May 2016, because your account was suspended "
        "then. You get your next 60 Connects on 19 June 2016."
    )


def test_a_late_award_is_no_award_of_0(database: str, conn: Database) -> None:
    """What was made up for counts as awarded, today."""
    enter(conn)
    Marketplace(conn).call("set_status", "ana", "suspended", "1", at="2016-05-14")
    Marketplace(conn).call("set_status", "ana", "active", "2", at="2016-05-25")
    renew(database, "2016-05-26")
    repair(database, "2016-05-28", members=["ana"])
    facts = explain(conn, "2016-05-28T06:00")
    assert facts.code == "renewed"
    assert headline(facts) == (
        "You got 60 missing Connects for your cycle of 19 May 2016. You now have 60. "
        "You get your next 60 on 19 June 2016."
    )
    assert facts.last_cycle is not None
    assert (facts.last_cycle.awarded, facts.last_cycle.reason) == (60, "suspended")
    cycles = [(past.awarded, past.shortfall, bool(past.late)) for past in facts.cycles]
    assert cycles == [(60, None, True)]
    renewal = explanation_document(facts).last_renewal
    assert renewal is not None
    assert (renewal.amount, renewal.reason) == (60, None)


def test_a_plan_without_connects_is_told(database: str, conn: Database) -> None:
    """A renewal of 0 is coming, and then has come: both are as agreed."""
    load_plans(conn, "upwork-2019")
    bring_in(conn, ["ana,basic,2019-04-19"], "2019-05-14")
    assert said(conn, "2019-05-16") == (
        "Nothing is wrong. Your billing cycle ends on 18 May 2019. Your next cycle "
        "begins on 19 May 2019 without Connects, because the plan includes none."
    )
    renew(database, "2019-05-19")
    assert said(conn, "2019-05-19T01:00") == (
        "Nothing is wrong. Your new billing cycle began on 19 May 2019. Your next "
        "cycle begins on 19 June 2019 without Connects, because the plan includes none."
    )
    assert "gap" not in noted(conn, "2019-05-19T01:00")


def test_an_unknown_plan_is_told_before_and_after_it_failed(
    database: str, conn: Database
) -> None:
    """In a member's words; the error is a fact for the moderator and no note."""
    enter(conn)
    conn.execute("UPDATE renewer.member SET plan = 'gold'")
    why = "because our system has no rules for plan Gold."
    assert said(conn, "2016-05-16") == f"We cannot say yet what you get next, {why}"
    renew(database, "2016-05-19T05:00")
    facts = explain(conn, "2016-05-19T05:10")
    assert facts.code == "failed"
    assert headline(facts) == (
        f"Your renewal of 19 May 2016 is late, {why} You lose nothing and get what is "
        "due when we have corrected this. You now have 2 Connects."
    )
    cycles = [(past.expected, past.awarded, past.shortfall) for past in facts.cycles]
    assert cycles == [(None, None, "failed")]
    document = explanation_document(facts)
    assert (document.next, document.plan.allowance) == (None, None)
    assert [(note.code, note.text) for note in document.notes] == [
        (
            "late",
            "Your renewal has been due since 19 May 2016 at 00:00 UTC, which is 5 "
            "hours ago.",
        ),
        ("start_day", START_DAY),
    ]


def test_an_error_of_ours_is_told_without_its_words(conn: Database) -> None:
    """Nothing of the database's message reaches the member; what comes is not known."""
    enter(conn)
    fail(conn)
    document = explanation_document(explain(conn, "2016-05-18"))
    assert document.headline == (
        "We could not bring your account up to date, because of an error in our "
        "system. You lose nothing and get what is due when we have corrected this. You "
        "now have 2 Connects."
    )
    assert (document.next, document.awards_at) == (None, utc("2016-05-19"))


def test_an_unknown_zone_is_told(conn: Database) -> None:
    """In UTC, and a note says so."""
    enter(conn)
    conn.execute("UPDATE renewer.member SET timezone = 'Mars/Base'")
    facts = explain(conn, "2016-05-16")
    assert (facts.code, facts.timezone) == ("not_due", "UTC")
    assert headline(facts) == (
        "We cannot say yet what you get next, because our system does not know the "
        "time zone Mars/Base."
    )
    assert noted(conn, "2016-05-16") == {
        "unknown_timezone": "Our system does not know your time zone Mars/Base, so all "
        "times here are in UTC.",
        "start_day": START_DAY,
    }


def test_after_a_move_the_last_day_is_that_of_the_former_zone(
    database: str, conn: Database
) -> None:
    """The next boundary keeps its instant, later on the day where the member is now."""
    enter(conn)
    Marketplace(conn).call("set_timezone", "ana", "Asia/Tokyo", "1", at="2016-05-15")
    renew(database, "2016-05-15")
    assert explain(conn, "2016-05-18T20:00").code == "last_day"
    assert said(conn, "2016-05-18T20:00") == (
        "Nothing is wrong. You get your next 60 Connects on 19 May 2016 at 09:00 "
        "(Asia/Tokyo time)."
    )
    assert noted(conn, "2016-05-18T20:00")["timezone_changed"] == (
        "Your next cycle still begins at midnight in UTC, the time zone you had before."
    )


def test_after_a_move_west_the_award_comes_on_the_last_day_itself(
    database: str, conn: Database
) -> None:
    """Neither a day is named as the end nor as the beginning: the instant is."""
    enter(conn)
    Marketplace(conn).call(
        "set_timezone", "ana", "America/New_York", "1", at="2016-05-15"
    )
    renew(database, "2016-05-15")
    at = "18 May 2016 at 20:00 (America/New_York time)"
    assert said(conn, "2016-05-16T05:00") == (
        f"Nothing is wrong. You get your next 60 Connects on {at}."
    )
    assert noted(conn, "2016-05-16T05:00")["unused_expire"] == (
        f"Use your 2 unused monthly Connects by {at}, because plan Basic keeps none "
        "for the next cycle."
    )


def test_a_change_of_plan_that_waits_is_told(conn: Database) -> None:
    """It takes effect with the next pass; what comes after is foreseen with it."""
    enter(conn)
    Marketplace(conn).call("change_plan", "ana", "plus", "now", "1", at="2016-05-14")
    facts = explain(conn, "2016-05-14T00:10")
    assert headline(facts) == (
        "Your change to Plus on 14 May 2016 soon brings 60 Connects, and you then have "
        "62. You get your next 70 Connects on 14 June 2016."
    )
    assert (facts.code, facts.awards_at) == ("not_due", utc("2016-06-14"))
    assert noted(conn, "2016-05-14T00:10")["plan_change_waiting"] == (
        "Your change from Basic to Plus on 14 May 2016 is not complete yet."
    )


def test_after_a_change_of_plan_the_cycle_counts_from_it(
    database: str, conn: Database
) -> None:
    """The anchor is the day of the change, and its credit is no gap."""
    enter(conn)
    Marketplace(conn).call("change_plan", "ana", "plus", "now", "1", at="2016-05-14")
    renew(database, "2016-05-14")
    assert said(conn, "2016-05-14T01:00") == (
        "You changed to Plus on 14 May 2016 and got 60 Connects. You now have 62. You "
        "get your next 70 on 14 June 2016."
    )
    assert noted(conn, "2016-05-20")["start_day"] == (
        "Your cycles start on the 14th of each month, not on the 1st, because you "
        "changed your plan on 14 May 2016."
    )
    cycles = [
        (past.expected, past.awarded or 0, past.shortfall)
        for past in explain(conn, "2016-05-20").cycles
    ]
    assert cycles == [(60, 60, "plan_changed")]


def test_under_review_all_that_waits_is_told(conn: Database) -> None:
    """How much comes with its end; no date is promised for that."""
    enter(conn, "under_review")
    facts = explain(conn, "2016-07-20")
    assert headline(facts) == (
        "Your account is under review, and your Connects wait until it ends. If your "
        "account is then active, you get 180 Connects and have 60."
    )
    texts = noted(conn, "2016-07-20")
    assert texts["held_back"] == (
        "The review holds back your Connects for 3 cycles since 19 May 2016."
    )
    assert texts["balance_then"] == (
        "You have 2 Connects, 180 more come, 122 expire, and you then have 60."
    )
    assert [(past.first_day, past.reason) for past in facts.cycles] == [
        (date(2016, month, 19), "under_review") for month in (5, 6, 7)
    ]
    document = explanation_document(facts)
    assert (document.awards_at, document.next) == (
        None,
        NextDocument(allowance=180, carried=0, expiring=122, balance_after=60),
    )


def test_under_review_with_nothing_held_back_yet(conn: Database) -> None:
    """What comes if the review is over by then; a change that waits is told too."""
    enter(conn, "under_review")
    Marketplace(conn).call(
        "change_plan", "ana", "plus", "next_cycle", "1", at="2016-05-15"
    )
    assert said(conn, "2016-05-16") == (
        "Your account is under review. You get your next 70 Connects on 19 May 2016 if "
        "the review is over by then. Otherwise they wait for its end."
    )
    assert noted(conn, "2016-05-16")["plan_change"] == (
        "You change from Basic to Plus on 19 May 2016 and then get 70 Connects a month "
        "instead of 60."
    )
    assert explain(conn, "2016-05-16").pending_plan == "plus"


def test_a_closed_membership_is_told_since_when(database: str, conn: Database) -> None:
    """The balance stays and nothing comes."""
    enter(conn)
    Marketplace(conn).call("set_status", "ana", "closed", "1", at="2016-05-15")
    for _ in range(2):
        facts = explain(conn, "2016-07-20")
        assert (facts.awards_at, facts.upcoming, facts.cycles) == (None, None, [])
        assert headline(facts) == (
            "Your membership has been closed since 15 May 2016. You get no more "
            "monthly Connects. You keep your 2 Connects."
        )
        assert notes(facts) == []
        assert explanation_document(facts).next is None
        renew(database, "2016-05-16")


def check_foretold(database: str, conn: Database, as_of: str, expected: str) -> None:
    """Check the headline, and that a pass then leaves the balance it is based on."""
    facts = explain(conn, as_of)
    assert headline(facts) == expected
    renew(database, as_of)
    (held,) = find_members(conn, ["ana"])
    assert held.balance == facts.settled.balance


def test_what_was_due_before_a_suspension_is_awarded(
    database: str, conn: Database
) -> None:
    """The status in force at the boundary counts, not that of today."""
    enter(conn)
    Marketplace(conn).call("set_status", "ana", "suspended", "1", at="2016-05-20T10:00")
    check_foretold(
        database,
        conn,
        "2016-05-20T12:00",
        "Your account has been suspended since 20 May 2016. You soon get 60 Connects "
        "and then have 60. You get your next 60 on 19 June 2016 only if your account "
        "is active again by then.",
    )


def test_what_was_due_while_suspended_is_0_and_says_why(
    database: str, conn: Database
) -> None:
    """Active again does not bring it back."""
    enter(conn, "suspended")
    Marketplace(conn).call("set_status", "ana", "active", "1", at="2016-05-20T10:00")
    assert noted(conn, "2016-05-20T12:00")["nothing_due"] == (
        "You get no Connects for your cycle of 19 May 2016, because your account was "
        "suspended then."
    )
    check_foretold(
        database,
        conn,
        "2016-05-20T12:00",
        "You get no Connects for your cycle of 19 May 2016, because your account was "
        "suspended then. You get your next 60 Connects on 19 June 2016.",
    )


def test_what_was_due_before_the_closing_is_told(database: str, conn: Database) -> None:
    """The balance stays as it is after that."""
    enter(conn)
    Marketplace(conn).call("set_status", "ana", "closed", "1", at="2016-05-20T10:00")
    facts = explain(conn, "2016-05-20T12:00")
    reasons = [past.reason for past in facts.cycles]
    assert (facts.awards_at, reasons) == (None, ["waiting_for_pass"])
    check_foretold(
        database,
        conn,
        "2016-05-20T12:00",
        "Your membership has been closed since 20 May 2016. You soon get your last 60 "
        "Connects and then have 60. Those you keep, but you get no more after that.",
    )


def test_a_change_made_before_the_boundary_takes_its_place(
    database: str, conn: Database
) -> None:
    """No renewal of the old cycle will ever be posted, and none is promised."""
    enter(conn)
    Marketplace(conn).call(
        "change_plan", "ana", "plus", "now", "1", at="2016-05-14T10:00"
    )
    assert "late" not in noted(conn, "2016-05-20T12:00")
    check_foretold(
        database,
        conn,
        "2016-05-20T12:00",
        "Your change to Plus on 14 May 2016 soon brings 60 Connects, and you then have "
        "62. You get your next 70 Connects on 14 June 2016.",
    )


def test_a_downgrade_asked_for_after_the_boundary_comes_a_month_later(
    database: str, conn: Database
) -> None:
    """With what it brings then."""
    enter(conn, line="ana,plus,2016-04-19,,{},2")
    Marketplace(conn).call(
        "change_plan", "ana", "basic", "next_cycle", "1", at="2016-05-20T10:00"
    )
    assert noted(conn, "2016-05-20T12:00")["plan_change"] == (
        "You change from Plus to Basic on 19 June 2016 and then get 60 Connects a "
        "month instead of 70."
    )
    check_foretold(
        database,
        conn,
        "2016-05-20T12:00",
        "Our system is late with your Connects of 19 May 2016. You get 70 Connects "
        "soon and lose nothing. You then have 72.",
    )


def test_a_change_that_comes_late_is_no_longer_pending(conn: Database) -> None:
    """What the settled member has is what is told: the plan that waits is theirs."""
    enter(conn, line="ana,plus,2016-04-19,,{},2")
    Marketplace(conn).call(
        "change_plan", "ana", "basic", "next_cycle", "1", at="2016-05-15"
    )
    facts = explain(conn, "2016-05-20T12:00")
    assert (facts.pending_plan, facts.settled.plan) == (None, "basic")
    texts = noted(conn, "2016-05-20T12:00")
    assert "plan_change" not in texts
    assert texts["plan_change_waiting"] == (
        "Your change from Plus to Basic on 19 May 2016 is not complete yet."
    )


def test_what_was_due_before_the_review_is_not_held_back(
    database: str, conn: Database
) -> None:
    """The next pass posts it while the review goes on."""
    enter(conn)
    Marketplace(conn).call(
        "set_status", "ana", "under_review", "1", at="2016-05-20T10:00"
    )
    check_foretold(
        database,
        conn,
        "2016-05-20T12:00",
        "Your account has been under review since 20 May 2016. You soon get 60 "
        "Connects from before and then have 60. Later Connects wait until the review "
        "ends.",
    )


def test_a_review_that_ended_is_no_late_job(database: str, conn: Database) -> None:
    """What it held back is posted by the next pass."""
    enter(conn, "under_review")
    Marketplace(conn).call("set_status", "ana", "active", "1", at="2016-07-20T10:00")
    assert "late" not in noted(conn, "2016-07-20T10:30")
    check_foretold(
        database,
        conn,
        "2016-07-20T10:30",
        "Your review ended on 20 July 2016. You get 180 Connects soon. You then have "
        "60, because others expire with their cycles.",
    )


def test_with_catch_up_latest_nobody_is_told_that_nothing_is_lost(
    conn: Database,
) -> None:
    """Which ones will be 0, and why."""
    enter(conn)
    facts = find_explanation(conn, "ana", utc("2016-07-20"), CatchUp.LATEST)
    assert facts is not None
    assert headline(facts) == (
        "Our system is late with your Connects for 3 cycles since 19 May 2016. You get "
        "60 Connects soon. You then have 60."
    )
    (zero,) = [note for note in notes(facts) if note.code == "nothing_due"]
    assert zero.text == (
        "You get no Connects for your cycles of 19 May 2016 and 19 June 2016, because "
        "they were missed and not made up for."
    )
    assert zero.values == {
        "first_days": [date(2016, 5, 19), date(2016, 6, 19)],
        "reason": "caught_up",
    }
    assert [past.reason for past in facts.cycles] == [
        "caught_up",
        "caught_up",
        "waiting_for_pass",
    ]


def test_what_was_cut_is_told_by_the_ledger_not_by_the_plan_of_today(
    database: str, conn: Database
) -> None:
    """A change of plan on the same day, its credit, and what the old cap had cut."""
    load_plans(conn)
    add_plan(conn, Revision("small", EPOCH, 10, 60))
    bring_in(conn, ["ana,small,2016-04-19,,,100"], "2016-05-14")
    renew(database, "2016-05-19")
    Marketplace(conn).call(
        "change_plan", "ana", "plus", "now", "1", at="2016-05-19T10:00"
    )
    assert noted(conn, "2016-05-19T10:30")["plan_change_waiting"] == (
        "Your change from Small to Plus is not complete yet."
    )
    renew(database, "2016-05-19T11:00")
    texts = noted(conn, "2016-05-19T12:00")
    assert texts["cut"] == (
        "On 19 May 2016 you kept 60 of your 100 unused monthly Connects, the most that "
        "plan Small allowed, and 40 expired."
    )
    assert texts["more_credit"] == (
        "You got 60 more Connects on 19 May 2016 for a change of plan."
    )
    assert "because you changed your plan on 19 May 2016" in texts["start_day"]


def test_a_prorated_upgrade_says_why_it_is_no_full_allowance(
    database: str, conn: Database
) -> None:
    """97 of 100: the published case."""
    load_plans(conn, "upwork-2025")
    bring_in(conn, ["ana,basic,2025-04-19,,,4"], "2025-05-01")
    Marketplace(conn).call("change_plan", "ana", "plus", "now", "1", at="2025-05-10")
    renew(database, "2025-05-10T01:00")
    assert noted(conn, "2025-05-12")["credit"] == (
        "Your change to Plus brought 97 of 100 Connects, because you had received "
        "Connects for the same days from your plan before."
    )


def test_since_when_is_the_first_call_for_the_present_status(
    conn: Database,
) -> None:
    """Saying it again does not make it younger, and a later call is not known yet."""
    enter(conn)
    calls = (("active", 14), ("suspended", 15), ("suspended", 16), ("active", 18))
    for number, (status, day) in enumerate(calls):
        Marketplace(conn).call(
            "set_status", "ana", status, str(number), at=f"2016-05-{day}"
        )
    assert said(conn, "2016-05-17") == (
        "Your account has been suspended since 15 May 2016. You get your next 60 "
        "Connects on 19 May 2016 only if your account is active again by then."
    )


def test_bought_ones_are_told_apart_from_the_unused(conn: Database) -> None:
    """What a balance is made of adds up, and the cap counts monthly ones alone."""
    plans = Revision("capped", EPOCH, 100, 515)
    add_plan(conn, plans)
    bring_in(conn, ["ana,capped,2016-04-19,,,595"], "2016-05-14")
    Marketplace(conn).call("purchase", "ana", 80, "i", at="2016-05-15")
    texts = noted(conn, "2016-05-16")
    assert texts["cap"] == (
        "Of your 595 unused monthly Connects you keep 515, the most that plan Capped "
        "allows, and 80 expire on 19 May 2016."
    )
    assert texts["balance_after"] == (
        "If you use none before, you have 695 Connects on 19 May 2016: 515 kept, 80 "
        "bought or bonus and 100 new."
    )
    assert texts["never_expire"] == "Your 80 bought or bonus Connects never expire."


def test_new_rules_whose_day_is_past_are_no_news(database: str, conn: Database) -> None:
    """They reach a member with a cycle to come; under review that day may pass."""
    add_plan(conn, Revision("ten", EPOCH, 0, 140))
    add_plan(conn, Revision("ten", date(2016, 5, 1), 10, 200))
    bring_in(conn, ["ana,ten,2016-04-19,,under_review"], "2016-04-25")
    told = {as_of: noted(conn, as_of) for as_of in ("2016-05-18", "2016-05-19")}
    assert told["2016-05-18"]["new_allowance"] == (
        "New rules wait for a new cycle: from 19 May 2016 you get 10 Connects a month "
        "instead of 0."
    )
    assert told["2016-05-18"]["new_cap"] == (
        "New rules wait for a new cycle: from 19 May 2016 you keep up to 200 unused "
        "Connects instead of up to 140."
    )
    assert {"new_allowance", "new_cap"}.isdisjoint(told["2016-05-19"])
    conn.execute("UPDATE renewer.member SET timezone = 'Mars/Base'")
    assert {"new_allowance", "new_cap"}.isdisjoint(noted(conn, "2016-05-19"))


def test_the_answer_and_the_statement_give_one_reason(
    database: str, conn: Database
) -> None:
    """Of each award of 0, also when a plan's rules are corrected after it."""
    add_plan(conn, Revision("ten", EPOCH, 0, None))
    add_plan(conn, Revision("ten", date(2016, 6, 1), 10, None))
    lines = ["ana,ten,2016-04-19,,suspended", "ben,ten,2016-04-19"]
    bring_in(conn, lines, "2016-05-14")
    renew(database, "2016-06-19")
    Marketplace(conn).call("set_status", "ana", "active", "1", at="2016-06-20")
    renew(database, "2016-08-19", catch_up=CatchUp.LATEST)
    renewal = "Monthly Connects renewal"
    none = ("no_allowance", f"{renewal}: 0, the plan included none")
    suspended = ("suspended", f"{renewal}: 0 while suspended")
    missed = ("caught_up", f"{renewal}: 0, missed and not made up for")
    fine = (None, renewal)
    assert reasons(conn, "ana") == [none, suspended, missed, fine]
    assert reasons(conn, "ben") == [none, fine, missed, fine]
    add_plan(conn, Revision("ten", date(2016, 5, 10), 7, None))
    corrected = (
        "rules_corrected",
        f"{renewal}: 0, the plan's rules were corrected later",
    )
    assert reasons(conn, "ana") == [suspended, suspended, missed, fine]
    assert reasons(conn, "ben") == [corrected, fine, missed, fine]


def reasons(conn: Database, member_id: str) -> list[tuple[str | None, str]]:
    """Return the reason of each cycle, and what the statement says of its award."""
    document = explanation_document(explain(conn, "2016-08-20", member_id))
    found = [cycle.reason for cycle in document.past_cycles]
    lines = [
        line["what"]
        for line in find_statement(conn, member_id)
        if line["kind"] == "renewal"
    ]
    return list(zip(found, lines, strict=True))


def test_every_reason_of_a_renewal_has_its_words(conn: Database) -> None:
    """A line of the statement in SQL, and a sentence and a cell of a table here."""
    reasons = (set(Reason) | set(Shortfall)) - {Reason.LAPSED, Reason.NOT_CARRIED}
    rows = conn.execute("SELECT kind, reason FROM renewer.entry_reason").fetchall()
    lines = {row["reason"] for row in rows if row["kind"] == "renewal"}
    assert lines == reasons
    spoken = {reason for reason, words in REASONS.items() if words.before}
    assert spoken == reasons
    assert all(words.ahead and words.cell for words in map(REASONS.get, reasons))


def test_a_cycle_not_posted_and_a_flaw_have_their_words() -> None:
    """Each status code that stands for a reason, and each finding of an audit."""
    waiting = {Code.WAITING_FOR_PASS, Code.UNDER_REVIEW, Code.FAILED}
    without_sentence = {
        reason: words for reason, words in REASONS.items() if not words.before
    }
    assert set(without_sentence) == waiting | set(Flaw)
    assert all(without_sentence[code].cell for code in waiting)
    assert all(words.name for words in REASONS.values())


def test_other_marketplaces_have_another_word(conn: Database) -> None:
    """No answer falls back on Connects: headline and notes take the word they get."""
    enter(conn)
    Marketplace(conn).call("purchase", "ana", 1, "i", at="2016-05-15")
    word = Word("bid", "bids")
    at = utc("2016-05-16")
    facts = find_explanation(conn, "ana", at, CatchUp.EACH, word)
    assert facts is not None
    assert headline(facts) == (
        "Nothing is wrong. Your billing cycle ends on 18 May 2016. You get your next "
        "60 bids on 19 May 2016."
    )
    assert [note.text for note in notes(facts)][:3] == [
        "Use your 2 unused monthly bids by the end of 18 May 2016, because plan Basic "
        "keeps none for the next cycle.",
        "If you use none before, you have 61 bids on 19 May 2016: 1 bought or bonus "
        "and 60 new.",
        "Your 1 bought or bonus bid never expires.",
    ]


def test_what_was_named_is_shown_in_one_line(conn: Database) -> None:
    """A plan's name with control characters does not break what is pasted."""
    add_plan(conn, Revision("two\nlines\x1b[1m", EPOCH, 60, 0))
    enter(conn)
    conn.execute("UPDATE renewer.member SET plan = %s", ["two\nlines\x1b[1m"])
    assert noted(conn, "2016-05-16")["unused_expire"] == (
        "Use your 2 unused monthly Connects by the end of 18 May 2016, because plan "
        "Two\\nlines\\x1b[1m keeps none for the next cycle."
    )
