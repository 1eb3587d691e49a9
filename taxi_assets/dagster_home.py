"""The folder of Dagster's own state: DAGSTER_HOME if it is set, else a folder in the project's home.

``python -m taxi_assets.dagster_home`` makes the folder and prints its path.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from taxi_assets import settings
from taxi_assets.errors import SettingsError
from taxi_assets.files import make_private_folder, write_whole

_INSTANCE_SETTINGS: Final = settings.PROJECT_FOLDER / "dagster.yaml"


def dagster_home() -> Path:
    """Make the folder, with the project's dagster.yaml in it, and return its path.

    A DAGSTER_HOME that the user has set gets the file only if it has none.

    Raises:
        SettingsError: The folder can't be made.
    """
    chosen = settings.dagster_home()
    folder = chosen or settings.home() / "dagster"
    copy = folder / "dagster.yaml"
    try:
        make_private_folder(folder)
        if _INSTANCE_SETTINGS.is_file() and not (chosen and copy.exists()):
            put_instance_settings(_INSTANCE_SETTINGS, folder)
    except OSError as error:
        raise SettingsError(
            f"The folder {folder} for Dagster's state can't be written ({error.strerror}): "
            "set TAXI_HOME or DAGSTER_HOME to a folder that can be written."
        ) from error
    return folder


def put_instance_settings(settings: Path, folder: Path) -> None:
    """Put the settings of the instance into the folder, in one step, since a run may be reading the old ones.

    Raises:
        OSError: The folder can't be written.
    """
    write_whole(folder / "dagster.yaml", settings.read_bytes())


if __name__ == "__main__":
    print(dagster_home())
