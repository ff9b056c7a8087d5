"""
Output that may break without stopping the work behind it.

A reader that leaves, a full disk or a descriptor that was closed from the start is no
reason to lose a pass: what cannot be written is thrown away.
"""

import codecs
import io
import os
import select
import sys
from typing import TextIO


class Steady(io.RawIOBase):
    """Writes to a descriptor until it breaks, then nowhere."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._broken = False

    @property
    def is_broken(self) -> bool:
        """Whether what is written is thrown away."""
        return self._broken

    def writable(self) -> bool:
        """Whether it may be written to: always."""
        return True

    def fileno(self) -> int:
        """Return the descriptor."""
        return self._descriptor

    def isatty(self) -> bool:
        """Whether it is a terminal."""
        return os.isatty(self._descriptor)

    def write(self, chunk: bytes) -> int:  # type: ignore[override]
        """Write *chunk*, or throw it away once writing has failed."""
        while not self._broken:
            try:
                return os.write(self._descriptor, chunk)
            except BlockingIOError:
                # Another process that shares it has made it so: a reader who is slow
                # is waited for all the same.
                select.select([], [self._descriptor], [])
            except OSError:
                self._broken = True
        return len(chunk)


PLAIN = {"−": "-", "–": "-", "—": "-", "“": '"', "”": '"', "…": "...", "─": "-"}
"""What stands for a character that an output's encoding does not have."""


def _plain(error: UnicodeError) -> tuple[str, int]:
    """Return characters that every encoding has: a minus sign stays a minus sign."""
    assert isinstance(error, UnicodeEncodeError)
    lost = error.object[error.start : error.end]
    return "".join(PLAIN.get(each, "?") for each in lost), error.end


codecs.register_error("renewer.plain", _plain)


def steady_streams() -> None:
    """
    Make stdin, stdout and stderr of this process such that none of them can break it.

    A descriptor that is closed would be taken by the next file or connection, and what
    is printed would go there.
    """
    for descriptor in (0, 1, 2):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # the lowest free number, which is this one
    sys.stdout = _steady(1, sys.stdout)
    sys.stderr = _steady(2, sys.stderr)


def has_reader() -> bool:
    """Whether what is printed on stdout still goes anywhere."""
    raw = getattr(getattr(sys.stdout, "buffer", None), "raw", None)
    return not (isinstance(raw, Steady) and raw.is_broken)


def _steady(descriptor: int, stream: TextIO | None) -> io.TextIOWrapper:
    """Return a steady stream with the encoding of the one that Python opened."""
    buffered = io.BufferedWriter(Steady(descriptor))  # type: ignore[type-var]
    is_terminal = os.isatty(descriptor)
    return io.TextIOWrapper(
        buffered,
        encoding=getattr(stream, "encoding", None) or "utf-8",
        # A dash that a terminal cannot show is no reason to fail.
        errors="renewer.plain",
        line_buffering=is_terminal or descriptor == 2,
    )
