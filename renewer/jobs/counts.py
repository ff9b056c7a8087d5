"""What a batch did, and the counts that batches are added up in."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import orjson

from renewer.rules.ledger import Kind
from renewer.rules.posting import Posting

RUN_COLUMNS = (
    "due", "renewed", "late", "expired", "applied", "skipped", "failed", "entries",
)  # fmt: skip
"""The counts that a row of table `run` has."""


@dataclass(slots=True)
class Counts:
    """
    Members per outcome, and the entries and Connects that were posted per kind.

    *due* counts members that were taken up; each counts once more, under its most
    significant outcome. *connects_by_kind* counts Connects that were given or, by an
    expiry, taken: it is never negative, and a rollover counts the positive entry of its
    pair. *conflicts* counts members that changed meanwhile and were planned again.
    """

    due: int = 0
    renewed: int = 0
    late: int = 0
    expired: int = 0
    applied: int = 0
    skipped: int = 0
    failed: int = 0
    conflicts: int = 0
    entries_by_kind: Counter[str] = field(default_factory=Counter)
    connects_by_kind: Counter[str] = field(default_factory=Counter)

    @property
    def entries(self) -> int:
        """Return the number of entries of all kinds."""
        return self.entries_by_kind.total()

    def add(self, other: "Counts") -> None:
        """Add *other* to these counts."""
        self.due += other.due
        self.renewed += other.renewed
        self.late += other.late
        self.expired += other.expired
        self.applied += other.applied
        self.skipped += other.skipped
        self.failed += other.failed
        self.conflicts += other.conflicts
        self.entries_by_kind.update(other.entries_by_kind)
        self.connects_by_kind.update(other.connects_by_kind)

    def add_posting(self, posting: Posting) -> None:
        """Count one posted member, its entries and their Connects."""
        if posting.posts(Kind.RENEWAL):
            self.renewed += 1
        elif posting.posts(Kind.LATE_RENEWAL):
            self.late += 1
        elif posting.applied:
            self.applied += 1
        elif posting.posts(Kind.EXPIRY):
            self.expired += 1
        else:
            self.skipped += 1
        for entry in posting.entries:
            self.entries_by_kind[entry.kind] += 1
            if entry.amount > 0:
                self.connects_by_kind[entry.kind] += entry.amount
            elif entry.kind is Kind.EXPIRY:
                self.connects_by_kind[Kind.EXPIRY] -= entry.amount

    def as_dict(self) -> dict[str, int]:
        """Return the counts that a run records, by name."""
        return {name: getattr(self, name) for name in RUN_COLUMNS}


@dataclass(slots=True)
class BatchResult:
    """
    What a batch did.

    *failures* are pairs of member and message. *locked* members were locked by others
    to the end: they stay due and are in no count. *postings* are those of this process.
    """

    counts: Counts = field(default_factory=Counts)
    failures: list[tuple[str, str]] = field(default_factory=list)
    locked: list[str] = field(default_factory=list)
    postings: list[Posting] = field(default_factory=list)

    def to_json(self) -> bytes:
        """Return the counts and failures as one line of JSON."""
        document = {"counts": self.counts, "failures": self.failures}
        return orjson.dumps(document, option=orjson.OPT_NON_STR_KEYS)

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> "BatchResult":
        """Return what to_json wrote; KeyError, TypeError or ValueError if invalid."""
        numbers = document["counts"]
        for name in ("entries_by_kind", "connects_by_kind"):
            numbers[name] = Counter(numbers[name])
        failures = [(member_id, text) for member_id, text in document["failures"]]
        return cls(Counts(**numbers), failures)
