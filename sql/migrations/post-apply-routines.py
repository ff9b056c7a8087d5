"""
Replace every routine after each `renewer migrate`.

In a transaction of its own: a view waits for who reads it, and until the routines are
there a pass of the new release would call those of the old one.
"""

from pathlib import Path

from yoyo import step

ROUTINES = Path(__file__).parent.parent / "routines"


def replace_routines(connection):
    """Run each file whole: a routine's body is one statement, whatever stands in it."""
    with connection.cursor() as cursor:
        for path in sorted(ROUTINES.rglob("*.sql")):
            cursor.execute(path.read_text(encoding="utf-8"))


step(replace_routines)
