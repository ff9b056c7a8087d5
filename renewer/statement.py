"""A member's ledger in a person's words: pure."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from renewer.ledger import Kind, Reason


@dataclass(frozen=True, slots=True)
class Item:
    """One line of a statement."""

    occurred_at: datetime
    text: str
    amount: int
    balance_after: int


TEXTS = {
    Kind.OPENING: "Balance brought in",
    Kind.RENEWAL: "Monthly Connects renewal",
    Kind.LATE_RENEWAL: "Monthly Connects renewal, late",
    Kind.PURCHASE: "Connects bought",
    Kind.BONUS: "Bonus Connects",
    Kind.SPEND: "Connects spent",
    Kind.REFUND: "Connects returned",
    Kind.ADJUSTMENT: "Adjustment",
}

REASONS = {
    Reason.SUSPENDED: ": 0 while suspended",
    Reason.CAUGHT_UP: ": 0, missed and not made up for",
}


def compile_statement(entries: Iterable[Mapping[str, Any]]) -> Iterator[Item]:
    """Yield the lines of a statement: each entry is one, and the two of a rollover pair are one together."""
    for entry in entries:
        kind, amount = Kind(entry["kind"]), entry["amount"]
        if kind is Kind.ROLLOVER:
            if amount > 0:
                yield Item(entry["occurred_at"], f"{amount} unused Connects rolled over", 0, entry["balance_after"])
        else:
            yield Item(entry["occurred_at"], _text(kind, entry), amount, entry["balance_after"])


def _text(kind: Kind, entry: Mapping[str, Any]) -> str:
    if kind is Kind.EXPIRY:
        if entry["reason"] == Reason.LAPSED:
            return "Connects expired: the end of their lifetime"
        return "Unused Connects expired with their cycle"
    return TEXTS[kind] + REASONS.get(entry["reason"], "")
