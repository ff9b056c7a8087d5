"""Compares the ledger with its seals."""

from collections.abc import Iterator

from renewer.errors import InputError
from renewer.store.connection import Database
from renewer.store.feed import Seal, find_seals, seal_batch


class Chain:
    """The seals on record, and how far they were compared with the ledger."""

    def __init__(self, conn: Database, head: str | None = None) -> None:
        """*head* was kept elsewhere; InputError when it is none."""
        self._conn = conn
        self._kept = None if head is None else read_head(head)
        self.compared = 0
        self.entries = 0
        self.last: Seal | None = None

    def find_breaks(self) -> Iterator[str]:
        """Yield, a sentence each, which batches are not as they were sealed."""
        found = self._kept is None
        for seal in find_seals(self._conn):
            yield from self._compare(seal)
            if self._kept is not None and seal.mark.number == self._kept[0]:
                found = True
                if seal.hash.hex() != self._kept[1]:
                    yield f"{_name(seal)} is not the head that was kept elsewhere"
        if not found:
            assert self._kept is not None
            yield f"seal {self._kept[0]}, whose head was kept elsewhere, is missing"

    def _compare(self, seal: Seal) -> Iterator[str]:
        # From the seal before as it is on record: each batch is judged by itself.
        now = seal_batch(self._conn, self.last, seal.mark)
        if now.entries != seal.entries:
            yield (
                f"{_name(seal)}: entries were added or removed: {seal.entries} were "
                f"sealed, {now.entries} are there"
            )
        elif now.hash != seal.hash:
            yield f"{_name(seal)}: an entry, or a seal, was changed"
        self.compared += 1
        self.entries += now.entries
        self.last = seal


def read_head(text: str) -> tuple[int, str]:
    """Return number and hash of a head, NUMBER:HASH; InputError when it is none."""
    number, _, hashed = text.partition(":")
    if not (number.isascii() and number.isdigit() and len(hashed) == 64):
        raise InputError(
            f"--head {text!r} is no head: give NUMBER:HASH, as `renewer seal` printed"
        )
    return int(number), hashed.lower()


def _name(seal: Seal) -> str:
    mark = seal.mark
    return f"batch {mark.number} (tick of {mark.ticked_at:%Y-%m-%d %H:%M:%S} UTC)"
