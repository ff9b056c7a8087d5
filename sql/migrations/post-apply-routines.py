"""Replace every routine and view after each `renewer migrate`, routines first."""

from pathlib import Path

from yoyo import step

SQL = Path(__file__).parent.parent


def replace_routines(connection):
    """Run each file whole: a routine's body is one statement, whatever stands in it."""
    with connection.cursor() as cursor:
        for path in [
            *sorted((SQL / "routines").rglob("*.sql")),
            *sorted((SQL / "views").glob("*.sql")),
        ]:
            cursor.execute(path.read_text(encoding="utf-8"))


step(replace_routines)
