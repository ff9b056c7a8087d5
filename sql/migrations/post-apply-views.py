"""Replace every view after each `renewer migrate`, once the routines are there."""

from yoyo import step

from renewer.store.queries import definitions

for definition in definitions("views"):
    step(definition)
