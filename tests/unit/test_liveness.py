"""A worker's signs of life, and the shape of what it logs."""

import os
import subprocess
import sys
import time
from pathlib import Path

from renewer.worker.liveness import Pulse

LOG = (
    "import structlog; from renewer.host.logs import configure_logs; configure_logs();"
    "log = structlog.get_logger(); log.info('a'); log.warning('b'); log.error('c')"
)


def test_a_worker_is_ill_when_its_scheduler_is_silent_or_a_batch_does_not_end() -> None:
    """A minute and five minutes are allowed; a batch that ended is forgotten."""
    pulse, now = Pulse(), time.monotonic()
    assert pulse.find_problems(now + 59) == []
    with pulse.activity.batch_in_hand():
        assert pulse.find_problems(now + 59) == []
        assert [each.split(" for ")[0] for each in pulse.find_problems(now + 302)] == [
            "the scheduler has not ticked",
            "a batch has been under way",
        ]
    assert len(pulse.find_problems(now + 302)) == 1


def test_a_line_in_the_journal_carries_its_priority(tmp_path: Path) -> None:
    """Only where stderr is the journal: the variable alone is inherited by anybody."""
    starts = []
    for shift in (0, 1):
        with (tmp_path / "journal").open("w+") as journal:
            is_now = os.fstat(journal.fileno())
            stream = f"{is_now.st_dev}:{is_now.st_ino + shift}"
            subprocess.run(
                [sys.executable, "-c", LOG],
                env=os.environ | {"JOURNAL_STREAM": stream},
                stderr=journal,
                check=True,
            )
            journal.seek(0)
            starts.append([line[:4] for line in journal])
    assert starts == [["<6>{", "<4>{", "<3>{"], ['{"ev', '{"ev', '{"ev']]
