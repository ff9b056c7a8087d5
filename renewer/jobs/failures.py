"""
What a person does about a member who failed: try them again now, or set them aside.
"""

from renewer.errors import InputError, UnknownMember
from renewer.jobs.poster import LOCK_TIMEOUT_S
from renewer.store.batches import lock_member
from renewer.store.connection import Database
from renewer.store.members import find_members
from renewer.store.notifications import announce
from renewer.store.runs import find_failures, park_member, retry_member


def retry(conn: Database, member_id: str) -> None:
    """
    Let the next pass try *member_id* again, parked or not, and announce them.

    A worker that runs does it at once.
    """
    with conn.transaction():
        _lock(conn, member_id)
        retry_member(conn, member_id)
        announce(conn, member_id)


def park(conn: Database, member_id: str) -> None:
    """Leave *member_id* alone until `retry`: no pass takes them up."""
    with conn.transaction():
        _lock(conn, member_id)
        park_member(conn, member_id)


def _lock(conn: Database, member_id: str) -> None:
    """Lock the member's row; InputError when they have no failure on record."""
    if not find_members(conn, [member_id]):
        raise UnknownMember(f"unknown member {member_id!r}: check the name")
    lock_member(conn, member_id, LOCK_TIMEOUT_S)
    if not find_failures(conn, 1, member_id):
        raise InputError(
            f"member {member_id!r} has no failure on record: "
            "`renewer status` lists those who have"
        )
