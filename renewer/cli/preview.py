"""The command `preview`: the boundaries to come, as the job would post them."""

from itertools import islice
from typing import Annotated

import typer

from renewer.answers.documents import preview_document
from renewer.answers.wording import signed, usable_timezone
from renewer.cli.options import AsOf, CatchUpOption, Json, MemberId, resolve_as_of
from renewer.cli.output import note, print_json, print_table, say, table, timestamp
from renewer.host import database
from renewer.host.settings import read_settings
from renewer.rules.forecast import foresee
from renewer.rules.ledger import Member, Status
from renewer.rules.plans import Plans
from renewer.rules.posting import Boundary
from renewer.store.connection import read_clock
from renewer.store.revisions import find_plans

MOST = 1200
AMOUNTS = ("cycle", "award", "carried", "expiring", "balance")

Cycles = Annotated[
    int,
    typer.Option("--cycles", metavar="N", min=1, max=MOST, help="How many boundaries."),
]


def preview(
    member: MemberId,
    cycles: Cycles = 3,
    as_of: AsOf = None,
    catch_up: CatchUpOption = None,
    json: Json = False,
) -> None:
    """
    Show the boundaries to come and what they will post, if nothing is spent meanwhile.

    The job itself plans them. A review is taken to end now, with the member active.
    """
    with database.connected(note) as (_, conn):
        at = resolve_as_of(as_of, read_clock(conn), allow_future=True)
        held = database.find_member(conn, member)
        plans = Plans(find_plans(conn))
    catching_up = catch_up or read_settings().catch_up
    found = list(islice(foresee(held, plans, at, catching_up), cycles))
    if json:
        print_json(preview_document(held, at, found))
    elif found:
        _print_preview(held, found)
    else:
        say("Nothing is to come: the membership is closed.")


def _print_preview(held: Member, found: list[Boundary]) -> None:
    if held.status is Status.UNDER_REVIEW:
        note(
            "Under review: this is what comes if the review ends now and the member is "
            "active."
        )
    zone = usable_timezone(held.timezone)
    columns = ("cycle", "awards at", "plan", "award", "carried", "expiring", "balance")
    made = table(*columns, numbers=AMOUNTS)
    for each in found:
        made.add_row(
            str(each.n),
            timestamp(each.awards_at, zone),
            each.plan,
            signed(each.allowance),
            str(each.carried),
            str(each.expiring),
            str(each.balance_after),
        )
    print_table(made)
