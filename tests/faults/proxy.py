"""
A wire that can fail: a proxy in front of the server, on 127.0.0.1 or where it is told.

It passes bytes on until it is told to cut, to fall silent, or to judge each chunk.
"""

import contextlib
import socket
import struct
import threading
from collections.abc import Callable
from enum import Enum, auto
from typing import Self

from psycopg.conninfo import conninfo_to_dict, make_conninfo

READY = 6
"""Bytes of the message that ends an answer."""


class Verdict(Enum):
    """What becomes of a chunk."""

    PASS = auto()
    DROP = auto()
    CUT = auto()
    TWICE = auto()


class Link:
    """One client's connection through the proxy; *asked* is what the client sent."""

    def __init__(self, client: socket.socket, server: socket.socket | None) -> None:
        self.client = client
        self.server = server
        self.asked = b""
        self.is_open = True

    def reset(self) -> None:
        """Send a reset to the client, and close the server's end."""
        with contextlib.suppress(OSError):
            reset = struct.pack("ii", 1, 0)
            self.client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, reset)
        self.cut()

    def cut(self) -> None:
        """Close both ends."""
        self.is_open = False
        for each in (self.client, self.server):
            if each is not None:
                with contextlib.suppress(OSError):
                    each.shutdown(socket.SHUT_RDWR)
                each.close()


Judge = Callable[[Link, str, bytes], Verdict]
"""Judges a chunk that goes to the "server" or to the "client"."""


class Proxy:
    """
    Passes on between clients and the server of *conninfo*.

    While *silent* is set it takes what is sent and answers nothing, like a peer that
    is gone behind a firewall that is not; *judge* is asked about each chunk.
    """

    def __init__(self, conninfo: str, host: str = "127.0.0.1") -> None:
        self._upstream = conninfo_to_dict(conninfo)
        self._host = host
        self._listener = socket.create_server((host, 0))
        self.links: list[Link] = []
        self.silent = threading.Event()
        self.judge: Judge = lambda _link, _to, _chunk: Verdict.PASS
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Take no more connections, and close those there are."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.cut()

    @property
    def port(self) -> int:
        """Where it listens."""
        port: int = self._listener.getsockname()[1]
        return port

    def through(self, conninfo: str, **more: object) -> str:
        """Return *conninfo* with this wire to its server."""
        return make_conninfo(
            conninfo, host=self._host, port=str(self.port), sslmode="disable", **more
        )

    def cut(self) -> None:
        """Close every connection there is."""
        for link in self.links:
            link.cut()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            try:
                server = None if self.silent.is_set() else self._dial()
            except OSError:
                client.close()
                continue
            link = Link(client, server)
            self.links.append(link)
            self._start(link, client, server, "server")
            if server is not None:
                self._start(link, server, client, "client")

    def _start(
        self, link: Link, source: socket.socket, sink: socket.socket | None, to: str
    ) -> None:
        arguments = (link, source, sink, to)
        threading.Thread(target=self._pump, args=arguments, daemon=True).start()

    def _dial(self) -> socket.socket:
        host = str(self._upstream.get("host") or "/var/run/postgresql")
        port = int(self._upstream.get("port") or 5432)
        if not host.startswith("/"):
            return socket.create_connection((host, port))
        upstream = socket.socket(socket.AF_UNIX)
        try:
            upstream.connect(f"{host}/.s.PGSQL.{port}")
        except OSError:
            upstream.close()
            raise
        return upstream

    def _pump(
        self, link: Link, source: socket.socket, sink: socket.socket | None, to: str
    ) -> None:
        with contextlib.suppress(OSError):
            while chunk := source.recv(65536):
                if to == "server":
                    link.asked += chunk
                verdict = self.judge(link, to, chunk)
                if verdict is Verdict.CUT:
                    break
                if verdict is not Verdict.DROP and not self.silent.is_set():
                    if sink is None:
                        break
                    if verdict is Verdict.TWICE:
                        # All but its end, which says that the server is ready again.
                        sink.sendall(chunk[:-READY])
                    sink.sendall(chunk)
        if not self.silent.is_set():
            link.cut()
