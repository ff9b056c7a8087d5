"""Commands that answer: why a member's Connects renewed, or not yet, and what is to come."""

from datetime import datetime
from itertools import islice
from typing import Annotated, Any

import typer

from renewer import store
from renewer.answers.explanation import Code, Explanation, find_explanation
from renewer.answers.sentence import sentence, stranger
from renewer.cli.options import AsOf, CatchUpOption, Json, MemberId, resolve_as_of
from renewer.cli.output import console, instant, local, note, print_json, print_table, signed, table
from renewer.host import database
from renewer.host.settings import read_settings
from renewer.rules.cycle import timezones
from renewer.rules.forecast import foresee
from renewer.rules.ledger import Lot, Status
from renewer.rules.plans import Plans, Revision
from renewer.rules.posting import Boundary

MOST = 1200


def explain(member: MemberId, as_of: AsOf = None, catch_up: CatchUpOption = None, json: Json = False) -> None:
    """
    Say in one sentence, fit to be sent, why a member's Connects renewed or not yet; then the facts behind it.

    The cycles listed are all the ledger was to award, the one under way included. Exit code 1: nobody has that id.
    """
    with database.connected(note) as (_, conn):
        at = resolve_as_of(as_of, store.read_clock(conn), allow_future=True)
        told = find_explanation(conn, member, at, catch_up or read_settings().catch_up)
    if json:
        print_json(_unknown(member, at) if told is None else _document(told))
    elif told is None:
        console().print(stranger(member), soft_wrap=True)
    else:
        _print(told)
    raise typer.Exit(1 if told is None else 0)


def _unknown(member_id: str, as_of: datetime) -> dict[str, Any]:
    nothing = dict.fromkeys(("timezone", "plan", "pending_plan", "balance", "cycle", "awards_at", "next"))
    return {
        "member_id": member_id,
        "as_of": as_of,
        "status_code": Code.UNKNOWN_MEMBER,
        "sentence": stranger(member_id),
        **nothing,
        "lots": [],
        "last_renewal": None,
        "past_cycles": [],
    }


def _document(told: Explanation) -> dict[str, Any]:
    """Return the facts as their JSON document; instants have the member's offset."""
    upcoming, last = told.upcoming, told.last_award
    return {
        "member_id": told.member.member_id,
        "as_of": local(told.as_of, told.timezone),
        "status_code": told.code,
        "sentence": sentence(told),
        "timezone": told.member.timezone,
        "plan": _plan(told.member.plan, told.plan),
        "pending_plan": told.pending_plan,
        "balance": told.member.balance,
        "cycle": {"n": told.cycle.n, "first_day": told.cycle.first_day, "last_day": told.cycle.last_day},
        "awards_at": told.awards_at and local(told.awards_at, told.timezone),
        "next": upcoming and _amounts(upcoming),
        "lots": [_lot(told, lot) for lot in told.member.lots if lot.remaining],
        "last_renewal": last
        and {
            "first_day": last.cycle.first_day,
            "amount": last.awarded,
            "reason": last.reason,
            "posted_at": local(last.posted_at, told.timezone),
        },
        "past_cycles": [
            {
                "first_day": each.first_day,
                "last_day": each.last_day,
                "expected": each.expected,
                "awarded": each.awarded,
                "reason": each.reason,
            }
            for each in told.cycles
        ],
    }


def _plan(code: str, rules: Revision | None) -> dict[str, Any]:
    ruled = ("allowance", "rollover_cap", "lifetime_months")
    return {"code": code, **{name: getattr(rules, name, None) for name in ruled}}


def _amounts(foreseen: Boundary) -> dict[str, int]:
    return {
        "allowance": foreseen.allowance,
        "carried": foreseen.carried,
        "expiring": foreseen.expiring,
        "balance_after": foreseen.balance_after,
    }


def _lot(told: Explanation, lot: Lot) -> dict[str, Any]:
    return {
        "source": lot.source,
        "remaining": lot.remaining,
        "issued_at": local(lot.issued_at, told.timezone),
        "expires_at": lot.expires_at and local(lot.expires_at, told.timezone),
        "ends_with_cycle": _lost(told, lot) > 0,
    }


def _lost(told: Explanation, lot: Lot) -> int:
    """Return what of a lot the next boundary lets expire with its cycle."""
    return told.upcoming.lost.get(lot.number, 0) if told.upcoming else 0


def _print(told: Explanation) -> None:
    out, member, zone = console(), told.member, told.timezone
    out.print(sentence(told), soft_wrap=True)
    facts = table("fact", "")
    facts.show_header = False
    facts.add_row("member", f"{member.member_id}, {told.status}, {told.code}")
    facts.add_row("plan", _rules(told))
    facts.add_row("cycle", f"{told.cycle.first_day} to {told.cycle.last_day}, number {told.cycle.n}, {member.timezone}")
    facts.add_row("awards at", instant(told.awards_at, zone) if told.awards_at else "never again")
    facts.add_row("balance", str(member.balance))
    if told.upcoming is not None:
        then = told.upcoming
        amounts = f"{signed(then.allowance)}; {then.carried} carried, {then.expiring} expire: {then.balance_after}"
        facts.add_row("then", amounts)
    if told.failure is not None:
        facts.add_row("error", f"{told.failure.code}: {told.failure.message}")
        tried = "parked" if told.failure.parked else f"next on {instant(told.failure.retry_at, zone)}"
        facts.add_row("tries", f"{told.failure.attempts}, {tried}")
    print_table(facts)
    if any(lot.remaining for lot in member.lots):
        lots = table("lot", "left", "issued", "expires", "with the cycle", numbers=("left", "with the cycle"))
        for lot in member.lots:
            ends = instant(lot.expires_at, zone) if lot.expires_at else "—"
            issued = instant(lot.issued_at, zone)
            lots.add_row(lot.source, str(lot.remaining), issued, ends, str(_lost(told, lot) or "—"))
        print_table(lots)
    if told.cycles:
        cycles = table("cycle from", "to", "expected", "awarded", "why", numbers=("expected", "awarded"))
        for past in told.cycles:
            due = "?" if past.expected is None else str(past.expected)
            why = (past.reason or ("late" if past.late else "")).replace("_", " ")
            cycles.add_row(str(past.first_day), str(past.last_day), due, str(past.awarded), why)
        print_table(cycles)


def _rules(told: Explanation) -> str:
    """Return the plan and its rules."""
    text = told.member.plan
    if told.plan is None:
        text += ": no rules on record"
    else:
        cap = "unlimited" if told.plan.rollover_cap is None else str(told.plan.rollover_cap)
        text += f": {told.plan.allowance} a month, rollover cap {cap}"
        if told.plan.lifetime_months:
            text += f", lifetime {told.plan.lifetime_months} months"
    return text + (f"; then {told.pending_plan}" if told.pending_plan else "")


def preview(
    member: MemberId,
    cycles: Annotated[int, typer.Option("--cycles", metavar="N", min=1, max=MOST, help="How many boundaries.")] = 3,
    as_of: AsOf = None,
    catch_up: CatchUpOption = None,
    json: Json = False,
) -> None:
    """
    Show the boundaries to come and what they will post, as the job itself plans them, if nothing is spent meanwhile.

    A review is taken to end now, with the member active.
    """
    with database.connected(note) as (_, conn):
        at = resolve_as_of(as_of, store.read_clock(conn), allow_future=True)
        held = database.find_member(conn, member)
        plans = Plans(store.find_plans(conn))
    found = list(islice(foresee(held, plans, at, catch_up or read_settings().catch_up), cycles))
    zone = held.timezone if held.timezone in timezones() else "UTC"
    if json:
        document = {"member_id": member, "as_of": local(at, zone), "timezone": held.timezone, "balance": held.balance}
        print_json(document | {"cycles": [_cycle(each, zone) for each in found]})
        return
    if not found:
        console().print("Nothing is to come: the membership is closed.")
        return
    if held.status is Status.UNDER_REVIEW:
        note("Under review: this is what comes if the review ends now and the member is active.")
    made = table("cycle", "awards at", "plan", "award", "carried", "expiring", "balance", numbers=AMOUNTS)
    for each in found:
        amounts = (signed(each.allowance), each.carried, each.expiring, each.balance_after)
        made.add_row(str(each.n), instant(each.awards_at, zone), each.plan, *map(str, amounts))
    print_table(made)


AMOUNTS = ("cycle", "award", "carried", "expiring", "balance")


def _cycle(foreseen: Boundary, zone: str) -> dict[str, Any]:
    return {
        "n": foreseen.n,
        "first_day": foreseen.first_day,
        "last_day": foreseen.last_day,
        "awards_at": local(foreseen.awards_at, zone),
        "plan": foreseen.plan,
        "reason": foreseen.reason,
        **_amounts(foreseen),
    }
