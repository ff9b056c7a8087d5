"""The command line as it is measured: what it prints, and what memory it took."""

import json
import os
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from tests.support import ROOT

DRIVER = """
import atexit, pathlib, re, sys

def tell(path=sys.argv.pop(1)):
    status = pathlib.Path("/proc/self/status").read_text()
    pathlib.Path(path).write_text(re.search(r"VmHWM:\\s+(\\d+)", status)[1])

atexit.register(tell)
from renewer.cli import main
main()
"""
"""
The command line, which tells what it took at the most. What the system tells of a
process that has ended counts in the one it was forked from.
"""


def environment(conninfo: str, **more: str) -> dict[str, str]:
    """Return the environment of a command on a database; *more* are settings."""
    return os.environ | {"RENEWER_DATABASE_URL": conninfo, "NO_COLOR": "1"} | more


class Command:
    """A command that runs beside what its caller does."""

    def __init__(self, conninfo: str, *arguments: str, **settings: str) -> None:
        self._folder = TemporaryDirectory()
        self._peak = Path(self._folder.name) / "peak"
        self._out = (Path(self._folder.name) / "out").open("w+")
        self.process = subprocess.Popen(
            [sys.executable, "-c", DRIVER, str(self._peak), *arguments],
            env=environment(conninfo, **settings), cwd=ROOT,
            stdout=self._out, stderr=subprocess.PIPE,
        )  # fmt: skip

    def end(self) -> tuple[str, int]:
        """Wait for the end; return what was printed, and kilobytes at the most."""
        _, told = self.process.communicate()
        assert self.process.returncode in (0, 1), told.decode()[-2000:]
        self._out.seek(0)
        printed, peak_kb = self._out.read(), int(self._peak.read_text())
        self._out.close()
        self._folder.cleanup()
        return printed, peak_kb


class Measured:
    """The command line on a database; *peak_kb* is the most a process of it took."""

    def __init__(self, conninfo: str, **settings: str) -> None:
        self.conninfo = conninfo
        self._settings = settings
        self.peak_kb = 0

    def run(self, *arguments: str) -> str:
        """Run a command to its end; return what it prints."""
        printed, peak_kb = Command(self.conninfo, *arguments, **self._settings).end()
        self.peak_kb = max(self.peak_kb, peak_kb)
        return printed

    def read(self, *arguments: str) -> Any:
        """Run a command with --json; return its document."""
        return json.loads(self.run(*arguments, "--json"))
