"""The thresholds of the job's health are those of the alerts."""

import re

import yaml

from renewer.answers.health import LATE, OVERDUE, SILENT
from renewer.worker.schedule import SHOW_S
from tests.support import ROOT


def test_the_alerts_have_the_thresholds_of_status() -> None:
    """A rule that counts other seconds than status would contradict it."""
    text = (ROOT / "deploy" / "alerts.yml").read_text()
    (group,) = yaml.safe_load(text)["groups"]
    rules = {rule["alert"]: rule["expr"] for rule in group["rules"]}
    for alert, metric, threshold in (
        ("PassOverdue", "renewer_pass_last_success_timestamp_seconds", OVERDUE),
        ("MembersLate", "renewer_oldest_due_timestamp_seconds", LATE),
    ):
        age = rf"time\(\) - max by \(job\) \({metric}\) > (\d+)"
        seconds = re.match(age, rules[f"Renewer{alert}"])
        assert seconds is not None
        assert int(seconds[1]) == threshold.total_seconds()
    # The worker itself judges by the threshold of status.
    assert "renewer_workers" in rules["RenewerWorkerDead"]


def test_a_worker_is_silent_only_after_several_heartbeats() -> None:
    """One that is late, or a database that restarts, makes nothing red."""
    assert SILENT.total_seconds() >= 3 * SHOW_S
