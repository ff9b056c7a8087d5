"""The alerts fire for what really happened, and name only metrics that there are."""

import json
import re
import shutil
import subprocess
import time
import urllib.error
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from renewer.store.connection import Database, connect
from renewer.store.runs import find_runs
from renewer.store.watch import find_census, find_passes
from tests.e2e.test_monitor import address_of, samples, scrape, started
from tests.e2e.test_worker import soon, wait_for
from tests.support import ROOT, bring_in, command, load_plans

DEPLOY = ROOT / "deploy"
RULES = (DEPLOY / "alerts.yml").read_text()
ALERTS = re.findall(r"alert: (\w+)", RULES)
needs_promtool = pytest.mark.skipif(
    shutil.which("promtool") is None, reason="Debian's package prometheus is missing"
)


@needs_promtool
def test_each_rule_fires_for_one_series_and_not_for_another() -> None:
    """Promtool reads the rules and finds each alert as the file of tests has it."""
    for what, file in (("check", "alerts.yml"), ("test", "alerts_test.yml")):
        asked = ["promtool", what, "rules", file]
        done = subprocess.run(asked, cwd=DEPLOY, check=False, capture_output=True)
        assert done.returncode == 0, done.stdout + done.stderr
    text = (DEPLOY / "alerts_test.yml").read_text()
    assert set(re.findall(r"alertname: (\w+)", text)) == set(ALERTS)


def test_each_alert_has_its_entry_in_the_runbook() -> None:
    """What it means, how to look, what to do, how to know it is over; in its order."""
    entries = (DEPLOY / "alerts.md").read_text().split("\n## ")[1:]
    assert [entry.splitlines()[0] for entry in entries] == ALERTS
    for entry in entries:
        said = re.findall(r"^- \*\*(.+):\*\*", entry, re.M)
        assert said == ["It means", "Look", "Do", "It is over when"]


def test_what_is_told_and_shown_is_what_a_worker_exports(
    database: str, conn: Database
) -> None:
    """No rule, panel or runbook names a metric that is not there."""
    json.loads((DEPLOY / "dashboard.json").read_text())
    with started(database) as process:
        text = scrape(address_of(process))
    exported = set(re.findall(r"^# TYPE (\w+)", text, re.M))
    exported |= {f"{name}_bucket" for name in exported}
    for file in ("alerts.yml", "alerts_test.yml", "alerts.md", "dashboard.json"):
        named = set(re.findall(r"\brenewer_\w+", (DEPLOY / file).read_text()))
        assert named
        assert named - exported == set(), file


AT_S = 4 * 3600
"""When the rules are asked, after what was scraped has stayed so all the time."""


def move(series: dict[str, float], now: float) -> dict[str, float]:
    """Return *series* as if *now* were AT_S: a test of rules begins at 1970."""
    moved = {}
    for name, value in series.items():
        # 0 stands for never. What is longer ago than the beginning was then.
        is_time = "_timestamp_seconds" in name and value > 0
        moved[name] = max(value - now + AT_S, 1) if is_time else value
    return moved


def ask_rules(
    folder: Path,
    series: dict[str, float],
    expected: set[str],
    now: float | None = None,
) -> str:
    """
    Return what promtool says when not exactly the *expected* alerts fire.

    They are asked as of *now*, the series as they are all the time until then.
    """
    inputs = []
    for name, value in move(series, now or time.time()).items():
        metric, _, labels = name.partition("{")
        more = f", {labels}" if labels else "}"
        named = f'{metric}{{job="renewer", instance="a"{more}'
        inputs.append({"series": named, "values": f"{value:f}x300"})
    firing = [
        {"labels": f'{{alertname="{alert}"}}', "value": 1} for alert in sorted(expected)
    ]
    expr = 'count by (alertname) (ALERTS{alertstate="firing"})'
    asked = {"expr": expr, "eval_time": f"{AT_S}s", "exp_samples": firing}
    test = {"interval": "1m", "input_series": inputs, "promql_expr_test": [asked]}
    file = folder / "test.yml"
    rules = [str(DEPLOY / "alerts.yml")]
    file.write_text(json.dumps({"rule_files": rules, "tests": [test]}))
    done = subprocess.run(
        ["promtool", "test", "rules", str(file)],
        check=False, capture_output=True, text=True,
    )  # fmt: skip
    return "" if done.returncode == 0 else done.stdout + done.stderr


NOWHERE = "postgresql://nobody@127.0.0.1:1/none"
CAUSES = {
    "nothing": (set(), {}),
    "poison member": ({"RenewerFailuresOpen"}, {}),
    "poison plan": ({"RenewerFailuresOpen", "RenewerFailuresJump"}, {}),
    "dead worker": ({"RenewerWorkerDead"}, {}),
    "broken invariant": ({"RenewerInvariantBroken"}, {}),
    "deaf listener": ({"RenewerListenerDeaf"}, {"RENEWER_LISTEN_URL": NOWHERE}),
    "database away": (
        {"RenewerAbsent", "RenewerListenerDeaf"},
        {"RENEWER_DATABASE_URL": NOWHERE},
    ),
    "skewed clock": ({"RenewerClockSkew"}, {"FAKETIME": "+5m"}),
}
DEAD_WORKER = (
    "INSERT INTO renewer.worker "
    "(host, process, version, monitor, hearing, started_at, seen_at) "
    "VALUES ('app-2', 7, '0.1.0', 'off', true, now(), now() - interval '181 seconds')"
)
LIBRARY = next(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"), None)


@needs_promtool
@pytest.mark.parametrize("cause", CAUSES)
def test_an_alert_fires_for_its_cause_and_no_other_does(
    database: str, conn: Database, tmp_path: Path, cause: str
) -> None:
    """A real worker meets the cause; its real metrics go through the rules."""
    expected, env = CAUSES[cause]
    if "FAKETIME" in env:
        if LIBRARY is None:
            pytest.skip("Debian's package faketime is missing")
        env = env | {"LD_PRELOAD": str(LIBRARY), "FAKETIME_DONT_FAKE_MONOTONIC": "1"}
    load_plans(conn)
    # A jump takes more than fifty.
    names = [f"m{n}" for n in range(51)] if cause == "poison plan" else ["ana"]
    lines = [f"{name},basic,2016-04-19,UTC,active,2" for name in names]
    bring_in(conn, lines, "2016-05-14")
    if cause.startswith("poison"):
        conn.execute("UPDATE renewer.member SET plan = 'gold'")
    if cause == "dead worker":
        conn.execute(DEAD_WORKER)
    if cause == "broken invariant":
        conn.execute("UPDATE renewer.member SET balance = balance + 1")
        assert command(database, "verify").returncode == 1
        conn.execute("UPDATE renewer.member SET balance = balance - 1")
    with started(database, **env) as process:
        at = address_of(process)
        if not {"RENEWER_DATABASE_URL", "RENEWER_LISTEN_URL"} & set(env):
            wait_for(process, "listener.started")
        if cause != "database away":
            assert soon(lambda: find_census(conn) is not None)
        series = samples(scrape(at))
    assert ask_rules(tmp_path, series, expected | {"RenewerWatchdog"}) == ""


SLOW = """
    CREATE FUNCTION public.dawdle() RETURNS trigger LANGUAGE plpgsql AS
    'BEGIN PERFORM pg_catalog.pg_sleep(0.3); RETURN NEW; END';
    CREATE TRIGGER dawdle BEFORE INSERT ON renewer.ledger_entry
    FOR EACH ROW EXECUTE FUNCTION public.dawdle();
"""
"""A server on which each entry takes a third of a second."""


@needs_promtool
def test_a_pass_that_is_slow_is_told(
    database: str, conn: Database, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """
    It shows itself between its batches, and is not taken for one that was killed.

    The rules are asked as of 51 minutes after its real start, nothing else is moved.
    The long form waits until only a sign of life can tell that the pass is not dead.
    """
    # Three a second: the long form is longer than a minute.
    watched = 250 if request.config.getoption("--long") else 12
    load_plans(conn)
    now = datetime.now(UTC)
    anchor_on = (now - timedelta(days=34)).date()
    lines = [f"m{n},basic,{anchor_on}" for n in range(watched + 30)]
    bring_in(conn, lines, f"{now - timedelta(days=33):%Y-%m-%d}T00:00")
    conn.execute(SLOW)
    one = {"RENEWER_BATCH_SIZE": "1", "RENEWER_THREADS": "1"}
    with started(database, **one) as process:
        at = address_of(process)
        wait_for(process, "listener.started")
        assert soon(lambda: find_passes(conn).running)
        began_at = find_passes(conn).began_at
        assert began_at is not None
        assert soon(lambda: find_renewed(conn) >= watched, watched + 20)
        series = samples(scrape(at))
    began = "renewer_pass_started_timestamp_seconds"
    told = (series[began], series["renewer_pass_running"])
    assert told == (began_at.timestamp(), 1)
    later = time.time() + 51 * 60
    expected = {"MembersLate", "PassOverdue", "PassSlow", "Watchdog"}
    named = {f"Renewer{each}" for each in expected}
    assert ask_rules(tmp_path, series, named, later) == ""


def find_renewed(conn: Database) -> int:
    """Return how many members the pass under way says it has renewed."""
    renewed: int = find_runs(conn, 1)[0]["renewed"]
    return renewed


@needs_promtool
def test_a_pass_that_hangs_is_told(
    database: str, conn: Database, tmp_path: Path
) -> None:
    """It is given up and tried again for ever: none succeeds, and somebody waits."""
    load_plans(conn)
    bring_in(conn, ["ana,basic,2016-04-19,UTC,active,2"], "2016-05-14")
    # Nothing can be posted while somebody holds the ledger.
    with connect(database) as other, other.transaction():
        other.execute("LOCK TABLE renewer.ledger_entry IN SHARE MODE")
        with started(database, RENEWER_STATEMENT_TIMEOUT="2") as process:
            at = address_of(process)
            wait_for(process, "database.away")
            series = samples(scrape(at))
    expected = {"RenewerMembersLate", "RenewerPassOverdue", "RenewerWatchdog"}
    assert ask_rules(tmp_path, series, expected) == ""


@needs_promtool
def test_a_worker_that_is_stopped_is_told(
    database: str, conn: Database, tmp_path: Path
) -> None:
    """Nobody answers any more: that alert fires, and the watchdog as always."""
    load_plans(conn)
    with started(database) as process:
        at = address_of(process)
        wait_for(process, "listener.started")
        process.terminate()
        assert process.wait(timeout=30) == 0
        with pytest.raises(urllib.error.URLError):
            scrape(at)
    told = ask_rules(tmp_path, {}, {"RenewerAbsent", "RenewerWatchdog"})
    assert told == ""


def test_a_worker_verifies_at_its_time_and_tells_what_it_found(
    database: str, conn: Database, request: pytest.FixtureRequest
) -> None:
    """A balance that no entry explains is told by the worker alone."""
    if not request.config.getoption("--long"):
        pytest.skip("waits for the next minute: --long")
    load_plans(conn)
    now = datetime.now(UTC)
    bring_in(conn, ["ana,basic,2016-04-19,UTC,active,2"], f"{now:%Y-%m-%dT%H:%M:%S}")
    conn.execute("UPDATE renewer.member SET balance = balance + 1")
    # In time for a worker that starts slowly, too.
    verify_at = f"{now + timedelta(seconds=75):%H:%M}"
    with started(database, RENEWER_VERIFY_AT=verify_at) as process:
        at = address_of(process)
        assert wait_for(process, "verification.violated")["invariant"] == 1
        assert wait_for(process, "verification.finished")["members"] == 1
        found = samples(scrape(at))
    assert found["renewer_verify_violations"] > 0
    assert found["renewer_verify_last_success_timestamp_seconds"] == 0


def test_status_check_is_one_line_and_an_exit_code(
    database: str, conn: Database
) -> None:
    """It is well after a pass; not before one, nor with a failure, nor long after."""
    load_plans(conn)
    bring_in(conn, ["ana,basic,2016-04-19,UTC,active,2"], "2016-05-14")
    before = command(database, "status", "--check")
    assert (before.returncode, before.stdout.count("\n")) == (1, 1)
    assert before.stdout.startswith("NOT WELL: no pass has succeeded yet; a member has")
    assert command(database, "run").returncode == 0
    well = command(database, "status", "--check")
    assert (well.returncode, well.stdout) == (
        0,
        "OK: the last pass succeeded, nobody is late or failing\n",
    )
    conn.execute("UPDATE renewer.run SET finished_at = now() - interval '131 minutes'")
    conn.execute("UPDATE renewer.member SET parked = true")
    conn.execute(f"ALTER DATABASE {conn.info.dbname} SET synchronous_commit = false")
    after = command(database, "status", "--check")
    assert (after.returncode, after.stdout.rstrip("\n")) == (
        1,
        "NOT WELL: the last pass that succeeded ended 2 hours ago; 1 member parked; "
        "commits may be lost: synchronous_commit = off, "
        "synchronous_commit = off of everybody (see: renewer status)",
    )
