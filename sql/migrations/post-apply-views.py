"""Replace every view after each `renewer migrate`, once the routines are there."""

from pathlib import Path

from yoyo import step

VIEWS = Path(__file__).parent.parent / "views"


def replace_views(connection):
    """Run each file."""
    with connection.cursor() as cursor:
        for path in sorted(VIEWS.glob("*.sql")):
            cursor.execute(path.read_text(encoding="utf-8"))


step(replace_views)
