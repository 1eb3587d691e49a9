"""Where dbt and its project are, from environment variables.

======================  ==========================================================================================
``TAXI_DBT``            the dbt command; default ``.venv-dbt/bin/dbt`` in the project, which ``make dbt`` installs;
                        without such a file the graph is without dbt
``TAXI_DBT_GIT_URL``    git repository with a dbt project to use instead of the one here; may hold a password
``TAXI_DBT_GIT_BRANCH`` branch of that repository; its default branch unless set
``TAXI_DBT_GIT_FOLDER`` folder of the dbt project in that repository; its top unless set
======================  ==========================================================================================
"""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path
from typing import Final

from taxi_assets import settings
from taxi_assets.dbt.git import GitSource

_HERE: Final = Path(__file__).resolve().parents[2]
PROFILES: Final = _HERE / "dbt"
"""Folder of the project's own models, and of the profiles that say where each warehouse is."""


def executable() -> Path:
    """The dbt command."""
    chosen = os.environ.get("TAXI_DBT")
    return Path(chosen).expanduser().absolute() if chosen else _HERE / ".venv-dbt" / "bin" / "dbt"


def is_installed() -> bool:
    """Whether there are dbt, its integration with Dagster, and a dbt project."""
    return executable().is_file() and PROFILES.is_dir() and importlib.util.find_spec("dagster_dbt") is not None


def state_folder() -> Path:
    """Where everything is kept that dbt writes. It need not exist yet."""
    return settings.home() / "dbt"


def manifests_folder(project: Path) -> Path:
    """Where is kept what dbt knows about a project: of the one here, beside dbt, as it is the same in every home."""
    ours = project == PROFILES and os.access(executable().parents[1], os.W_OK)
    return (executable().parents[1] if ours else state_folder()) / "manifests"


def git_source() -> GitSource | None:
    """The repository that the dbt project comes from, if it comes from one."""
    url = os.environ.get("TAXI_DBT_GIT_URL")
    if not url:
        return None
    folder = os.environ.get("TAXI_DBT_GIT_FOLDER", "").strip("/")
    return GitSource(url=url, branch=os.environ.get("TAXI_DBT_GIT_BRANCH") or None, folder=folder)


def project_folder() -> Path:
    """The dbt project: the one that was synced from git, else the one here."""
    source = git_source()
    synced = source.synced(state_folder()) if source else None
    return synced or PROFILES
