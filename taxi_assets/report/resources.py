"""Where the report's pages are kept: a folder for each warehouse, with a file for each month and one for all months."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import dagster as dg
from filelock import FileLock
from pydantic import Field

from taxi_assets.errors import ReportError
from taxi_assets.files import make_private_folder, write_whole
from taxi_assets.months import Month
from taxi_assets.warehouses.kind import WarehouseKind

ALL_MONTHS: Final = "all_months"
_PAGE_OF_A_MONTH: Final = "[0-9][0-9][0-9][0-9]-[01][0-9].html"


class ReportFolder(dg.ConfigurableResource):  # type: ignore[type-arg]
    """The folder of the report's pages."""

    folder: str = Field(description="Folder of all pages, which is created if it is missing.")

    def path_of(self, warehouse: WarehouseKind, month: Month | None) -> Path:
        """The page of a month, or of all months."""
        return Path(self.folder).absolute() / warehouse.name / f"{month or ALL_MONTHS}.html"

    def pages(self, warehouse: WarehouseKind) -> Mapping[Month | None, Path]:
        """The pages that there are: the one over all months (None), then the months in their order."""
        whole = self.path_of(warehouse, None)
        of_months = sorted(whole.parent.glob(_PAGE_OF_A_MONTH))
        return {
            **({None: whole} if whole.exists() else {}),
            **{Month.parse(path.stem): path for path in of_months},
        }

    def write(self, path: Path, page: str) -> None:
        """Write a whole page: a reader sees either the old page or the new one.

        Raises:
            ReportError: It can't be written.
        """
        with _writing(path):
            make_private_folder(path.parent)
            with _alone(path.parent):
                write_whole(path, page)

    def change(self, path: Path, change: Callable[[str], str]) -> None:
        """Change a page, unless the change leaves it as it is.

        Raises:
            ReportError: It can't be written.
        """
        with _writing(path), _alone(path.parent):
            before = path.read_text("utf-8")
            after = change(before)
            if after != before:
                write_whole(path, after)


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Let one process at a time write pages: another could put back a page that it read before."""
    with FileLock(folder / ".lock"):
        yield


@contextmanager
def _writing(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise ReportError(
            f"The report {path} can't be written ({error.strerror}): make room there, or set TAXI_HOME to a folder "
            "that can be written."
        ) from error
