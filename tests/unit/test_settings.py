"""Settings whose default depends on the machine."""

import os

import pytest

from renewer.host.settings import read_settings


@pytest.mark.parametrize(
    ("cores", "processes"),
    [(1, 1), (2, 1), (5, 1), (6, 2), (16, 5), (24, 8), (96, 8)],
)
def test_a_pass_takes_a_process_for_three_cores(
    monkeypatch: pytest.MonkeyPatch, cores: int, processes: int
) -> None:
    """At least one, and never so many that they take a server's connections."""
    monkeypatch.delenv("RENEWER_PROCESSES")
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(cores)))
    assert read_settings().processes == processes
