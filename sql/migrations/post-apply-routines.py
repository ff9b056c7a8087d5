"""
Replace every routine after each `renewer migrate`.

In a transaction of its own: a view waits for who reads it, and until the routines are
there a pass of the new release would call those of the old one.
"""

from pathlib import Path

from yoyo import step

for path in sorted((Path(__file__).parents[1] / "routines").rglob("*.sql")):
    # Each file whole: a routine's body is one statement, whatever stands in it.
    step(path.read_text(encoding="utf-8"))
