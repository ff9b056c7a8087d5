"""What the environment says, read once into one frozen object."""

import os
import re
from pathlib import Path

from pydantic import Field, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from renewer.errors import InputError
from renewer.rules.ledger import CatchUp

LIBPQ_VARIABLES = ("PGHOST", "PGHOSTADDR", "PGSERVICE", "PGDATABASE")
"""Any of these set means that the operator has a database in mind."""


OFF = "off"
"""What turns a setting's part of the worker off."""

ADDRESS = re.compile(r"(?:\[([0-9A-Fa-f:.]+)\]|([^:\s\[\]/]+)):(\d{1,5})", re.ASCII)


def read_address(text: str) -> tuple[str, int]:
    """Return host and port of *text*; an IPv6 address stands in brackets."""
    found = ADDRESS.fullmatch(text)
    if found is None or int(found[3]) > 65535:
        raise ValueError("give host:port, such as 127.0.0.1:9465, or off")
    return found[1] or found[2], int(found[3])


class Settings(BaseSettings):
    """The variables RENEWER_…: each field is one, in capitals."""

    model_config = SettingsConfigDict(env_prefix="RENEWER_", frozen=True)

    database_url: str | None = Field(
        None, description="libpq address of the database: a URL or key=value pairs"
    )
    listen_url: str | None = Field(
        None, description="direct address to listen on, when database_url is a pooler's"
    )
    data_dir: Path | None = Field(None, description="folder of the embedded database")
    catch_up: CatchUp = Field(
        CatchUp.EACH,
        description="what several missed boundaries are worth: each or latest",
    )
    threads: int = Field(
        2, ge=1, le=64, description="threads of a pass; each holds two connections"
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
        "03:30", description="HH:MM, UTC, of the worker's daily verification, or off"
    )
    keep_runs: int = Field(
        400, ge=1, le=36_500, description="days that runs and their like are kept"
    )

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
        name = "RENEWER_" + str(first["loc"][0]).upper()
        raise InputError(
            f"{name}={first['input']!r} cannot be used: {first['msg']}"
        ) from error
