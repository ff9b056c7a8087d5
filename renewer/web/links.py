"""Signed links: who holds one may look at one member until it ends."""

from collections.abc import Sequence
from datetime import datetime
from urllib.parse import quote

import jwt

AUDIENCE = "renewer"
ALGORITHM = "HS256"
LONGEST_TOKEN = 4096


def sign(member_id: str, expires_at: datetime, key: str) -> str:
    """Return a token that opens *member_id* until *expires_at*."""
    claims = {"aud": AUDIENCE, "sub": member_id, "exp": expires_at}
    return jwt.encode(claims, key, algorithm=ALGORITHM)


def read_member(token: str, keys: Sequence[str]) -> str | None:
    """Return the member whom *token* opens; None when no key of ours signed it."""
    if len(token) > LONGEST_TOKEN:
        return None
    for key in keys:
        try:
            claims = jwt.decode(
                token,
                key,
                algorithms=[ALGORITHM],
                audience=AUDIENCE,
                options={"require": ["exp", "sub", "aud"]},
            )
        except (jwt.PyJWTError, ValueError):
            continue
        member_id: str = claims["sub"]
        return member_id
    return None


def segment(member_id: str) -> str:
    """Return a member's id as one segment of a path."""
    return quote(member_id, safe="")
