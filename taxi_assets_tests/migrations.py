"""Dagster's migrations are read once for all instances of a process.

A new instance writes which migration its tables are at. To find it, Dagster imports some ninety modules for each of the
instance's databases, which takes as long as a small load.
"""

from __future__ import annotations

from functools import cache

from alembic.config import Config
from alembic.script import ScriptDirectory
from dagster._core.storage.sql import ALEMBIC_SCRIPTS_LOCATION

_read = ScriptDirectory.from_config


@cache
def _migrations_in(location: str | None) -> ScriptDirectory:
    config = Config()
    config.set_main_option("script_location", location or "")
    return _read(config)


def _migrations_of(config: Config) -> ScriptDirectory:
    return _migrations_in(config.get_main_option("script_location"))


def read_migrations_once() -> None:
    """From now on, in this process and those that are forked from it."""
    ScriptDirectory.from_config = staticmethod(_migrations_of)
    # A process that is forked finds them read.
    _migrations_in(ALEMBIC_SCRIPTS_LOCATION).get_current_head()
