"""Serves a worker's health and metrics over HTTP: /healthz, /readyz and /metrics."""

import socket
import threading
from collections.abc import Callable, Iterable
from http import HTTPStatus
from socketserver import TCPServer, ThreadingMixIn
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

import orjson
import psycopg
import structlog
from prometheus_client import make_wsgi_app

from renewer.errors import RenewerError
from renewer.host.database import MAY_NOT_POST, find_obstacles
from renewer.host.settings import OFF, read_address
from renewer.store.connection import Database, may_post, one_line
from renewer.worker.liveness import Pulse
from renewer.worker.metrics import Metrics

PATIENCE_S = 10.0
"""How long a client may take to send its request."""

NONE = "none"
"""What the row of a worker says when its address could not be had."""

log = structlog.get_logger()


class Monitor:
    """
    Answers at *address* until it is closed.

    *connect* opens a connection to look at the database with. Where nobody may listen,
    as when another worker does already, it warns and serves nothing.
    """

    def __init__(
        self,
        address: str,
        pulse: Pulse,
        metrics: Metrics,
        connect: Callable[[], Database],
    ) -> None:
        self._pulse = pulse
        self._connect = connect
        self._metrics = make_wsgi_app(metrics.registry)
        self._server: Server | None = None
        self.address = OFF
        if address != OFF:
            self.address = self._open(*read_address(address))

    def _open(self, host: str, port: int) -> str:
        """Listen, and return where; NONE when it cannot be done."""
        try:
            self._server = Server(host, port)
        except OSError as error:
            way_out = "free it, or set RENEWER_MONITOR"
            told = one_line(error)
            where = f"{host}:{port}"
            log.warning(
                "monitor.unavailable", address=where, error=told, way_out=way_out
            )
            return NONE
        self._server.set_app(self._answer)
        serving = threading.Thread(
            target=self._server.serve_forever, name="monitor", daemon=True
        )
        serving.start()
        shown = f"[{host}]" if ":" in host else host
        at = f"{shown}:{self._server.server_port}"
        log.info("monitor.started", address=at)
        return at

    def close(self) -> None:
        """Answer no more and give the address back."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()

    def _answer(self, environ: dict[str, Any], respond: Any) -> Iterable[bytes]:
        """Answer one request: the WSGI application."""
        path = environ["PATH_INFO"]
        if path == "/metrics":
            answer: Iterable[bytes] = self._metrics(environ, respond)
            return answer
        look = {"/healthz": self._pulse.find_problems, "/readyz": self._look_ready}
        if path not in look:
            return _respond(respond, HTTPStatus.NOT_FOUND, {"paths": PATHS})
        if environ["REQUEST_METHOD"] not in ("GET", "HEAD"):
            return _respond(respond, HTTPStatus.METHOD_NOT_ALLOWED, {"use": "GET"})
        problems = look[path]()
        status = HTTPStatus.SERVICE_UNAVAILABLE if problems else HTTPStatus.OK
        document = {"ok": not problems, "problems": problems}
        return _respond(respond, status, document)

    def _look_ready(self) -> list[str]:
        """Return what keeps a pass from working now."""
        try:
            with self._connect() as conn:
                obstacles = find_obstacles(conn)
                # Rights may be taken away while a worker runs.
                if not obstacles and not may_post(conn):
                    obstacles.append(MAY_NOT_POST)
                return obstacles
        except (psycopg.Error, RenewerError) as error:
            return [one_line(error)]


JSON = "application/json; charset=utf-8"
PATHS = ["/healthz", "/readyz", "/metrics"]


def _respond(respond: Any, status: HTTPStatus, document: Any) -> Iterable[bytes]:
    body = orjson.dumps(document) + b"\n"
    headers = [
        ("Content-Type", JSON),
        ("Content-Length", str(len(body))),
    ]
    respond(f"{status.value} {status.phrase}", headers)
    return [body]


class QuietHandler(WSGIRequestHandler):
    """Handles a request without a line in the log, and waits for no client for ever."""

    timeout = PATIENCE_S

    def log_message(self, *_: Any) -> None:
        """Say nothing: a probe every few seconds is no event."""


class Server(ThreadingMixIn, WSGIServer):
    """A thread a request, none of which keeps the process."""

    daemon_threads = True

    def __init__(self, host: str, port: int) -> None:
        if ":" in host:
            self.address_family = socket.AF_INET6
        super().__init__((host, port), QuietHandler)

    def server_bind(self) -> None:
        """Listen without asking a name server for this host's name."""
        TCPServer.server_bind(self)
        self.server_name, self.server_port = self.server_address[:2]  # type: ignore[assignment]
        self.setup_environ()

    def handle_error(self, *_: Any) -> None:
        """Say nothing of a client that left before its answer."""
