"""Where dbt and the dbt project are, and where what dbt writes is kept."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path
from typing import Final

from taxi_assets import settings
from taxi_assets.dbt.git import GitSource

PROFILES: Final = settings.PROJECT_FOLDER / "dbt"
"""Folder of the project's own models, and of the profiles that say where each warehouse is."""


def is_installed() -> bool:
    """Whether there are dbt, its integration with Dagster, and a dbt project."""
    has_dbt = settings.dbt_executable().is_file() and PROFILES.is_dir()
    return has_dbt and importlib.util.find_spec("dagster_dbt") is not None


def state_folder() -> Path:
    """Where everything is kept that dbt writes. It need not exist yet."""
    return settings.home() / "dbt"


def manifests_folder(project: Path) -> Path:
    """Where is kept what dbt knows about a project: of the one here, beside dbt, as it is the same in every home."""
    beside_dbt = settings.dbt_executable().parents[1]
    ours = project == PROFILES and os.access(beside_dbt, os.W_OK)
    return (beside_dbt if ours else state_folder()) / "manifests"


def git_source() -> GitSource | None:
    """The repository that the dbt project comes from, if it comes from one."""
    url = settings.DBT_GIT_URL.read()
    if not url:
        return None
    branch = settings.DBT_GIT_BRANCH.read() or None
    return GitSource(url=url, branch=branch, folder=settings.DBT_GIT_FOLDER.read().strip("/"))


def project_folder() -> Path:
    """The dbt project: the one that was synced from git, else the one here."""
    source = git_source()
    synced = source.synced(state_folder()) if source else None
    return synced or PROFILES
