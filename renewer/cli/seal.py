"""The command `seal`: make later changes of the ledger noticeable."""

from renewer.answers.wording import many
from renewer.cli.options import Json
from renewer.cli.output import console, note, print_json, say
from renewer.host import database
from renewer.jobs.sealing import Sealed, end_batch, seal_ledger


def seal(json: Json = False) -> None:
    """
    Seal what was posted, so that a change of it is noticed, and print the head.

    Keep the head elsewhere: `renewer verify --seals --head` compares with it.
    """
    with database.connected(note) as (_, conn):
        end_batch(conn)
        done = seal_ledger(conn)
    if json:
        head = None
        if done.head is not None:
            head = {"number": done.head.mark.number, "hash": done.head.hash.hex()}
        print_json({"batches": done.batches, "entries": done.entries, "head": head})
    else:
        _print_sealed(done)


def _print_sealed(done: Sealed) -> None:
    told = "Nothing new to seal."
    if done.batches:
        batches = many(done.batches, "batch", "batches")
        told = f"Sealed {batches} with {many(done.entries, 'entry', 'entries')}."
    say(told)
    if done.head is not None:
        console().print(f"Head: {done.head.head}", soft_wrap=True)
