"""The package as it is installed: sql/ is inside the wheel and found there."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.support import MIGRATIONS, ROOT, documents

pytestmark = pytest.mark.gate


def test_an_installed_wheel_brings_its_sql(tmp_path: Path, empty_database: str) -> None:
    """
    Built, installed away from the checkout and run there, it creates the schema from
    its own files.
    """
    build = [
        sys.executable,
        "-m",
        "build",
        "--wheel",
        "--no-isolation",
        "--outdir",
        str(tmp_path / "dist"),
        str(ROOT),
    ]
    subprocess.run(build, check=True, capture_output=True)
    (wheel,) = (tmp_path / "dist").glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    shipped = {
        str(path.relative_to(ROOT / "sql"))
        for path in (ROOT / "sql").rglob("*.*")
        if "__pycache__" not in str(path)
    }
    assert shipped <= {name.removeprefix("renewer/sql/") for name in names}
    assert "renewer/jobs/presets/upwork-2016.toml" in names
    installed = tmp_path / "installed"
    install = [
        sys.executable,
        "-m",
        "pip",
        "install",
        "-q",
        "--no-deps",
        "--no-index",
        "--target",
        str(installed),
        str(wheel),
    ]
    subprocess.run(install, check=True, capture_output=True)
    env = {"PYTHONPATH": str(installed)}
    ask = "from renewer.store.queries import sql_folder; print(sql_folder())"
    where = subprocess.run(
        [sys.executable, "-c", ask],
        env=os.environ | env,
        cwd=tmp_path,
        check=True,
        capture_output=True,
        text=True,
    )
    assert where.stdout.strip() == str(installed / "renewer" / "sql")
    assert (
        documents(empty_database, "migrate", env=env, cwd=tmp_path)["applied"]
        == MIGRATIONS
    )
    assert (
        documents(
            empty_database, "plans", "load", "upwork-2025", env=env, cwd=tmp_path
        )["loaded"]
        == 2
    )
