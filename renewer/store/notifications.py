"""What is announced on channel renewer_due, and who hears it."""

from renewer.store.connection import Database
from renewer.store.queries import query


def listen(conn: Database) -> None:
    """Hear on *conn* what is announced from now on."""
    conn.execute(query("notifications/listen"))


def announce(conn: Database, payload: str) -> None:
    """Announce *payload*, a member who is due, to the workers that listen."""
    conn.execute(query("notifications/announce"), {"payload": payload})
