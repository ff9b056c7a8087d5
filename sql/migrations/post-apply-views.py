"""Replace every view after each `renewer migrate`, once the routines are there."""

from pathlib import Path

from yoyo import step

for path in sorted((Path(__file__).parents[1] / "views").glob("*.sql")):
    step(path.read_text(encoding="utf-8"))
