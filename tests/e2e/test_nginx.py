"""The pages behind a real nginx, set up as deploy/nginx.conf says."""

import shutil
import subprocess
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.error import HTTPError

import pytest

from renewer import store
from renewer.store import migrations
from tests.e2e.test_web import KEY, TOKEN, free_port, get, serving
from tests.e2e.test_worker import soon
from tests.support import ROOT, bring_in, documents, load_plans

NGINX = shutil.which("nginx", path="/usr/sbin:/usr/bin:/usr/local/bin")
OURS = "http://127.0.0.1:8465"

pytestmark = pytest.mark.skipif(NGINX is None, reason="nginx is not installed")


@contextmanager
def in_front(url: str, folder: Path) -> Iterator[str]:
    """Run nginx in front of the pages at *url*; yield where they are then."""
    assert NGINX is not None
    port = free_port()
    snippet = (ROOT / "deploy" / "nginx.conf").read_text()
    assert OURS in snippet
    names = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    paths = "".join(f"{name}_temp_path {folder}/{name};" for name in names)
    config = folder / "nginx.conf"
    config.write_text(
        f"daemon off; pid {folder}/pid; error_log {folder}/error;"
        f"events {{}} http {{ {paths} access_log {folder}/access;"
        f"server {{ listen 127.0.0.1:{port};\n{snippet.replace(OURS, url)}\n}} }}"
    )
    command = [NGINX, "-p", str(folder), "-c", str(config)]
    process = subprocess.Popen([*command, "-e", f"{folder}/error"])
    there = f"http://127.0.0.1:{port}/connects"
    try:
        assert soon(lambda: get(f"{there}/static/style.css") == 200)
        yield there
    finally:
        process.terminate()
        process.wait(30)


def fetch(url: str, forwarded: str = "") -> tuple[int, str]:
    """Return status and text of an answer to one who forges a header."""
    headers = {"X-Forwarded-For": forwarded} if forwarded else {}
    try:
        asked = urllib.request.Request(url, headers=headers)
        with urllib.request.urlopen(asked, timeout=10) as answer:
            return answer.status, answer.read().decode()
    except HTTPError as error:
        with error:
            return error.code, error.read().decode()


def test_the_pages_work_behind_nginx(database: str, tmp_path: Path) -> None:
    """An id arrives as it was sent, no log holds a token, no address is forged."""
    migrations.migrate(database, roles=True)
    with store.connect(database) as conn:
        load_plans(conn)
        bring_in(conn, ["a/b,basic,2016-04-19,UTC,active,2"], "2016-05-01")
    env = {"RENEWER_LINK_KEYS": KEY, "RENEWER_WEB_TOKEN": TOKEN}
    arguments = ("--root-path", "/connects", "--proxy", "127.0.0.1")
    with (
        serving(database, *arguments, log=subprocess.DEVNULL, **env) as (url, _),
        in_front(url, tmp_path) as outside,
    ):
        told = documents(
            database,
            "link",
            "a/b",
            "--for",
            "15m",
            env=env | {"RENEWER_WEB_URL": outside},
        )
        status, page = fetch(told["url"])
        token = told["url"].partition("token=")[2]
        assert status == 200
        assert f'href="/connects/members/a%2Fb/help?token={token}"' in page
        assert fetch(told["url"].replace("?", "/help?"))[0] == 200
        answers = [
            fetch(f"{outside}/members/x", f"203.0.113.{n}")[0] for n in range(31)
        ]
        assert answers == [401] * 30 + [429]
    logs = (tmp_path / "access").read_text() + (tmp_path / "error").read_text()
    assert token not in logs
