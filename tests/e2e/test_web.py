"""`renewer web` and `renewer link` as an operator uses them: real processes."""

import os
import re
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from renewer.store import migrations
from renewer.store.connection import connect
from tests.e2e.test_worker import soon
from tests.support import ROOT, bring_in, command, documents, load_plans

TOKEN, KEY = "operator-" + "t" * 32, "key-" + "k" * 32


@pytest.fixture
def readable(database: str) -> str:
    """A database with the roles and one member."""
    migrations.migrate(database, roles=True)
    with connect(database) as conn:
        load_plans(conn)
        bring_in(conn, ["ana,basic,2016-04-19,UTC,active,2"], "2016-05-01")
    return database


def free_port() -> int:
    with socket.socket() as here:
        here.bind(("127.0.0.1", 0))
        port: int = here.getsockname()[1]
        return port


@contextmanager
def serving(
    database: str, *arguments: str, log: int = subprocess.PIPE, **env: str
) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """Run the real server; yield where it is. A log nobody reads goes to DEVNULL."""
    port = free_port()
    process = subprocess.Popen(
        [sys.executable, "-m", "renewer", "web", "--port", str(port), *arguments],
        env=os.environ | {"RENEWER_DATABASE_URL": database} | env,
        cwd=ROOT, stderr=log, text=True,
    )  # fmt: skip
    url = f"http://127.0.0.1:{port}"
    try:
        assert soon(lambda: get(f"{url}/static/style.css") == 200)
        yield url, process
    finally:
        process.terminate()
        process.wait(30)


def get(url: str) -> int | None:
    """Return the status of an answer; None when there is none."""
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code
    except OSError:
        return None


def test_a_link_opens_the_page_and_no_log_holds_it(readable: str) -> None:
    """The command's address works as printed; SIGTERM ends the server in order."""
    keys = {"RENEWER_LINK_KEYS": KEY, "RENEWER_WEB_TOKEN": TOKEN}
    with serving(readable, **keys) as (url, process):
        env = keys | {"RENEWER_WEB_URL": url}
        told = documents(readable, "link", "ana", "--for", "15m", env=env)
        assert told["url"].startswith(f"{url}/members/ana?token=")
        assert get(told["url"]) == 200
        assert get(f"{url}/members/ana") == 401
        assert get(f"{url}/members/%2F%2e?token=x") == 401
        process.terminate()
        _, log = process.communicate(timeout=30)
    assert process.returncode == 0
    lines = re.findall(r'"page": "([^"]*)", "status": (\d+)', log)
    assert ("/members/{member_id}", "200") in lines
    token = told["url"].partition("token=")[2]
    assert [each for each in (token, token[:20], TOKEN, KEY) if each in log] == []


REFUSED = {
    "a short token": ({"RENEWER_WEB_TOKEN": "secret"}, [], "32 bytes"),
    "a short key": ({"RENEWER_LINK_KEYS": "secret," + KEY}, [], "32 bytes"),
    "beyond this machine": ({}, ["--host", "192.0.2.1"], "RENEWER_WEB_TOKEN"),
    "a brand that leads astray": (
        {"RENEWER_WEB_BRAND": "Shop,javascript:alert(1)"}, [], "address",
    ),
    "a prefix that is none": ({}, ["--root-path", "x"], "prefix"),
}  # fmt: skip


@pytest.mark.parametrize(("env", "arguments", "told"), REFUSED.values(), ids=REFUSED)
def test_what_would_not_be_safe_is_refused(
    readable: str, env: dict[str, str], arguments: list[str], told: str
) -> None:
    """One line, exit code 2, and no secret in it."""
    done = command(readable, "web", *arguments, env=env)
    assert (done.returncode, done.stdout) == (2, "")
    (line,) = done.stderr.splitlines()
    assert told in line
    assert "secret" not in line


@pytest.mark.parametrize("span", ["15", "0m", "m", "-1h", "1w", "999999d", "٣m"])
def test_a_link_needs_a_duration_and_a_member(readable: str, span: str) -> None:
    """Anything else is refused in one line."""
    env = {"RENEWER_LINK_KEYS": KEY}
    done = command(readable, "link", "ana", "--for", span, env=env)
    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1)


def test_a_link_is_made_for_a_known_member_and_with_a_key(readable: str) -> None:
    """Exit code 1 without the member, 2 without a key."""
    env = {"RENEWER_LINK_KEYS": KEY}
    assert command(readable, "link", "eve", "--for", "1h", env=env).returncode == 1
    done = command(readable, "link", "ana", "--for", "1h")
    assert (done.returncode, "RENEWER_LINK_KEYS" in done.stderr) == (2, True)


def test_a_login_that_may_not_read_is_told_the_grant(readable: str) -> None:
    """At the start, not on the first page."""
    name = "renewer_test_nobody"
    with psycopg.connect(readable, autocommit=True) as conn:
        conn.execute(f"DROP ROLE IF EXISTS {name}")
        conn.execute(f"CREATE ROLE {name} LOGIN")
        conn.execute(f"GRANT renewer_worker TO {name}")
    try:
        as_nobody = make_conninfo(readable, user=name)
        done = command(as_nobody, "web", "--port", str(free_port()))
    finally:
        with psycopg.connect(readable, autocommit=True) as conn:
            conn.execute(f"DROP ROLE {name}")
    told = f'GRANT renewer_read TO "{name}";'
    assert (done.returncode, told in done.stderr) == (2, True)
