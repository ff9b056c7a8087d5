"""What the environment says, read once into one frozen object."""

import os
import re
from collections.abc import Iterable, Iterator
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from pydantic import Field, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from renewer.errors import InputError
from renewer.rules.ledger import CatchUp

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

LIBPQ_VARIABLES = ("PGHOST", "PGHOSTADDR", "PGSERVICE", "PGDATABASE")
"""Any of these set means that the operator has a database in mind."""


PREFIX, TESTS = "RENEWER_", "RENEWER_TEST_"
NEAR = 0.85
"""How alike two names are that may be one mistyped; all begin alike."""
OFF = "off"
"""What turns a setting's part of the worker off."""

ADDRESS = re.compile(r"(?:\[([0-9A-Fa-f:.]+)\]|([^:\s\[\]/]+)):(\d{1,5})", re.ASCII)


def read_address(text: str) -> tuple[str, int]:
    """Return host and port of *text*; an IPv6 address stands in brackets."""
    found = ADDRESS.fullmatch(text)
    if found is None or int(found[3]) > 65535:
        raise ValueError("give host:port, such as 127.0.0.1:9465, or off")
    return found[1] or found[2], int(found[3])


KEY_BYTES = 32
"""Shortest key and token: as much as HMAC-SHA256 makes of it."""
MOST_KEYS = 2
"""The key that signs, and the one before it."""
SECRETS = ("web_token", "link_keys")
"""Settings whose values are never shown."""
WEB_ADDRESS = re.compile(r"https?://[^\s/?#@\\]+(/[^\s?#@\\]*)?", re.ASCII)


class Brand(NamedTuple):
    """Whose pages these are: a name, a link back, and the word for credits."""

    name: str = "renewer"
    url: str = ""
    one: str = "Connect"
    several: str = "Connects"


def read_brand(text: str) -> Brand:
    """Return a brand; *text* is "name", "name, url" or "name, url, one, several"."""
    parts = [part.strip() for part in text.split(",")]
    if len(parts) not in (1, 2, 4) or not all([parts[0], *parts[2:]]):
        raise ValueError("give a name, a link back and the words for one and several")
    url = ""
    if len(parts) > 1:
        url = parts[1]
    if url and not WEB_ADDRESS.fullmatch(url):
        raise ValueError("the link back is an address such as https://example.org")
    return Brand(parts[0], url, *parts[2:])


MOST_BY_ITSELF = 8
"""Processes a pass takes where nobody says how many: a server has 100 connections."""


def count_cores() -> int:
    """Return how many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


class Settings(BaseSettings):
    """The variables RENEWER_…: each field is one, in capitals."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True)

    database_url: str | None = Field(
        None, description="libpq address of the database: a URL or key=value pairs"
    )
    listen_url: str | None = Field(
        None,
        description="direct address to listen on, when database_url is a pooler's; of "
        "a cluster one a node, with a semicolon between",
    )
    data_dir: Path | None = Field(None, description="folder of the embedded database")
    catch_up: CatchUp = Field(
        CatchUp.EACH,
        description="what several missed boundaries are worth: each or latest",
    )
    threads: int = Field(
        2, ge=1, le=64, description="threads of a pass; each holds two connections"
    )
    processes: int = Field(
        default_factory=lambda: min(max(1, count_cores() // 3), MOST_BY_ITSELF),
        ge=1,
        le=64,
        description="processes of a pass over many; each has its threads",
    )
    batch_size: int = Field(
        500, ge=1, le=10_000, description="members a thread plans and posts at a time"
    )

    statement_timeout: float = Field(
        240,
        ge=1,
        le=86_400,
        description="seconds a pass waits for an answer of the server",
    )

    monitor: str = Field(
        "127.0.0.1:9465",
        description="host:port of the worker's health and metrics, or off",
    )
    verify_at: str = Field(
        "03:30", description="HH:MM, UTC, of the daily verification and seal, or off"
    )
    keep_runs: int = Field(
        400, ge=1, le=36_500, description="days that runs and their like are kept"
    )

    web_token: str | None = Field(
        None, description="the operator's password for the pages, 32 bytes or more"
    )
    link_keys: str | None = Field(
        None, description="one or two keys of members' links, with a comma between"
    )
    web_url: str = Field(
        "http://127.0.0.1:8465", description="where the pages are found from outside"
    )
    web_brand: str = Field(
        "renewer", description="name, link back, and the words for one credit and more"
    )

    @field_validator("web_token")
    @classmethod
    def _check_web_token(cls, given: str | None) -> str | None:
        if given is not None and len(given.encode()) < KEY_BYTES:
            raise ValueError(f"give {KEY_BYTES} bytes at least")
        return given

    @field_validator("link_keys")
    @classmethod
    def _check_link_keys(cls, given: str | None) -> str | None:
        keys = [] if given is None else given.split(",")
        if len(keys) > MOST_KEYS or any(len(key.encode()) < KEY_BYTES for key in keys):
            raise ValueError(f"give one or two keys of {KEY_BYTES} bytes at least")
        return given

    @field_validator("web_url")
    @classmethod
    def _check_web_url(cls, given: str) -> str:
        if not WEB_ADDRESS.fullmatch(given):
            raise ValueError("give an address such as https://connects.example.org")
        return given.rstrip("/")

    @field_validator("web_brand")
    @classmethod
    def _check_web_brand(cls, given: str) -> str:
        read_brand(given)
        return given

    @field_validator("monitor")
    @classmethod
    def _check_monitor(cls, given: str) -> str:
        if given != OFF:
            read_address(given)
        return given

    @field_validator("verify_at")
    @classmethod
    def _check_verify_at(cls, given: str) -> str:
        if given != OFF and not re.fullmatch(r"([01]\d|2[0-3]):[0-5]\d", given):
            raise ValueError("give HH:MM in UTC, such as 03:30, or off")
        return given

    def listen_conninfos(self, conninfo: str) -> list[str]:
        """Return where a worker listens: at *conninfo*, unless it is told."""
        given = [each.strip() for each in (self.listen_url or "").split(";")]
        return [each for each in given if each] or [conninfo]

    def conninfo(self) -> str | None:
        """Return where the database is; None means the embedded one."""
        if self.database_url:
            return self.database_url
        return "" if any(os.environ.get(name) for name in LIBPQ_VARIABLES) else None


def read_settings() -> Settings:
    """Return the settings; InputError names the first variable that cannot be used."""
    try:
        return Settings.model_validate({})
    except ValidationError as error:
        first = error.errors()[0]
        field = str(first["loc"][0])
        name = PREFIX + field.upper()
        given = ""
        if field not in SECRETS:
            given = f"={first['input']!r}"
        # Not chained: the error beneath holds the values.
        raise InputError(f"{name}{given} cannot be used: {what_fits(first)}") from None


def what_fits(refused: "ErrorDetails") -> str:
    """Return what could be given instead of what pydantic *refused*."""
    facts, kind = refused.get("ctx", {}), refused["type"]
    if kind == "value_error":
        return str(facts["error"]).rstrip(".")
    if kind == "enum":
        return f"use {facts['expected']}"
    if kind == "greater_than_equal":
        return f"give {facts['ge']:g} or more"
    if kind == "less_than_equal":
        return f"give {facts['le']:g} or less"
    if kind.startswith("int_"):
        return "give a whole number"
    return "give a number" if kind.startswith("float_") else refused["msg"]


def find_misnamed(environment: Iterable[str]) -> Iterator[str]:
    """
    Yield a phrase for each variable that is named like a setting and is none.

    It may be another program's: the nearest setting is only asked for. Those of the
    tests are left out.
    """
    settings = {PREFIX + field.upper() for field in Settings.model_fields}
    for name in sorted(environment):
        # A setting in other case is read, too.
        is_ours = name.upper() in settings or name.startswith(TESTS)
        if name.startswith(PREFIX) and not is_ours:
            near = get_close_matches(name, settings, n=1, cutoff=NEAR)
            asked = ""
            if near:
                asked = f", did you mean {near[0]}?"
            yield f"{name} is no setting{asked}"
