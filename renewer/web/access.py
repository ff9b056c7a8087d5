"""Who may look at what: the operator, the holder of a member's link, or nobody."""

import base64
import hmac
import ipaddress
import time
from collections.abc import Sequence
from urllib.parse import urlsplit

from starlette.requests import Request

from renewer.errors import InputError
from renewer.rules.value import value
from renewer.web.links import read_member, segment

MOST_FAILURES = 30
"""Failed look-ups a minute and address; more are answered 429."""
WINDOW_S = 60.0
MOST_ADDRESSES = 10_000


@value
class Visitor:
    """
    Who asks: the operator, or the holder of a link for *member_id*, or neither.

    *token* is the link's, to be carried on by every link of the page.
    """

    is_operator: bool = False
    member_id: str | None = None
    token: str | None = None

    def may_see(self, member_id: str) -> bool:
        """Whether this visitor may look at a member."""
        return self.is_operator or self.member_id == member_id

    @property
    def own_path(self) -> str | None:
        """Return the address of all that the holder of a link may see."""
        return self.member_id and f"/members/{segment(self.member_id)}"

    @property
    def is_known(self) -> bool:
        """Whether a credential was shown that is good for something."""
        return self.is_operator or self.member_id is not None


@value
class Guard:
    """
    Tells visitors apart by the operator's *token* and the *keys* of members' links.

    Without either everybody who reaches the server is the operator: it is then bound
    to this machine alone.
    """

    token: str | None
    keys: Sequence[str]

    @property
    def is_open(self) -> bool:
        """Whether no credential is asked for."""
        return self.token is None and not self.keys

    def recognise(self, request: Request) -> Visitor:
        """Return who asks."""
        if self.is_open:
            return Visitor(is_operator=True)
        secret = _read_secret(request.headers.get("authorization", ""))
        if self.token is not None and secret is not None:
            same = hmac.compare_digest(secret.encode(), self.token.encode())
            if same:
                return Visitor(is_operator=True)
        for token in (request.query_params.get("token"), secret):
            member_id = read_member(token, self.keys) if token else None
            if member_id is not None:
                return Visitor(member_id=member_id, token=token)
        return Visitor()


def _read_secret(header: str) -> str | None:
    """Return what a header Authorization holds: a bearer's token or a password."""
    scheme, _, given = header.partition(" ")
    given = given.strip()
    if scheme.lower() == "bearer":
        return given
    if scheme.lower() != "basic":
        return None
    try:
        text = base64.b64decode(given, validate=True).decode()
    except ValueError:  # no ASCII, no base64, or no UTF-8 in it
        return None
    return text.partition(":")[2]


class Limit:
    """Counts failed look-ups by address, a minute at a time."""

    def __init__(self) -> None:
        self._began = time.monotonic()
        self._failures: dict[str, int] = {}

    def count(self, address: str) -> int | None:
        """Count a failure; return the seconds to wait when there were too many."""
        now = time.monotonic()
        # One who asks from ever new addresses must not fill the memory.
        crowded = len(self._failures) >= MOST_ADDRESSES
        if now - self._began >= WINDOW_S or crowded:
            self._began, self._failures = now, {}
        failures = self._failures.get(address, 0) + 1
        self._failures[address] = failures
        if failures <= MOST_FAILURES:
            return None
        return max(1, round(self._began + WINDOW_S - now))


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches *host*."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def check_exposure(host: str, url: str, guard: Guard) -> None:
    """InputError when pages would be open to others without any credential."""
    named = urlsplit(url).hostname or ""
    if not guard.is_open or (is_loopback(host) and is_loopback(named)):
        return
    raise InputError(
        "beyond this machine pages need a credential: set RENEWER_WEB_TOKEN for the "
        "operator or RENEWER_LINK_KEYS for members' links, 32 bytes at least"
    )
