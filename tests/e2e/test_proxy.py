"""The pages behind a real nginx, as deploy/ sets both up."""

import os
import re
import shutil
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import yaml

from renewer.store import migrations
from renewer.store.connection import Database
from tests.e2e.test_web import KEY, TOKEN, free_port, serving
from tests.e2e.test_worker import soon
from tests.support import ROOT, bring_in, documents, load_plans

DEPLOY = ROOT / "deploy"
NGINX = shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin")
HOST = "pages.example.org"
SETTINGS = {
    "RENEWER_WEB_TOKEN": TOKEN,
    "RENEWER_LINK_KEYS": KEY,
    "RENEWER_WEB_URL": f"http://{HOST}/connects",
}
ME = {"Authorization": f"Bearer {TOKEN}"}


@contextmanager
def proxied(folder: Path, behind: str) -> Iterator[str]:
    """Run nginx with the snippet of deploy/ before the server at *behind*."""
    assert NGINX is not None
    port = free_port()
    snippet = (DEPLOY / "nginx.conf").read_text()
    assert snippet.count("http://127.0.0.1:8465;") == 1
    snippet = snippet.replace("http://127.0.0.1:8465", behind)
    snippet = snippet.replace("/var/log/nginx", str(folder))
    paths = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    config = folder / "nginx.conf"
    config.write_text(
        # As root it would take another user, who may not look into the folder.
        ("user root;\n" if os.geteuid() == 0 else "")
        + f"daemon off; pid {folder}/pid; error_log {folder}/error.log;\n"
        "events {}\n"
        "http {\n"
        + "".join(f"{path}_temp_path {folder}/{path};\n" for path in paths)
        + f"access_log {folder}/access.log;\n"
        f"server {{ listen 127.0.0.1:{port}; {snippet} }}\n}}\n"
    )
    asked = [NGINX, "-p", str(folder), "-c", str(config)]
    checked = subprocess.run([*asked, "-t"], check=False, capture_output=True)
    assert checked.returncode == 0, checked.stderr
    process = subprocess.Popen(asked, stderr=subprocess.DEVNULL)
    url = f"http://127.0.0.1:{port}/connects"
    try:
        assert soon(lambda: ask(f"{url}/static/style.css")[0] == 200)
        yield url
    finally:
        process.terminate()
        process.wait(30)


def ask(url: str, host: str = HOST, **headers: str) -> tuple[int | None, str]:
    """Return status and text of an answer; no status when there is none."""
    request = urllib.request.Request(url, headers={"Host": host} | headers)
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return int(answer.status), answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()
    except OSError:
        return None, ""


@pytest.mark.skipif(NGINX is None, reason="Debian's package nginx-light is missing")
def test_the_pages_work_behind_the_proxy_of_deploy(
    database: str, conn: Database, tmp_path: Path
) -> None:
    """Links, names with a slash, the host, whose address counts, and what is logged."""
    migrations.migrate(database, roles=True)
    load_plans(conn)
    bring_in(conn, ["ana,basic,2016-04-19", "a/b,basic,2016-04-19"], "2016-05-01")
    unit = (DEPLOY / "renewer-web.service").read_text()
    line = re.search(r"^ExecStart=\S+ web (.+)$", unit, re.M)
    assert line is not None
    with serving(database, *line[1].split(), **SETTINGS) as (behind, process):
        with proxied(tmp_path, behind) as url:
            status, page = ask(f"{url}/", **ME)
            assert status == 200
            links = set(re.findall(r'(?:href|src)="(/[^"]*)"', page))
            assert links
            assert [each for each in links if not each.startswith("/connects/")] == []
            assert ask(f"{url}/members/a%2Fb", **ME)[0] == 200
            assert ask(f"{url}/api/status", **ME)[0] == 200
            assert ask(f"{url}/", "evil.example.net", **ME)[0] == 421
            link = documents(database, "link", "ana", "--for", "15m", env=SETTINGS)
            assert link["url"].startswith(f"http://{HOST}/connects/members/ana?token=")
            there = link["url"].replace(f"http://{HOST}/connects", url)
            assert ask(there)[0] == 200
            # An address that a visitor makes up is not theirs: they are counted as one.
            refused = [
                ask(f"{url}/members/ana", **{"X-Forwarded-For": f"198.51.100.{n}"})[0]
                for n in range(31)
            ]
            assert (refused[0], refused[-1]) == (401, 429)
        process.terminate()
        _, log = process.communicate(timeout=30)
    token = link["url"].partition("token=")[2]
    written = [log, *(path.read_text() for path in tmp_path.glob("*.log"))]
    assert [each for each in written if token in each] == []


def test_the_pages_of_a_pod_answer_its_probes_and_its_ingress(
    database: str, conn: Database
) -> None:
    """With the arguments of the manifest: under each name, and under no other."""
    migrations.migrate(database, roles=True)
    load_plans(conn)
    manifest = yaml.safe_load((DEPLOY / "kubernetes/web/web.yaml").read_text())
    (container,) = manifest["spec"]["template"]["spec"]["containers"]
    command, *arguments = container["args"]
    assert command == "web"
    with serving(database, *arguments, **SETTINGS) as (url, process):
        for name in ("livenessProbe", "readinessProbe"):
            probe = container[name]["httpGet"]
            (header,) = probe["httpHeaders"]
            assert header["name"] == "Host"
            assert ask(url + probe["path"], header["value"])[0] == 200
        assert ask(f"{url}/connects/", **ME)[0] == 200
        assert ask(f"{url}/connects/", "evil.example.net", **ME)[0] == 421
        process.terminate()
        process.communicate(timeout=30)


def test_one_address_is_told_from_another_behind_the_proxy(
    database: str, conn: Database
) -> None:
    """Of who is named; of anybody else the header says nothing."""
    migrations.migrate(database, roles=True)
    load_plans(conn)
    for proxy, last in (("127.0.0.1", 401), ("192.0.2.7", 429)):
        with serving(database, "--proxy", proxy, **SETTINGS) as (url, process):
            for n in range(31):
                forwarded = {"X-Forwarded-For": f"198.51.100.{n}"}
                status, _ = ask(f"{url}/members/ana", **forwarded)
            process.terminate()
            process.communicate(timeout=30)
        assert status == last
