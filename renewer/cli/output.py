"""What commands print: JSON documents, tables of 80 columns, one-line complaints."""

import json
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import fields, is_dataclass
from datetime import date, datetime
from shutil import get_terminal_size
from textwrap import wrap
from typing import Any, Literal, NoReturn

import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeRemainingColumn,
)
from rich.table import Table
from rich.text import Text

from renewer.answers.wording import escape, local

WIDTH = 80
KEPT = "\u00a0"
"""Stands for a blank at which no line is broken; it is never printed."""
FIGURE = re.compile(r"(?<=\d) (?=[^\W\d])")
"""The blank between a figure and its unit."""
STEERING = re.compile(r"[\u007f-\u009f\u2028-\u202e\u2066-\u2069]")
"""Characters that JSON leaves as they are and that a terminal obeys."""


def console() -> Console:
    """
    Return the console for stdout: as wide as the terminal, 80 columns anywhere else.

    What it prints is taken as it is: brackets and colons of a name are no markup.
    """
    return Console(
        highlight=False,
        markup=False,
        emoji=False,
        width=None if sys.stdout.isatty() else WIDTH,
    )


def is_watched() -> bool:
    """
    Whether a person reads both outputs here: what is printed needs no log beside it.

    Who sends stderr elsewhere wants the log there.
    """
    return sys.stdout.isatty() and sys.stderr.isatty()


def say(text: str, style: str | None = None) -> None:
    """Print *text* on stdout: wrapped between words, a figure beside its unit."""
    out = console()
    lines: list[str] = []
    for paragraph in text.split("\n"):
        lines += wrap_words(escape(paragraph), out.width) or [""]
    out.print("\n".join(lines), style=style, soft_wrap=True)


def wrap_words(
    text: str, width: int, first_indent: str = "", indent: str = ""
) -> list[str]:
    """Return the lines of *text*; a word that is too long, such as a name, is kept."""
    lines = wrap(
        FIGURE.sub(KEPT, text),
        width,
        break_long_words=False,
        break_on_hyphens=False,
        initial_indent=first_indent,
        subsequent_indent=indent,
    )
    return [line.replace(KEPT, " ") for line in lines]


def complain(message: str) -> None:
    """Say in one line on stderr what is wrong and what to do."""
    note(f"renewer: {message}")


def note(message: str) -> None:
    """
    Say something beside the output, on stderr; control characters are shown.

    One line, which only a terminal gets wrapped between words.
    """
    line = escape(message)
    if sys.stderr.isatty():
        line = "\n".join(wrap_words(line, get_terminal_size().columns))
    print(line, file=sys.stderr, flush=True)


def leave(*, wrong: bool) -> NoReturn:
    """End the command with exit code 1 when something is *wrong*, else with 0."""
    raise typer.Exit(int(wrong))


def print_json(document: Any) -> None:
    """Print one JSON document on stdout."""
    print(_dumps(document, indent=2))


def print_line(value: Any) -> None:
    """Print *value* as one line of JSON on stdout."""
    print(_dumps(value))


class JsonRows:
    """
    Prints one JSON document whose list *name* may be too long to be held.

    The rest of the document comes last.
    """

    def __init__(self, name: str) -> None:
        self._before = f"{{\n  {json.dumps(name)}: ["

    def add(self, row: Any) -> None:
        """Print one more row of the list."""
        print(f"{self._before}\n    {_dumps(row)}", end="")
        self._before = ","

    def end(self, rest: dict[str, Any]) -> None:
        """End the list and print the *rest* of the document."""
        print("\n  ]" if self._before == "," else f"{self._before}]", end="")
        for name, value in rest.items():
            print(f",\n  {json.dumps(name)}: {_dumps(value)}", end="")
        print("\n}")


def _dumps(value: Any, indent: int | None = None) -> str:
    """Return *value* as JSON in which no character steers a terminal."""
    text = json.dumps(value, default=_plain, ensure_ascii=False, indent=indent)
    return STEERING.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def _plain(value: Any) -> str | dict[str, Any]:
    """Return a day or an instant in ISO 8601, and a document as a JSON object."""
    if is_dataclass(value):
        return {each.name: getattr(value, each.name) for each in fields(value)}
    assert isinstance(value, date), f"not for JSON: {value!r}"
    return value.isoformat()


class PlainTable(Table):
    """A table whose cells are shown as they are: control characters are not obeyed."""

    def add_row(self, *cells: Any, **more: Any) -> None:
        """Add a row of texts."""
        shown = (escape(each) if isinstance(each, str) else each for each in cells)
        super().add_row(*shown, **more)


def table(
    *columns: str, numbers: tuple[str, ...] = (), times: tuple[str, ...] = ()
) -> Table:
    """
    Return an empty table.

    Columns named in *numbers* are aligned right; those in *times* are never wrapped, so
    that an instant stays beside its offset.
    """
    made = PlainTable(box=SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for column in columns:
        justify: Literal["left", "right"] = "right" if column in numbers else "left"
        # A name that is too long goes on in the next line: none of it is left out.
        made.add_column(
            column, justify=justify, no_wrap=column in times, overflow="fold"
        )
    return made


def print_table(made: Table) -> None:
    """Print a table on stdout, without blanks at the ends of its lines."""
    out = console()
    with out.capture() as shown:
        out.print(made)
    print("\n".join(line.rstrip() for line in shown.get().splitlines()))


def timestamp(at: datetime, timezone: str = "UTC") -> str:
    """Return an instant to the minute, in *timezone*, with its offset."""
    there = local(at, timezone)
    text = there.isoformat(" ", "minutes")
    length = len("2026-05-19 00:00")
    offset = "UTC"
    if timezone != "UTC":
        offset = text[length:]
    return f"{text[:length]} {offset}"


def print_list(texts: Sequence[str]) -> None:
    """Print *texts* as a list on stdout, each wrapped to 80 columns."""
    for text in texts:
        lines = wrap_words(text, WIDTH, first_indent="- ", indent="  ")
        console().print("\n".join(lines), soft_wrap=True)


class Rate(ProgressColumn):
    """How many are done a second."""

    def render(self, task: Task) -> Text:
        """Return the speed, once there is one."""
        speed = task.finished_speed or task.speed
        return Text(f"{speed:,.0f}/s" if speed else "", style="progress.data.speed")


@contextmanager
def progress(
    what: str, count: Callable[[], int | None] = lambda: None
) -> Iterator[Callable[[int], None]]:
    """
    Show a progress bar on stderr while it is a terminal.

    Yield the function to call with each advance. *count* returns the total, which only
    a terminal is worth the statement; None: unknown.
    """
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    columns = (
        TextColumn(what),
        BarColumn(),
        MofNCompleteColumn(),
        Rate(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(what, total=count())
        yield lambda advance: bar.advance(task, advance)
