"""F. Bad data and hostile input: names, settings, addresses."""

import subprocess
import sys

import psycopg
import pytest

from renewer.errors import InputError, RenewerError
from renewer.host.settings import read_settings
from renewer.store.connection import Database, connect
from tests.faults.scene import (
    CANARY,
    LINES,
    Done,
    Ledger,
    arguments_of_run,
    assert_undisturbed,
    done,
    due,
    environment,
    set_scene,
)
from tests.support import ROOT, ledger, renew, statement, violations

RUN = arguments_of_run()
NAMES = [
    "'); DROP TABLE renewer.member; --",
    "%s",
    "%(a)s",
    "{0.__class__}",
    "$1",
    "\\N",
    "😀" * 64,
    "a b",
    "-m",
    "--json",
    '"a","b"',
]
CONTROLS = [
    "a\nb",
    "a\rb",
    "\x1b[31mred",
    "a\tb",
    "\x7f",
    "\x9b31m",
    "\N{RIGHT-TO-LEFT OVERRIDE}a",
]
ENROLL = (
    "SELECT renewer.enroll(%s, %s, '2016-04-10', 'UTC', 'active', %s, '2016-04-10Z')"
)


def test_f2_hostile_names_are_names(database: str, conn: Database) -> None:
    """They are enrolled, renewed, shown and verified like any others."""
    set_scene(conn)
    for name in NAMES:
        conn.execute(ENROLL, [name, "plus", "e"])
    report = renew(database, RUN[2])
    assert (report.counts.failed, report.left) == (0, 0)
    statements = [statement(conn, name) for name in NAMES]
    assert statements == [[("renewal", 70, 70)]] * len(NAMES)
    assert violations(conn) == []
    for name in ("'); DROP TABLE renewer.member; --", "--json"):
        assert done(database, "history", "--json", "--", name).code == 0


@pytest.mark.parametrize("name", [" ", " a", "a "])
def test_f2_a_blank_at_either_end_is_refused(
    database: str, conn: Database, name: str
) -> None:
    """It is never seen, and trimmed nowhere."""
    set_scene(conn)
    with pytest.raises(psycopg.DatabaseError, match="take it away") as caught:
        conn.execute(ENROLL, [name, "plus", "e"])
    assert caught.value.sqlstate == "RN006"


@pytest.mark.parametrize("name", CONTROLS)
def test_f2_a_control_character_is_refused_as_a_name(conn: Database, name: str) -> None:
    """RN006, of member and reference: what is logged and printed stays one line."""
    set_scene(conn)
    before = ledger(conn)
    for member_id, reference in ((name, "e"), ("new", name)):
        with pytest.raises(psycopg.Error) as caught:
            conn.execute(ENROLL, [member_id, "plus", reference])
        assert caught.value.sqlstate == "RN006"
    assert ledger(conn) == before


def test_f2_what_a_hand_wrote_is_shown_and_never_obeyed(
    database: str, conn: Database
) -> None:
    """Names of failed members in the output of run, status and verify are escaped."""
    set_scene(conn)
    for name in CONTROLS:
        conn.execute(
            "INSERT INTO renewer.member (member_id, plan, anchor_on, renews_at) "
            "VALUES (%s, 'gold', '2016-03-10', '2016-04-10Z')",
            [name],
        )
    told = [done(database, *RUN), done(database, "status"), done(database, "verify")]
    assert told[0].code == 1
    assert f"{len(CONTROLS)} failed" in told[0].out
    shown = "".join(left.out + left.err for left in told)
    assert [name for name in CONTROLS if name in shown] == []


def run_bytes(database: str, *arguments: bytes) -> Done:
    """Run the command line with arguments that need not be text."""
    left = subprocess.run(
        [sys.executable.encode(), b"-m", b"renewer", *arguments],
        env=environment(database),
        cwd=ROOT,
        capture_output=True,
        check=False,
        timeout=60,
    )
    return Done(left.returncode, left.stdout.decode(), left.stderr.decode())


@pytest.mark.parametrize("argument", [b"\xff\xfe", b"a\xed\xa0\x80"])
def test_f2_an_argument_that_is_no_text_is_refused(
    database: str, conn: Database, expected: Ledger, argument: bytes
) -> None:
    """Exit code 2, one line, and nothing is done."""
    left = run_bytes(database, b"run", b"--member", argument)
    assert (left.code, left.err.count("\n"), "Traceback" in left.err) == (2, 1, False)
    assert due(conn) == len(LINES)


def test_f2_a_name_as_long_as_a_book_is_refused_in_short(
    database: str, conn: Database, expected: Ledger
) -> None:
    """It is nobody's name."""
    left = done(database, "run", "--member", "x" * 100_000)
    assert left.code == 2
    assert due(conn) == len(LINES)


def test_f4_when_all_are_poisoned_the_pass_says_so(
    database: str, conn: Database, expected: Ledger
) -> None:
    """Everybody failed: exit code 1, each is counted, and mended all are renewed."""
    conn.execute("UPDATE renewer.member SET plan = plan || '!'")
    left = done(database, *RUN)
    assert (left.code, "3 failed" in left.out) == (1, True)
    conn.execute("UPDATE renewer.member SET plan = rtrim(plan, '!')")
    names = [part for line in LINES for part in ("--member", line.split(",")[0])]
    assert done(database, *RUN, *names).code == 0
    assert_undisturbed(conn, expected)


ADDRESSES = [
    f"postgresql://u:x@{CANARY}@127.0.0.1:1/d",
    f"host=127.0.0.1 port=1/{CANARY} password=1/{CANARY}",
    f"host=127.0.0.1 port=1 user=u password={CANARY} nonsense=1",
    f"host=127.0.0.1 port=1 user=u password='{CANARY}",
    f"host=127.0.0.1 port=1 user=u password={CANARY} options='-c search_path=evil'",
    f"host=127.0.0.1 port=99999 user=u password={CANARY}",
    f"postgresql://u:{CANARY}@127.0.0.1:1/d?sslmode=maybe",
    f"postgresql://u:{CANARY}@127.0.0.1:1/d?options=-c%20role%3Dpostgres",
    f"postgres//u:{CANARY}@127.0.0.1:1/d",
    f" postgresql://u:{CANARY}@127.0.0.1:1/d",
    f"postgresql://u:{CANARY}@127.0.0.1:1/d%zz",
    f"postgresql+psycopg://u:{CANARY}@127.0.0.1:1/d",
    f"u:{CANARY}@127.0.0.1:1/d",
    f"postgresql://u:{CANARY}@[::1/d",
    f"host=127.0.0.1 port=1 user=u passwrod={CANARY}",
]


def test_f6_hostile_addresses_are_refused_and_not_echoed() -> None:
    """Each is an error an operator can act on, without any piece of the password."""
    for address in ADDRESSES:
        with pytest.raises(RenewerError) as caught:
            connect(address)
        assert (CANARY in str(caught.value), caught.value.__cause__) == (False, None)


@pytest.mark.parametrize("address", ADDRESSES[-4:])
def test_f6_a_hostile_address_gets_one_line(address: str) -> None:
    """2 or 3, and the password is nowhere."""
    left = done(address, *RUN)
    assert left.code in (2, 3), left.err
    assert (left.err.count("\n"), CANARY in left.out + left.err) == (1, False)


def test_f6_options_in_an_address_change_nothing(
    database: str, conn: Database, expected: Ledger
) -> None:
    """What an address smuggles into the session is pinned again."""
    smuggled = (
        "-c search_path=public -c DateStyle=SQL,DMY -c TimeZone=Asia/Tokyo "
        "-c default_transaction_isolation=serializable -c row_security=on"
    )
    url = psycopg.conninfo.make_conninfo(database, options=smuggled)
    left = done(url, *RUN)
    assert left.code == 0, left.err
    assert_undisturbed(conn, expected)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("RENEWER_THREADS", "0"),
        ("RENEWER_THREADS", "1; rm"),
        ("RENEWER_BATCH_SIZE", "1e9"),
        ("RENEWER_STATEMENT_TIMEOUT", "nan"),
        ("RENEWER_STATEMENT_TIMEOUT", "inf"),
        ("RENEWER_CATCH_UP", "both"),
        ("RENEWER_STATEMENT_TIMEOUT", "0.0001"),
    ],
)
def test_f6_a_hostile_setting_is_named(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    """It is an error an operator can act on."""
    monkeypatch.setenv(name, value)
    with pytest.raises(InputError, match=name):
        read_settings()
