"""What a pass is asked to do, and with how many threads and processes."""

from collections.abc import Sequence
from datetime import datetime

from renewer.rules.ledger import CatchUp
from renewer.rules.value import value


@value
class HelperSettings:
    """
    How many processes a pass may have in all, and how each of them connects.

    *statement_timeout_s* is how long a process waits for an answer of the server.
    """

    processes: int
    conninfo: str
    statement_timeout_s: float


@value
class PassOptions:
    """
    How a pass works. Only *catch_up* changes what is posted.

    *threads* is per process. Without *helpers* the pass has one process.
    """

    catch_up: CatchUp = CatchUp.EACH
    threads: int = 2
    batch_size: int = 500
    helpers: HelperSettings | None = None


@value
class PassRequest:
    """
    One pass to be run.

    *as_of* is the instant the pass acts at, *trigger* what started it. With *members*
    only those are posted, else every due member. A *dry_run* writes nothing. With
    *run_id* the pass adds its counts to that run instead of one of its own. *reason* is
    what an operator gave for it.
    """

    as_of: datetime
    options: PassOptions
    trigger: str = "manual"
    members: Sequence[str] | None = None
    dry_run: bool = False
    run_id: int | None = None
    reason: str | None = None
