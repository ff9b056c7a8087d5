"""Compares a database's schema with the one this release defines."""

from collections.abc import Iterator

from renewer.store.catalog import ROLES, read_catalog, read_description
from renewer.store.connection import Database

MIGRATE = "run `renewer migrate`"
MADE_ANEW = ("routine", "view")
"""Kinds that every `renewer migrate` makes anew from their files."""

NOTHING = "nothing"


def find_drift(conn: Database) -> Iterator[str]:
    """
    Yield what is not as this release defines it, one sentence with its way out each.

    Needs an open transaction. Every role that may connect may ask.
    """
    found, expected = read_catalog(conn), read_description()
    for thing in sorted(found.things.keys() | expected.things.keys()):
        now, due = found.things.get(thing), expected.things.get(thing)
        if now != due:
            yield from _tell_difference(thing, now, due)
        elif found.bodies.get(_name_of(thing)) != expected.bodies.get(_name_of(thing)):
            yield f"{thing} has another text than its file: {MIGRATE}"
    # A role that has nothing here is there for another database of the server.
    having = {grantee for here in found.privileges.values() for grantee in here}
    present = [role for role in ROLES if role in having]
    for name in sorted(found.privileges):
        here, due_here = found.privileges[name], expected.privileges.get(name, {})
        # A whole thing that is not renewer's is named already; a column is no thing.
        if due_here or name.startswith("column "):
            yield from _compare_own(name, here, due_here, ["owner", *present])
            yield from _compare_others(name, here, due_here, present)


def _name_of(thing: str) -> str:
    return thing.partition(" ")[2]


def _tell_difference(thing: str, now: str | None, due: str | None) -> Iterator[str]:
    """Yield how *thing* differs: it is missing, too much, or defined in another way."""
    kind = thing.partition(" ")[0]
    if due is None:
        yield f"{thing} is not renewer's: drop it"
    elif kind in MADE_ANEW:
        wrong = "is not this release's"
        if now is None:
            wrong = "is missing"
        yield f"{thing} {wrong}: {MIGRATE}"
    elif now is not None:
        yield f'{thing} is "{now}": make it "{due}" again'
    elif kind != "role":
        # Without renewer's roles a deployment has logins of its own.
        yield f'{thing} is missing: restore it as "{due}"'


def _compare_own(
    name: str, here: dict[str, str], due_here: dict[str, str], grantees: list[str]
) -> Iterator[str]:
    """Yield where the owner or one of renewer's roles has not just what is theirs."""
    for grantee in grantees:
        now, due = here.get(grantee, NOTHING), due_here.get(grantee, NOTHING)
        if now != due:
            yield (
                f"{grantee} may {now} on {name}, not {due}: "
                "`renewer migrate --roles`, or GRANT and REVOKE, put it right"
            )


def _compare_others(
    name: str, here: dict[str, str], due_here: dict[str, str], present: list[str]
) -> Iterator[str]:
    """
    Yield which others may more than one of renewer's roles does.

    What such a role has may be granted to a login itself: that is as if it were one of
    its members. Everybody (PUBLIC) has nothing, but before there are roles may call
    routines, as PostgreSQL has it.
    """
    for grantee in sorted(here.keys() - {"owner", *present}):
        granted = set(here[grantee].split(", "))
        if grantee == "PUBLIC":
            allowed = set() if present else {"EXECUTE"}
        else:
            roles = due_here.keys() - {"owner"}
            allowed = {each for role in roles for each in due_here[role].split(", ")}
        if granted - allowed:
            told = ", ".join(sorted(granted - allowed))
            yield f"{grantee} may {told} on {name}: REVOKE it"
