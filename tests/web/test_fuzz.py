"""The API of a real server, fuzzed against its own description."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from renewer.web.description import PATHS
from tests.e2e.test_web import serving
from tests.web.conftest import TOKEN

GONE = """
[[operations]]
include-path = "/api/events"
[operations.checks.positive_data_acceptance]
# A cursor is opaque: most texts that could be one are not known.
expected-statuses = ["2xx", 401, 403, 404, 410, 429, "5xx"]
"""
EXAMPLES, MANY = 10, 500
"""Requests of each kind and path; the long form is `pytest --long`."""


@pytest.mark.gate
@pytest.mark.timeout(1800)
@pytest.mark.parametrize(
    ("member_id", "token"),
    [("ana", None), ("held", TOKEN), (None, TOKEN)],
    ids=["open", "closed", "anybody"],
)
def test_the_api_does_what_its_description_says(
    marketplace: str,
    tmp_path: Path,
    pytestconfig: pytest.Config,
    member_id: str | None,
    token: str | None,
) -> None:
    """
    Every answer is described, no request fails the server, no credential is no entry.

    For a member there is, whose page goes deep, and for any id that can be made up;
    with --long for a member behind a token, too.
    """
    is_long = pytestconfig.getoption("--long")
    if member_id == "held" and not is_long:
        pytest.skip("with --long")
    config = tmp_path / "schemathesis.toml"
    named = "" if member_id is None else f'"path.member_id" = "{member_id}"'
    config.write_text(f"[parameters]\n{named}\n{GONE}")
    env = {} if token is None else {"RENEWER_WEB_TOKEN": token}
    header = [] if token is None else ["--header", f"Authorization: Bearer {token}"]
    examples = MANY if is_long else EXAMPLES
    with serving(marketplace, log=subprocess.DEVNULL, **env) as (url, _):
        done = subprocess.run(
            [
                str(Path(sys.executable).with_name("schemathesis")),
                f"--config-file={config}", "run", f"{url}/api/openapi.json",
                "--checks=all", f"--max-examples={examples}", "--seed=1",
                "--generation-database=none", "--no-color", *header,
            ],
            cwd=tmp_path, env=os.environ | {"PYTHONWARNINGS": "ignore"},
            capture_output=True, text=True, check=False,
        )  # fmt: skip
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    assert f"Tested: {len(PATHS)}\n" in done.stdout
