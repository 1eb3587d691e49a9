"""Where the report's pages are kept: a folder for each warehouse, with a file for each month and one for all months."""

from pathlib import Path
from typing import Final

import dagster as dg
from pydantic import Field

from taxi_assets.errors import ReportError
from taxi_assets.files import make_private_folder, write_whole
from taxi_assets.months import Month
from taxi_assets.warehouses.kind import WarehouseKind

ALL_MONTHS: Final = "all_months"


class ReportFolder(dg.ConfigurableResource):  # type: ignore[type-arg]
    """The folder of the report's pages."""

    folder: str = Field(description="Folder of all pages, which is created if it is missing.")

    def path_of(self, warehouse: WarehouseKind, month: Month | None) -> Path:
        """The page of a month, or of all months."""
        return Path(self.folder).absolute() / warehouse.name / f"{month or ALL_MONTHS}.html"

    def other_pages(self, path: Path) -> list[Path]:
        """The other pages beside that one, the one over all months first."""
        return sorted(
            (other for other in path.parent.glob("[!.]*.html") if other != path),
            key=lambda other: (other.stem != ALL_MONTHS, other.stem),
        )

    def write(self, path: Path, page: str) -> None:
        """Write a whole page: a reader sees either the old page or the new one.

        Raises:
            ReportError: It can't be written.
        """
        try:
            make_private_folder(path.parent)
            write_whole(path, page)
        except OSError as error:
            raise ReportError(
                f"The report {path} can't be written ({error.strerror}): make room there, or set TAXI_HOME to a folder "
                "that can be written."
            ) from error
