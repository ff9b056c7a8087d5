"""structlog, always to stderr: for a person on a terminal, JSON lines anywhere else."""

import logging
import os
import sys
from collections.abc import Callable
from typing import Any

import structlog


def configure_logs(*, quiet: bool = False) -> None:
    """
    Send every log of this process to stderr; *quiet* leaves out all below a warning.
    """
    level = logging.WARNING if quiet else logging.INFO
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    renderer: Any = structlog.processors.JSONRenderer()
    if sys.stderr.isatty():
        renderer = structlog.dev.ConsoleRenderer()
    else:
        shared.append(structlog.processors.format_exc_info)
        if _is_journal():
            renderer = _prioritised(renderer)
    structlog.configure(
        processors=[*shared, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.WriteLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    _route_libraries(shared, renderer)


def _route_libraries(shared: list[Any], renderer: Any) -> None:
    """Give what libraries warn of the same shape."""
    out = logging.StreamHandler(sys.stderr)
    out.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                renderer,
            ],
        )
    )
    logging.basicConfig(handlers=[out], level=logging.WARNING, force=True)


PRIORITIES = {"debug": 7, "info": 6, "warning": 4, "error": 3, "critical": 2}
"""The priorities of syslog, by the names of levels."""


def _is_journal() -> bool:
    """
    Whether stderr is the journal of systemd.

    The variable alone is inherited by whoever is started with other streams.
    """
    try:
        here = os.fstat(2)
    except OSError:
        return False
    return os.environ.get("JOURNAL_STREAM") == f"{here.st_dev}:{here.st_ino}"


def _prioritised(render: Any) -> Callable[[Any, str, Any], str]:
    """Return *render* with each line's priority before it, as the journal reads it."""

    def prioritise(logger: Any, method: str, event: Any) -> str:
        priority = PRIORITIES.get(event.get("level", "info"), 6)
        return f"<{priority}>{render(logger, method, event)}"

    return prioritise
