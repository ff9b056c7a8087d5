"""
The few errors an operator can act on; each message says what is wrong and what to do.
"""


class RenewerError(Exception):
    """
    Something an operator can act on; *exit_code* is what the command line leaves with.

    *plan* or *timezone* is what could not be resolved, when that is what is wrong:
    nobody parses the message for it.
    """

    exit_code = 2

    def __init__(
        self, message: str, *, plan: str | None = None, timezone: str | None = None
    ) -> None:
        super().__init__(message)
        self.plan = plan
        self.timezone = timezone


class InputError(RenewerError):
    """What was given (a file, a date, a member, a zone) cannot be used as it is."""


class UnknownMember(RenewerError):
    """Nobody has the member_id that was given."""

    exit_code = 1


class PlanError(RenewerError):
    """
    A plan has no rules for a day, or a revision contradicts one that is on record.
    """


class UnknownCursor(RenewerError):
    """
    A place in the feed of events that this server does not know.

    The ledger was moved, or this server lost what the reader saw.
    """


class SchemaError(RenewerError):
    """The database's schema is not the one this version works with."""


class DatabaseUnreachable(RenewerError):
    """No database answers where one was expected."""

    exit_code = 3


class NodeAway(DatabaseUnreachable):
    """A node of a cluster does not answer; who lies on the others can be renewed."""
