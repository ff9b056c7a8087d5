"""What a dry run shows, and what is shown of an entry that is posted."""

import threading
from typing import Any

from renewer.answers.wording import signed
from renewer.cli.output import print_table, table
from renewer.rules.ledger import Entry, Kind
from renewer.rules.posting import Posting


def entry_document(member_id: str, entry: Entry) -> dict[str, Any]:
    """Return the document of an entry that is posted, or would be."""
    return {
        "member_id": member_id,
        "kind": entry.kind,
        "first_day": entry.first_day,
        "amount": entry.amount,
        "balance_after": entry.balance_after,
        "occurred_at": entry.occurred_at,
        "reason": entry.reason,
    }


class Rehearsal:
    """What a dry run would post: by plan and kind and, of *named* members, all of it.

    Several threads add to it.
    """

    def __init__(self, *, named: bool) -> None:
        self._guard = threading.Lock()
        self._named = named
        self._entries: list[dict[str, Any]] = []
        self._totals: dict[tuple[str, Kind], list[int]] = {}

    def add(self, posting: Posting) -> None:
        """Take note of what one member would get."""
        with self._guard:
            for entry in posting.entries:
                key = (posting.after.plan, entry.kind)
                total = self._totals.setdefault(key, [0, 0])
                total[0] += 1
                total[1] += entry.amount
                if self._named:
                    member_id = posting.before.member_id
                    self._entries.append(entry_document(member_id, entry))

    def as_document(self) -> dict[str, Any]:
        """Return the totals and, of named members, the entries."""
        planned = [
            {"plan": plan, "kind": kind, "entries": entries, "connects": amount}
            for (plan, kind), (entries, amount) in sorted(self._totals.items())
        ]
        return {"planned": planned, "posted": self._entries if self._named else None}

    def print(self) -> None:
        """Print the same as a table; nothing when there is nothing."""
        if self._named and self._entries:
            made = table(
                "member", "entry", "of", "amount", "balance",
                numbers=("amount", "balance"),
            )  # fmt: skip
            for each in self._entries:
                of = str(each["first_day"] or each["occurred_at"].date())
                made.add_row(
                    each["member_id"],
                    each["kind"].replace("_", " "),
                    of,
                    signed(each["amount"]),
                    str(each["balance_after"]),
                )
            print_table(made)
        elif self._totals:
            numbers = ("entries", "Connects")
            made = table("plan", "entry", *numbers, numbers=numbers)
            for (plan, kind), (entries, amount) in sorted(self._totals.items()):
                made.add_row(plan, kind.replace("_", " "), str(entries), signed(amount))
            print_table(made)
