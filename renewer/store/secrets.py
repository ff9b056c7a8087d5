"""
Takes passwords out of what a driver says about an address.

An address that was mistyped is read in pieces, and any piece of its password may then
be taken for a host, a port or a database and be named in an error.
"""

import os
import re

SEPARATORS = re.compile(r"[:@/?&=#\s]+")
SHORT = 3
"""A piece shorter than this is hidden only where it stands in quotes."""


def hide_secrets(text: str, conninfo: str) -> str:
    """Return *text* without any piece of a password in *conninfo*."""
    for piece in sorted(_pieces(conninfo), key=len, reverse=True):
        if len(piece) >= SHORT:
            text = text.replace(piece, "***")
        else:
            text = text.replace(f'"{piece}"', '"***"').replace(f"'{piece}'", "'***'")
    return text


def _pieces(conninfo: str) -> set[str]:
    """Return the passwords of an address, whole and in the pieces it may be read as."""
    secrets = re.findall(r"(?:password|passwd|pwd)\s*=\s*'([^']*)'", conninfo, re.I)
    secrets += re.findall(r"(?:password|passwd|pwd)\s*=\s*([^\s&'#]+)", conninfo, re.I)
    # In a URL: from the first colon after the slashes to the last at-sign.
    _, _, rest = conninfo.partition("//")
    login, at, _ = rest.rpartition("@")
    if at:
        secrets.append(login.partition(":")[2])
    secrets.append(os.environ.get("PGPASSWORD", ""))
    pieces = set(secrets)
    for secret in secrets:
        pieces |= set(SEPARATORS.split(secret))
    return pieces - {""}
