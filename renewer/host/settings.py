"""What the environment says, read once into one frozen object."""

import os
from pathlib import Path

from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from renewer.errors import InputError
from renewer.rules.ledger import CatchUp

LIBPQ_VARIABLES = ("PGHOST", "PGHOSTADDR", "PGSERVICE", "PGDATABASE")
"""Any of these set means that the operator has a database in mind."""


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
