"""Where dbt, the dbt project and the files that dbt writes are."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path
from typing import Final

from taxi_assets import settings
from taxi_assets.dbt.git import GitSource

PROFILES: Final = settings.PROJECT_FOLDER / "dbt"
"""Folder of the project's own models, and of the profiles by which dbt connects to each warehouse."""


def is_installed() -> bool:
    """Whether dbt, its integration with Dagster, and a dbt project are there."""
    has_dbt = settings.dbt_executable().is_file() and PROFILES.is_dir()
    return has_dbt and importlib.util.find_spec("dagster_dbt") is not None


def state_folder() -> Path:
    """The folder of all files that dbt writes. It need not exist yet."""
    return settings.home() / "dbt"


def manifests_folder(project: Path) -> Path:
    """The folder of a project's manifests: beside dbt for the project here, since every home needs the same ones."""
    beside_dbt = settings.dbt_executable().parents[1]
    ours = project == PROFILES and os.access(beside_dbt, os.W_OK)
    return (beside_dbt if ours else state_folder()) / "manifests"


def git_source() -> GitSource | None:
    """The git repository of the dbt project, if a setting names one."""
    url = settings.DBT_GIT_URL.read()
    if not url:
        return None
    branch = settings.DBT_GIT_BRANCH.read() or None
    return GitSource(url=url, branch=branch, folder=settings.DBT_GIT_FOLDER.read().strip("/"))


def project_folder() -> Path:
    """The folder of the dbt project: the one from git if it has been synced, else the one here."""
    source = git_source()
    synced = source.synced(state_folder()) if source else None
    return synced or PROFILES
