"""What deploy/ holds is what the tools it is for accept."""

import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tomllib
from pathlib import Path

import pytest

from tests.support import ROOT

DEPLOY = ROOT / "deploy"
SCRIPTS = Path(sysconfig.get_path("scripts"))
MANIFESTS = sorted(
    path
    for path in (DEPLOY / "kubernetes").rglob("*.yaml")
    if path.name != "kustomization.yaml"
)


def run(*command: str | Path, **more: object) -> subprocess.CompletedProcess[str]:
    """Run a tool and return what it said."""
    return subprocess.run(
        list(map(str, command)),
        check=False,
        capture_output=True,
        text=True,
        **more,  # type: ignore[call-overload]
    )


def find_script(name: str) -> Path:
    """Return a program that a package of the extra `deploy` installs; skip without."""
    path = SCRIPTS / name
    if not path.exists():
        pytest.skip("the extra `deploy` is missing")
    return path


def test_the_image_is_built_as_its_linter_wants() -> None:
    """Without a warning."""
    done = run(find_script("hadolint"), DEPLOY / "Dockerfile")
    assert (done.returncode, done.stdout) == (0, "")


@pytest.mark.parametrize("path", MANIFESTS, ids=lambda path: path.stem)
def test_a_manifest_is_valid(path: Path) -> None:
    """For the schemas of Kubernetes, unknown fields refused."""
    done = run(find_script("kubernetes-validate"), "--strict", path)
    assert done.returncode == 0, done.stderr


def test_every_manifest_is_applied() -> None:
    """Each is named by the kustomization beside it."""
    for path in MANIFESTS:
        assert f"  - {path.name}\n" in (path.parent / "kustomization.yaml").read_text()


def names(requirements: list[str]) -> set[str]:
    """Return the packages that *requirements* name, spelled as in a lock."""
    found = (re.match(r"[\w.-]+", line) for line in requirements)
    return {re.sub(r"[-_.]+", "-", each[0].lower()) for each in found if each}


def test_the_lock_holds_what_the_project_needs() -> None:
    """Every dependency, each with a hash, and no address of a registry."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    text = (DEPLOY / "requirements.lock").read_text()
    pinned = re.findall(r"^([^\s=\[]+).*==\S+ \\\n    --hash=sha256:", text, re.M)
    needed = project["dependencies"] + project["optional-dependencies"]["web"]
    assert names(needed) <= names(pinned)
    assert len(pinned) == len(re.findall(r"^\S+==", text, re.M))
    for lock in DEPLOY.glob("*.lock"):
        assert "://" not in lock.read_text()


@pytest.mark.parametrize("name", sorted(path.name for path in DEPLOY.glob("*.service")))
@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="no systemd here")
def test_a_service_is_as_closed_as_it_says(name: str) -> None:
    """Its file names the exposure that systemd computes, which is at most 1.5."""
    path = DEPLOY / name
    done = run("systemd-analyze", "security", "--offline=true", path)
    found = re.search(r"Overall exposure level for \S+: ([\d.]+)", done.stdout)
    assert found is not None, done.stderr
    assert f"exposure {found[1]} " in path.read_text()
    assert float(found[1]) <= 1.5


def test_the_line_for_cron_keeps_the_exit_code_and_the_password(tmp_path: Path) -> None:
    """A dollar sign is passed on, and a server that is away is still exit code 3."""
    text = (DEPLOY / "crontab").read_text()
    variable, line = text.splitlines()[-2:]
    assert variable.startswith("RENEWER_DATABASE_URL=")
    shell = re.search(r"^SHELL=(.*)$", text, re.M)
    assert shell is not None
    command = line.split("renewer ", 1)[1]
    shown = tmp_path / "address"
    job = tmp_path / "job"
    job.write_text(
        f'#!/bin/sh\nprintf %s "$RENEWER_DATABASE_URL" > {shown}\n'
        f'exec {sys.executable} -m renewer "$@"\n'
    )
    job.chmod(0o755)
    command = command.replace("/opt/renewer/.venv/bin/renewer", str(job))
    command = command.replace("logger -t renewer", "cat")
    address = "postgresql://u:a$HOME%22b@127.0.0.1:1/d"
    env = os.environ | {"RENEWER_DATABASE_URL": address}
    done = run(shell[1], "-c", command, env=env)
    assert done.returncode == 3
    assert shown.read_text() == address
    assert "$HOME" not in done.stdout
