"""What the demo hands to its pages: a clock of its own, and what moves it on."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from psycopg.rows import DictRow

from renewer.rules.value import value


class Step(StrEnum):
    """How far a button moves the demo's clock."""

    HOUR = "hour"
    DAY = "day"
    BOUNDARY = "boundary"


@value
class Account:
    """
    What a step of the clock did.

    *passes* ran from *began_at* to *ended_at*. *lines* are what they posted for each
    member, as lines of a statement. *violations* are broken invariants of the ledger
    after them.
    """

    began_at: datetime
    ended_at: datetime
    passes: int
    lines: Mapping[str, Sequence[DictRow]]
    violations: int


class Stage(Protocol):
    """
    The demo behind its pages.

    The pages write nothing themselves: whoever starts them hands this in, and only the
    demo does, whose database is its own.
    """

    @property
    def now(self) -> datetime:
        """Return what the clock shows."""

    @property
    def account(self) -> Account | None:
        """Return what the last step did; None before the first."""

    @property
    def stories(self) -> Mapping[str, str]:
        """Return who takes part, and what each of them shows."""

    def advance(self, step: Step) -> None:
        """Move the clock on and run the passes up to then."""
