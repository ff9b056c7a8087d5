"""
Replace every routine after each `renewer migrate`.

In a transaction of its own, before the views: a view waits for its readers, and until
the routines are there a pass of the new release would call those of the old one.
"""

from yoyo import step

from renewer.store.queries import definitions

for definition in definitions("routines"):
    # Each file whole: the body of a routine is one statement, whatever it contains.
    step(definition)
