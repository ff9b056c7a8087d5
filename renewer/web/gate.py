"""What every request goes through: the host it asks for, headers, one line a log."""

import time
from collections.abc import Iterable
from typing import Any
from urllib.parse import urlsplit

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
HEADERS = (
    (b"content-security-policy", POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"cache-control", b"no-store"),
)
NO_REFERRER = "no-referrer"
LOCAL = ("localhost",)

log = structlog.get_logger()


class Gate:
    """
    Refuses hosts that are not ours, routes on the raw path, adds headers, and logs.

    A page of another site could otherwise read members through a browser that runs
    beside a server on loopback: under its own name, that it points to us.
    """

    def __init__(
        self,
        app: ASGIApp,
        hosts: Iterable[str],
        prefix: str,
        referrers: str = NO_REFERRER,
    ) -> None:
        self._app = app
        self._headers = (*HEADERS, (b"referrer-policy", referrers.encode()))
        self._hosts = {*LOCAL, *(host.lower() for host in hosts)}
        self._prefix = prefix

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began = time.monotonic()
        status = 0

        async def send_on(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = int(message["status"])
                message["headers"] = [*message["headers"], *self._headers]
            await send(message)

        if self._is_ours(scope):
            self._use_raw_path(scope)
            await self._app(scope, receive, send_on)
        else:
            await _refuse(send_on)
        # The pattern of the path: ids and tokens are nobody's business here.
        page = scope.get("page")
        seconds = round(time.monotonic() - began, 3)
        log.info("web.request_answered", page=page, status=status, seconds=seconds)

    def _is_ours(self, scope: Scope) -> bool:
        given = [value for name, value in scope["headers"] if name == b"host"]
        if len(given) != 1:
            return False
        try:
            host = urlsplit("//" + given[0].decode("ascii")).hostname
        except ValueError:
            return False
        bound = (scope.get("server") or ("",))[0]
        return host is not None and (host in self._hosts or host == bound)

    def _use_raw_path(self, scope: Scope) -> None:
        """Route on the path as it was sent: an id may hold an encoded slash."""
        path = scope["raw_path"].decode("ascii", "replace").partition("?")[0]
        if self._prefix and not path.startswith(self._prefix + "/"):
            # The proxy has taken the prefix away.
            path = self._prefix + path
        scope["path"], scope["root_path"] = path, self._prefix


async def _refuse(send: Any) -> None:
    body = b"This server does not answer for that host.\n"
    headers = [
        (b"content-type", b"text/plain; charset=utf-8"),
        (b"content-length", str(len(body)).encode()),
    ]
    await send({"type": "http.response.start", "status": 421, "headers": headers})
    await send({"type": "http.response.body", "body": body})
