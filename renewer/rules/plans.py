"""The rules of plans: which revision governs which day."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import field, fields
from datetime import date

from renewer.errors import PlanError
from renewer.rules.value import value

MOST_CONNECTS = 1_000_000
"""Largest allowance and cap: a larger one is a slip of the keyboard."""
MOST_MONTHS = 1200
"""Longest lifetime: a century."""


@value
class Rule:
    """
    What there is to know of one number that a plan rules, besides its value.

    *least* and *most* bound it. *unlimited* is the word for no limit: in a file it
    stands in place of a number. A rule with a *default* may be left out of a file.
    *label* and *unit* name it in lists.
    """

    label: str
    least: int
    most: int
    unlimited: str | None = None
    is_optional: bool = False
    unit: str = ""

    def show(self, number: int | None) -> str:
        """Return a value of the rule for a person."""
        if number is None:
            return self.unlimited or "—"
        return f"{number} {self.unit}".rstrip()


@value
class Revision:
    """
    A plan's rules from *effective_from* on; the fields with a Rule are the only list.

    A *rollover_cap* of None has no limit, 0 carries nothing. Without *lifetime_months*
    an allowance never lapses by itself.
    """

    code: str
    effective_from: date
    allowance: int = field(metadata={"rule": Rule("allowance", 0, MOST_CONNECTS)})
    rollover_cap: int | None = field(
        metadata={"rule": Rule("rollover cap", 0, MOST_CONNECTS, unlimited="unlimited")}
    )
    lifetime_months: int | None = field(
        default=None,
        metadata={
            "rule": Rule("lifetime", 1, MOST_MONTHS, is_optional=True, unit="months")
        },
    )

    @property
    def rules(self) -> dict[str, int | None]:
        """Return the numbers that the revision rules, by their names."""
        return {name: getattr(self, name) for name in RULES}


RULES: dict[str, Rule] = {
    each.name: each.metadata["rule"] for each in fields(Revision) if each.metadata
}
"""The rules of a plan by the names of their fields, in order."""


class Plans:
    """All revisions of all plans."""

    def __init__(self, revisions: Iterable[Revision]) -> None:
        self._revisions: dict[str, list[Revision]] = defaultdict(list)
        for revision in sorted(revisions, key=lambda each: each.effective_from):
            self._revisions[revision.code].append(revision)

    def __contains__(self, code: str) -> bool:
        return code in self._revisions

    def codes(self) -> list[str]:
        """Return the plans' codes in alphabetical order."""
        return sorted(self._revisions)

    def in_force(self, code: str, day: date) -> Revision:
        """Return the revision that governs *day*; PlanError when there is none."""
        found = None
        for revision in self._revisions.get(code, ()):
            if revision.effective_from > day:
                break
            found = revision
        if found is not None:
            return found
        if code not in self._revisions:
            raise PlanError(
                f"unknown plan {code!r}: load it with `renewer plans load`", plan=code
            )
        first = self._revisions[code][0].effective_from
        raise PlanError(
            f"plan {code!r} has no rules for {day}, only from {first} on: "
            "load an earlier revision",
            plan=code,
        )

    def after(self, code: str, day: date) -> list[Revision]:
        """Return the revisions that come into force after *day*, earliest first."""
        revisions = self._revisions.get(code, ())
        return [revision for revision in revisions if revision.effective_from > day]

    def first_known(self, code: str, day: date) -> Revision:
        """Return the revision that governs *day* or, before the first, the first."""
        revisions = self._revisions.get(code)
        if revisions and day < revisions[0].effective_from:
            return revisions[0]
        return self.in_force(code, day)
