"""What a CSV file of members may say, line by line."""

import io

import pytest

from renewer.errors import InputError
from renewer.jobs.importing import LONGEST_LINE, Line, read_lines
from tests.support import HEADER, PLANS, utc

AS_OF = utc("2016-05-01T12:00")


def read(text: str | bytes, header: str = HEADER) -> list[Line]:
    raw = text if isinstance(text, bytes) else text.encode()
    return list(read_lines(io.BytesIO(header.encode() + b"\n" + raw), PLANS, AS_OF))


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (
            "m,gold,2016-04-19,,,",
            "unknown plan 'gold': the plans are basic, lifetime, plus",
        ),
        ("m,basic,2016-04-19,Mars/Base,,", "unknown time zone 'Mars/Base'"),
        (
            "m,basic,2016-02-30,,,",
            "anchor_on '2016-02-30' is not a date: use YYYY-MM-DD",
        ),
        ("m,basic,19.04.2016,,,", "is not a date"),
        ("m,basic,20160419,,,", "is not a date"),
        ("m,basic,,,,", "anchor_on '' is not a date"),
        ("m,basic,2016-05-02,,,", "anchor_on 2016-05-02 is after 2016-05-01T12:00"),
        ("m,basic,1066-10-14,,,", "outside the calendar"),
        ("m,basic,2016-04-19,,,-3", "balance -3 is negative"),
        ("m,basic,2016-04-19,,,2.5", "balance '2.5' is not a whole number"),
        ("m,basic,2016-04-19,,,many", "balance 'many' is not a whole number"),
        ("m,basic,2016-04-19,,,9999999999", "is not a whole number from 0"),
        ("m,basic,2016-04-19,,," + "9" * 5000, "is not a whole number from 0"),
        (
            "m,basic,2016-04-19,,happy,",
            "unknown status 'happy': use active, under_review, suspended, closed",
        ),
        ("m,Basic,2016-04-19,,,", "unknown plan 'Basic': did you mean 'basic'?"),
        ("m,basic,2016-04-19,utc,,", "time zone 'utc': did you mean 'UTC'?"),
        ("m,basic,2016-04-19,,Activ,", "status 'Activ': did you mean 'active'?"),
        (" m,basic,2016-04-19,,,", "member_id has a blank at its begin or end"),
        ("m ,basic,2016-04-19,,,", "member_id has a blank at its begin or end"),
        (",basic,2016-04-19,,,", "member_id has 0 characters"),
        ("m" * 65 + ",basic,2016-04-19,,,", "member_id has 65 characters"),
        ("a\x00b,basic,2016-04-19,,,", "characters that cannot be printed"),
        ("m,basic,2016-04-19", "3 fields where the header names 6"),
        ("m,basic,2016-04-19,,,,,", "8 fields where the header names 6"),
        ('"m,basic,2016-04-19,,,', "not a line of CSV"),
        ('"m"x,basic,2016-04-19,,,', "not a line of CSV"),
        (b"m\xfc,basic,2016-04-19,,,", "not valid UTF-8 at byte 2"),
    ],
)
def test_a_bad_line_is_named_with_its_reason(line: str | bytes, reason: str) -> None:
    """The good lines around it are read as if it were not there."""
    good = b"ok,basic,2016-04-19,,,\n"
    raw = line if isinstance(line, bytes) else line.encode()
    first, bad, last = read(good + raw + b"\r\n" + good)
    assert first.member is not None
    assert last.member is not None
    assert (first.number, bad.number, last.number) == (2, 3, 4)
    assert bad.member is None
    assert bad.reason is not None
    assert reason in bad.reason
    assert "\n" not in bad.reason


@pytest.mark.parametrize(
    ("header", "message"),
    [
        ("", "column member_id is missing"),
        ("m1,basic,2016-04-19", "column member_id is missing"),
        ("member_id,plan", "column anchor_on is missing"),
        (HEADER + ",colour", "column 'colour' is unknown"),
        ("member_id,plan,anchor_on,plan", "named twice"),
        ("\x00PNG\xff", "column member_id is missing"),
    ],
)
def test_a_file_without_a_usable_header_is_refused(header: str, message: str) -> None:
    """The error lists the columns."""
    with pytest.raises(InputError, match=message) as caught:
        read("m,basic,2016-04-19", header)
    assert "member_id,plan,anchor_on" in str(caught.value)


def test_an_empty_file_is_refused() -> None:
    """It has no header."""
    with pytest.raises(InputError, match="the first line must name the columns"):
        list(read_lines(io.BytesIO(b""), PLANS, AS_OF))


def test_an_endless_line_is_refused() -> None:
    """It is not read into memory."""
    with pytest.raises(InputError, match="line 2 is longer than"):
        read("x" * LONGEST_LINE)


def test_columns_may_come_in_any_order_and_optional_ones_not_at_all() -> None:
    """A byte-order mark, blank lines, spaces and quotes are forgiven."""
    (line,) = read(
        '\n2016-04-19, "m, 1" ,plus\n\n'.replace(' "m, 1" ', '"m, 1"'),
        "\ufeffanchor_on,Member_ID,plan",
    )
    assert line.number == 3
    assert line.member is not None
    assert (line.member.member_id, line.member.plan, line.member.timezone) == (
        "m, 1",
        "plus",
        "UTC",
    )
    assert (line.member.status, line.member.balance, line.member.expires_at) == (
        "active",
        0,
        None,
    )


@pytest.mark.parametrize("separator", [";", "\t"])
def test_other_separators_and_spellings_of_the_header_are_read(separator: str) -> None:
    """As spreadsheets write them."""
    header = separator.join(("Member ID", " PLAN ", "Anchor-On", "Balance"))
    (line,) = read(separator.join(("m,1", "basic", "2016-04-19", "3")), header)
    assert line.member is not None
    assert (line.member.member_id, line.member.balance) == ("m,1", 3)


def test_a_balance_is_an_allowance_lot_of_the_current_cycle() -> None:
    """
    It ends when the allowance of that cycle would have: twelve cycles after the cycle
    began.
    """
    (line,) = read("m,lifetime,2015-01-31,,,7")
    assert line.member is not None
    assert (line.member.balance, line.member.expires_at) == (7, utc("2017-04-30T00:00"))
    assert line.member.cycle_n == 15
    assert line.member.renews_at == utc("2016-05-31T00:00")
