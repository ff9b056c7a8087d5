"""The command `worker`: a pass at every full hour."""

import os
import sys
from contextlib import closing
from functools import partial

import psycopg
import structlog
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from renewer.cli.options import CatchUpOption
from renewer.cli.output import note
from renewer.cli.run import pass_options
from renewer.cli.signals import stop_on_signal
from renewer.errors import DatabaseUnreachable, InputError
from renewer.host import database
from renewer.host.logs import configure_logs
from renewer.host.settings import read_settings
from renewer.store import connection
from renewer.store.connection import find_risky_settings, is_server_trouble, may_post
from renewer.worker.duties import Duties
from renewer.worker.liveness import Pulse
from renewer.worker.metrics import Metrics
from renewer.worker.monitor import Monitor
from renewer.worker.presence import Presence
from renewer.worker.schedule import Signs, Worker

log = structlog.get_logger()

LOOK_S = 3
"""Seconds that looking at the database may take to connect, and to be answered."""


def worker(catch_up: CatchUpOption = None) -> None:
    """
    Run a pass now and at every full hour (UTC), until SIGTERM or SIGINT.

    The batch in hand is finished; a second signal ends it at once. Enrolments, changes
    of plan and released reviews are applied within a second of their call.

    While the database is away the worker waits for it and tries again every minute.
    """
    configure_logs()
    settings = read_settings()
    with database.address(note) as conninfo, stop_on_signal() as stop:
        _look_at_database(conninfo)
        patience_s = settings.statement_timeout
        connect, *listen = (
            partial(connection.connect, each, patience_s=patience_s, stop=stop)
            for each in (conninfo, *settings.listen_conninfos(conninfo))
        )
        # Who looks waits for nobody: the scrape of a monitor ends after ten seconds.
        look = partial(connection.connect, _impatient(conninfo), patience_s=LOOK_S)
        pulse = Pulse()
        metrics = Metrics(pulse, look)
        with closing(Monitor(settings.monitor, pulse, metrics, look)) as monitor:
            signs = Signs(
                pulse,
                metrics,
                Presence(look, monitor.address),
                Duties(connect, settings.keep_runs, stop),
                settings.verify_at,
            )
            prepare = database.prepare_pass
            options = pass_options(catch_up, conninfo)
            work = Worker(connect, listen, options, prepare, stop, signs)
            if not work.serve():
                # A thread that waits for ever must not keep the process.
                sys.stderr.flush()
                os._exit(3)


def _impatient(conninfo: str) -> str:
    """Return *conninfo* with little time to connect, unless it says how much."""
    named = conninfo_to_dict(conninfo)
    return make_conninfo(conninfo, **{"connect_timeout": str(LOOK_S)} | named)


def _look_at_database(conninfo: str) -> None:
    """
    Raise what keeps every pass from working; a server that is away does not.

    Also warn of a server that may lose what it has acknowledged.
    """
    try:
        with connection.connect(conninfo) as conn:
            database.prepare_pass(conn)
            if not may_post(conn):
                raise InputError(database.MAY_NOT_POST)
            risky = find_risky_settings(conn)
            if risky:
                # A pass is made for it, a spend is not.
                log.warning("database.may_lose_commits", settings=risky)
    except DatabaseUnreachable:
        return  # the first pass says so and waits for it
    except psycopg.Error as error:
        if not is_server_trouble(error):
            raise
