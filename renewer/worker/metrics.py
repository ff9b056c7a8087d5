"""
What Prometheus is told of this process and, at most every 15 seconds, of the database.

Timestamps instead of ages: `max()` over all workers is then right.
"""

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any

import psycopg
from prometheus_client import CollectorRegistry, Histogram
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from renewer.answers.health import find_health
from renewer.errors import RenewerError
from renewer.host.database import measure_skew
from renewer.store import schema
from renewer.store.connection import Database, snapshot
from renewer.store.watch import find_census
from renewer.worker.liveness import Pulse

FRESH_S = 15.0
"""How long a reading of the database is good, however often it is asked for."""

DURATIONS_S = (1, 5, 15, 60, 300, 900, 1800, 3000, 3600, 7200)
"""Buckets of a pass's duration; 3000 is when the alert of a slow one comes."""

Readings = Mapping[str, Any]

OF_DATABASE = {
    "renewer_pass_last_success_timestamp_seconds": (
        "End of the last pass over everybody that was finished; 0: none was."
    ),
    "renewer_pass_started_timestamp_seconds": (
        "Start of the pass under way, else of the last one; 0: there was none."
    ),
    "renewer_pass_running": "Whether a pass over everybody is under way.",
    "renewer_due_members": "Members who are due; counting stops at 100000.",
    "renewer_oldest_due_timestamp_seconds": (
        "Since when the oldest due member waits that is neither failing nor parked; "
        "0: none does."
    ),
    "renewer_failures": (
        "Members that are failing or parked; counting stops at 100000."
    ),
    "renewer_failures_since_timestamp_seconds": (
        "Since when the longest-waiting of them would be due; 0: there is none."
    ),
    "renewer_workers": (
        "Workers on record, alive or dead: one that stopped without signing out."
    ),
    "renewer_members": "Members, as the last census counted them.",
    "renewer_members_without_rule": (
        "Members whose next boundary has no rule on record, by the last census."
    ),
    "renewer_census_timestamp_seconds": "When the last census was taken.",
    "renewer_requests_waiting": (
        "Calls of the marketplace that wait for a pass; counting stops at 100000."
    ),
    "renewer_clock_skew_seconds": "How far the database's clock is ahead of this one.",
    "renewer_verify_violations": "Violations the last verification found.",
    "renewer_verify_last_success_timestamp_seconds": (
        "End of the last verification that found nothing; 0: none did."
    ),
}
"""Gauges that are absent while the database is away."""

LABELS = {
    "renewer_failures": ("state",),
    "renewer_failures_since_timestamp_seconds": ("state",),
    "renewer_workers": ("state",),
    "renewer_members": ("status",),
}


class Metrics(Collector):
    """The metrics of one worker; *connect* opens its connection for reading."""

    def __init__(self, pulse: Pulse, connect: Callable[[], Database]) -> None:
        self._pulse = pulse
        self._connect = connect
        self._guard = threading.Lock()
        self._readings: Readings | None = None
        self._read_at: float | None = None
        self._schema = ""
        self.registry = CollectorRegistry()
        self.registry.register(self)
        self.durations = Histogram(
            "renewer_pass_duration_seconds",
            "How long a pass over everybody took.",
            buckets=DURATIONS_S,
            registry=self.registry,
        )

    def describe(self) -> Iterable[Metric]:
        """Return nothing, so that the registry does not collect to learn the names."""
        return ()

    def collect(self) -> Iterator[Metric]:
        """Yield every metric of this process and of the database."""
        readings = self._read_now_and_then()
        yield _gauge(
            "renewer_database_up",
            "Whether the database could be read from.",
            int(readings is not None),
        )
        for name, text in OF_DATABASE.items():
            if readings is not None:
                yield _gauge(name, text, readings[name], LABELS.get(name, ()))
        yield _gauge(
            "renewer_listener_hearing",
            "Whether this worker hears what is announced.",
            int(self._pulse.hearing),
        )
        build = GaugeMetricFamily(
            "renewer_build_info",
            "Release of renewer and the schema it found.",
            labels=["version", "schema"],
        )
        build.add_metric([version("renewer"), self._schema], 1)
        yield build
        yield from self._count()

    def _count(self) -> Iterator[Metric]:
        counts = self._pulse.activity.totals()
        members = counts.as_dict()
        results = ("renewed", "late", "expired", "applied", "skipped", "failed")
        yield _counter(
            "renewer_pass_members",
            "Members this worker took up, by what happened to them.",
            "result",
            {name: members[name] for name in results},
        )
        yield _counter(
            "renewer_entries",
            "Entries this worker posted.",
            "kind",
            counts.entries_by_kind,
        )
        yield _counter(
            "renewer_connects",
            "Connects this worker posted; of an expiry, those taken.",
            "kind",
            counts.connects_by_kind,
        )
        conflicts = "Members who changed meanwhile and were planned anew."
        yield CounterMetricFamily(
            "renewer_conflicts", conflicts, value=counts.conflicts
        )

    def _read_now_and_then(self) -> Readings | None:
        """Return readings not older than FRESH_S; None when the database is away."""
        with self._guard:
            now = time.monotonic()
            if self._read_at is None or now - self._read_at > FRESH_S:
                self._readings = self._read()
                # After the reading: a server that is slow to answer is not asked at
                # every scrape.
                self._read_at = time.monotonic()
            return self._readings

    def _read(self) -> Readings | None:
        try:
            with self._connect() as conn:
                applied = schema.find_applied_migrations(conn)
                self._schema = max(applied, default="none")
                return read_database(conn)
        except (psycopg.Error, RenewerError):
            return None


def read_database(conn: Database) -> Readings:
    """Return the value of each metric in OF_DATABASE; None: nothing to tell yet."""
    skew = measure_skew(conn)
    with snapshot(conn):
        health = find_health(conn, datetime.now(UTC) + skew)
        census = find_census(conn)
    backlog, passes = health.backlog, health.passes
    alive = sum(worker.alive for worker in health.workers)
    readings = {
        "renewer_pass_last_success_timestamp_seconds": _seconds(passes.succeeded_at),
        "renewer_pass_started_timestamp_seconds": _seconds(passes.began_at),
        "renewer_pass_running": int(passes.running),
        "renewer_due_members": health.due,
        "renewer_oldest_due_timestamp_seconds": _seconds(backlog.oldest_due_at),
        "renewer_failures": {"failing": backlog.failing, "parked": backlog.parked},
        "renewer_failures_since_timestamp_seconds": {
            "failing": _seconds(backlog.failing_since),
            "parked": _seconds(backlog.parked_since),
        },
        "renewer_workers": {"alive": alive, "dead": len(health.workers) - alive},
        "renewer_requests_waiting": health.requests,
        "renewer_clock_skew_seconds": skew.total_seconds(),
        "renewer_verify_violations": health.violations,
        "renewer_verify_last_success_timestamp_seconds": _seconds(health.verified_at),
        "renewer_members": {},
        "renewer_members_without_rule": None,
        "renewer_census_timestamp_seconds": None,
    }
    if census is not None:
        by_status = dict.fromkeys(("active", "under_review", "suspended", "closed"), 0)
        for each in census["members"]:
            by_status[each["status"]] += each["members"]
        readings["renewer_members"] = by_status
        readings["renewer_members_without_rule"] = census["without_rule"]
        readings["renewer_census_timestamp_seconds"] = _seconds(census["taken_at"])
    return readings


def _seconds(at: datetime | None) -> float:
    return 0 if at is None else at.timestamp()


def _gauge(name: str, text: str, found: Any, labels: tuple[str, ...] = ()) -> Metric:
    """Return a gauge of one value, of one a label, or, of None, without any."""
    gauge = GaugeMetricFamily(name, text, labels=labels)
    if isinstance(found, Mapping):
        for label, number in found.items():
            gauge.add_metric([label], number)
    elif found is not None:
        gauge.add_metric([], found)
    return gauge


def _counter(name: str, text: str, label: str, numbers: Mapping[str, int]) -> Metric:
    counter = CounterMetricFamily(name, text, labels=[label])
    for each, number in numbers.items():
        counter.add_metric([each], number)
    return counter
