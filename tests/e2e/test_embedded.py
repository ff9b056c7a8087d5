"""The embedded PostgreSQL as the command line uses it."""

import json
import os
import pwd
import signal
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.e2e.test_web import free_port, get
from tests.e2e.test_worker import soon
from tests.support import HEADER, MIGRATIONS, ROOT, quick_folder

UNCONFIGURED = {
    "RENEWER_DATABASE_URL",
    "PGHOST",
    "PGHOSTADDR",
    "PGSERVICE",
    "PGDATABASE",
}


@pytest.fixture
def folder() -> Iterator[Path]:
    """A data folder whose parents everybody may enter."""
    with tempfile.TemporaryDirectory(
        prefix="renewer-test-", dir=quick_folder()
    ) as made:
        path = Path(made)
        path.chmod(0o755)
        yield path / "data"


def start(
    folder: Path, *arguments: str, env: dict[str, str] | None = None, **more: object
) -> subprocess.Popen[str]:
    known = {
        name: value for name, value in os.environ.items() if name not in UNCONFIGURED
    }
    env = known | {"RENEWER_DATA_DIR": str(folder)} | (env or {})
    return subprocess.Popen(
        [sys.executable, "-m", "renewer", *arguments],
        env=env,
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **more,
    )


def finish(process: subprocess.Popen[str]) -> tuple[str, str]:
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    return out, err


def servers(folder: Path) -> list[psutil.Process]:
    """Return the PostgreSQL servers whose data are in *folder*."""
    found = []
    for process in psutil.process_iter(["name", "cmdline"]):
        if process.info["name"] == "postgres" and str(folder / "postgresql") in (
            process.info["cmdline"] or ()
        ):
            found.append(process)
    return found


def test_without_a_database_the_embedded_one_is_used_and_said(folder: Path) -> None:
    """It starts on demand, keeps its data and is gone when the command is."""
    _, err = finish(start(folder, "migrate"))
    assert err.splitlines() == [
        f"Using the embedded PostgreSQL in {folder} (made now, some seconds); "
        "set RENEWER_DATABASE_URL for another database."
    ]
    assert servers(folder) == []
    out, err = finish(start(folder, "plans", "load", "upwork-2016"))
    assert err.splitlines() == [
        f"Using the embedded PostgreSQL in {folder}; "
        "set RENEWER_DATABASE_URL for another database."
    ]
    assert out == "3 plan revisions loaded, 0 on record already.\n"
    out, _ = finish(start(folder, "plans", "list", "--json"))
    assert len(json.loads(out)) == 3


def test_two_processes_share_it(folder: Path) -> None:
    """Both may start it, and who leaves first does not take it from the other."""
    both = [start(folder, "migrate", "--json") for _ in range(2)]
    applied = sorted(len(json.loads(finish(process)[0])["applied"]) for process in both)
    assert applied == [0, len(MIGRATIONS)]
    assert servers(folder) == []


def test_a_killed_user_does_not_keep_it_alive(folder: Path) -> None:
    """The next process finds the server, the data and, when it leaves, nobody else."""
    finish(start(folder, "migrate"))
    worker = start(folder, "worker")
    assert worker.stderr is not None
    while "pass_finished" not in worker.stderr.readline():
        assert worker.poll() is None
    worker.send_signal(signal.SIGKILL)
    worker.communicate()
    assert len(servers(folder)) == 1
    finish(start(folder, "verify"))
    assert servers(folder) == []


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_it_works_as_a_plain_user_beside_root(folder: Path) -> None:
    """
    Root's and a user's databases are apart, and neither needs anything of the other.
    """
    user = pwd.getpwnam("nobody")
    theirs = folder.parent / "theirs"
    theirs.mkdir()
    os.chown(theirs, user.pw_uid, user.pw_gid)
    them = {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
    try:
        finish(start(theirs, "--version", **them))
    except PermissionError:
        pytest.skip("this Python is installed where other users may not go")
    finish(start(folder, "migrate"))
    finish(start(theirs, "migrate", **them))
    path = folder.parent / "members.csv"
    path.write_text(f"{HEADER}\nana,basic,2016-04-19,UTC,active,2\n")
    finish(start(theirs, "plans", "load", "upwork-2016", **them))
    out, _ = finish(start(theirs, "import", str(path), **them))
    assert out == "1 member imported.\n"


def test_the_demo_shows_every_scene_and_leaves_nothing_behind(folder: Path) -> None:
    """
    Its last line but one says that every invariant holds.

    Its server and its data are gone.
    """
    before = set(Path("/tmp").glob("renewer-*"))
    out, err = finish(start(folder, "demo"))
    assert err == ""
    assert (
        "Every invariant of the ledger was checked on all members: 0 violations." in out
    )
    assert [f"{number}." in out for number in range(1, 11)] == [True] * 10
    assert max(map(len, out.splitlines())) <= 80
    shown = (ROOT / "README.md").read_text().split("```")[1].strip().splitlines()
    assert [
        line
        for line in shown
        if line not in [printed.rstrip() for printed in out.splitlines()]
    ] == []
    added = set(Path("/tmp").glob("renewer-*")) - before
    assert [
        path for path in added if (path / "postgresql").exists() and not servers(path)
    ] == []
    assert not folder.exists()


def test_any_locale_works(folder: Path) -> None:
    """Also one that this machine does not have."""
    out, err = finish(start(folder, "migrate", env={"LC_ALL": "en_US.ISO-8859-1"}))
    applied = f"Applied {', '.join(MIGRATIONS)}."
    assert (" ".join(out.split()), len(err.splitlines())) == (applied, 1)


@pytest.mark.parametrize("name", ["", "postgresql", ".lock"])
def test_a_link_in_the_folder_is_not_followed(folder: Path, name: str) -> None:
    """Whoever planted it would be handed what it leads to."""
    elsewhere = folder.parent / "elsewhere"
    elsewhere.mkdir()
    if name:
        folder.mkdir()
    (folder / name).symlink_to(elsewhere)
    process = start(folder, "migrate")
    out, err = process.communicate(timeout=120)
    assert (process.returncode, out, len(err.splitlines())) == (3, "", 1)
    assert "which is a link: remove it" in err
    assert list(elsewhere.iterdir()) == []


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")
def test_a_folder_of_somebody_else_is_not_used(folder: Path) -> None:
    """They could put into it what they like."""
    folder.mkdir()
    os.chown(folder, pwd.getpwnam("nobody").pw_uid, -1)
    process = start(folder, "migrate")
    out, err = process.communicate(timeout=120)
    assert (process.returncode, out) == (3, "")
    assert "which belongs to somebody else: remove it" in err


def test_the_commands_of_the_readme_work_as_pasted(folder: Path) -> None:
    """In order, without activating anything; the worker apart, which goes on."""
    text = (ROOT / "README.md").read_text()
    section = text.split("## Use it on your own members")[1].split("\n## ")[0]
    lines = [line[4:] for line in section.splitlines() if line.startswith("    ")]
    assert lines.pop().startswith(".venv/bin/renewer worker ")
    place = folder.parent / "clone"
    (place / ".venv" / "bin").mkdir(parents=True)
    called = place / ".venv" / "bin" / "renewer"
    called.write_text(f'#!/bin/sh\nexec {sys.executable} -m renewer "$@"\n')
    called.chmod(0o755)
    env = {name: os.environ[name] for name in os.environ if name not in UNCONFIGURED}
    done = subprocess.run(
        ["bash", "-ec", "\n".join(lines)],
        check=False,
        capture_output=True,
        text=True,
        cwd=place,
        env=env | {"RENEWER_DATA_DIR": str(folder), "PYTHONPATH": str(ROOT)},
    )
    assert done.returncode == 0, done.stderr
    assert "2 members imported.\n" in done.stdout
    assert "2 members, counted at " in done.stdout
    assert "You get your next 100 Connects on" in done.stdout


def test_the_pages_of_the_demo_are_open_until_it_ends(folder: Path) -> None:
    """To this machine alone, whatever the environment opens; nothing is left behind."""
    port = free_port()
    opened = {
        "RENEWER_WEB_TOKEN": "t" * 32,
        "RENEWER_WEB_URL": "https://pay.example",
        "RENEWER_DATABASE_URL": "host=127.0.0.1 port=1",
    }
    process = start(folder, "demo", "--web", "--port", str(port), env=opened)
    assert process.stdout is not None
    url = f"http://127.0.0.1:{port}"
    assert process.stdout.readline() == f"Open {url}/demo – Ctrl-C ends the demo.\n"
    assert soon(lambda: get(f"{url}/demo") == 200)
    asked = urllib.request.Request(
        f"{url}/demo/hour", method="POST", headers={"Origin": url}
    )
    with urllib.request.urlopen(asked, timeout=30) as answer:
        assert "posted for 1 member" in answer.read().decode()
    process.send_signal(signal.SIGINT)
    finish(process)
    assert not folder.exists()
