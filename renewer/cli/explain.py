"""The command `explain`: why a member's Connects renewed, or not yet."""

from collections.abc import Sequence

import typer

from renewer.answers.documents import explanation_document, stranger_document
from renewer.answers.explanation import Code, Explanation, find_explanation
from renewer.answers.headline import headline, headline_of_stranger
from renewer.answers.notes import notes
from renewer.answers.wording import reason_in_words, signed
from renewer.cli.options import AsOf, CatchUpOption, Json, MemberId, resolve_as_of
from renewer.cli.output import (
    console,
    note,
    print_json,
    print_list,
    print_table,
    table,
    timestamp,
)
from renewer.host import database
from renewer.host.settings import read_settings
from renewer.rules.cycle_history import CycleRecord
from renewer.rules.ledger import Status
from renewer.rules.plans import RULES
from renewer.store.connection import read_clock, snapshot


def explain(
    member: MemberId,
    as_of: AsOf = None,
    catch_up: CatchUpOption = None,
    json: Json = False,
) -> None:
    """
    Say why a member's Connects renewed or not yet: a headline to send, notes, facts.

    The cycles listed are all the ledger was to award, the one under way included. Exit
    code 1: nobody has that id.
    """
    with database.connected(note) as (_, conn):
        at = resolve_as_of(as_of, read_clock(conn), allow_future=True)
        catching_up = catch_up or read_settings().catch_up
        with snapshot(conn):
            facts = find_explanation(conn, member, at, catching_up)
    if facts is None:
        if json:
            print_json(stranger_document(member, at))
        else:
            console().print(headline_of_stranger(member), soft_wrap=True)
        raise typer.Exit(1)
    if json:
        print_json(explanation_document(facts))
    else:
        _print_explanation(facts)


def _print_explanation(facts: Explanation) -> None:
    """Print the headline in one line, so that it is pasted whole; then the rest."""
    out = console()
    out.print(headline(facts), soft_wrap=True)
    out.print()
    texts = [each.text for each in notes(facts)]
    if texts:
        print_list(texts)
        out.print()
    _print_facts(facts)
    _print_lots(facts)
    if facts.cycles:
        _print_cycles(facts.cycles)


def _print_facts(facts: Explanation) -> None:
    member, reached, then = facts.member, facts.cycle, facts.upcoming
    made = table("fact", "")
    made.show_header = False
    made.add_row("member", f"{member.member_id}, {facts.status}, {facts.code}")
    made.add_row("plan", _rules(facts))
    zone = member.timezone
    if zone != facts.timezone:
        zone += ": could not be resolved"
    between = f"{reached.first_day} to {reached.last_day}"
    made.add_row("cycle", f"{between}, number {reached.n}, {zone}")
    made.add_row("awards at", _awards_at(facts))
    made.add_row("balance", str(member.balance))
    if facts.code is Code.FAILED:
        made.add_row("then", "not known before this is mended")
    elif then is not None:
        moved = f"{then.carried} carried, {then.expiring} expire"
        made.add_row("then", f"{signed(then.allowance)}; {moved}: {then.balance_after}")
    if facts.problem is not None:
        made.add_row("error", f"{facts.problem.code}: {facts.problem.message}")
    if facts.failure is not None:
        again = f"next on {timestamp(facts.failure.retry_at, facts.timezone)}"
        tries = "parked"
        if not facts.failure.parked:
            tries = again
        made.add_row("tries", f"{facts.failure.attempts}, {tries}")
    print_table(made)


def _awards_at(facts: Explanation) -> str:
    if facts.awards_at is not None:
        at = timestamp(facts.awards_at, facts.timezone)
        return f"{at}, once this is mended" if facts.code is Code.FAILED else at
    if facts.status is Status.CLOSED:
        return "never again"
    return "when the review ends"


def _print_lots(facts: Explanation) -> None:
    lots = [lot for lot in facts.member.lots if lot.remaining]
    if not lots:
        return
    columns = ("lot", "left", "issued", "expires", "with the cycle")
    made = table(
        *columns, numbers=("left", "with the cycle"), times=("issued", "expires")
    )
    for lot in lots:
        issued = timestamp(lot.issued_at, facts.timezone)
        ends = "—"
        if lot.expires_at is not None:
            ends = timestamp(lot.expires_at, facts.timezone)
        lost = str(facts.lost.get(lot.number, "—"))
        made.add_row(lot.source, str(lot.remaining), issued, ends, lost)
    print_table(made)


def _print_cycles(cycles: Sequence[CycleRecord]) -> None:
    columns = ("cycle from", "to", "expected", "awarded", "why")
    made = table(*columns, numbers=("expected", "awarded"))
    for past in cycles:
        due = "?"
        if past.expected is not None:
            due = str(past.expected)
        why = ""
        if past.late:
            why = "made up later"
        if past.shortfall:
            why = reason_in_words(past.shortfall).name
        days = str(past.first_day), str(past.last_day)
        made.add_row(*days, due, str(past.awarded or 0), why)
    print_table(made)


def _rules(facts: Explanation) -> str:
    """Return the plan, its rules and the plan that comes next, if they are known."""
    member, plan, pending = facts.member, facts.plan, facts.pending_plan
    unresolved = facts.problem.plan if facts.problem is not None else None
    text = f"{member.plan}: no rules on record"
    if unresolved == member.plan:
        # Rules of an earlier cycle say nothing of what is due now.
        text = f"{member.plan}: could not be resolved"
    elif plan is not None:
        text = f"{member.plan}: {plan.allowance} a month"
        for name, number in plan.rules.items():
            rule = RULES[name]
            if name != "allowance" and (number is not None or rule.unlimited):
                text += f", {rule.label} {rule.show(number)}"
    if pending is not None:
        text += f"; then {pending}"
        if unresolved == pending:
            text += ": could not be resolved"
    return text
