"""From the landed zones file to a typed table, in whatever DuckDB connection is given."""

from __future__ import annotations

import duckdb

from taxi_assets.errors import UnexpectedContentError
from taxi_assets.source.files import LandedFile
from taxi_assets.sql import render
from taxi_assets.trips.columns import COLUMN_TYPES
from taxi_assets.zones import ZONES_COLUMNS


def stage_zones(connection: duckdb.DuckDBPyConnection, landed: LandedFile, *, table: str) -> int:
    """Create ``table`` with the zones of the landed file, and return their number.

    Raises:
        UnexpectedContentError: The file can't be read as zones.
    """
    by_name = {column.name: column for column in ZONES_COLUMNS}
    statement = render(
        __package__,
        "create_zones_table.sql",
        table=table,
        columns=ZONES_COLUMNS,
        file_columns=[by_name[name] for name in landed.header],
        column_types=COLUMN_TYPES,
    )
    try:
        ((rows,),) = connection.execute(statement, {"path": str(landed.path)}).fetchall()
    except (duckdb.ConversionException, duckdb.InvalidInputException) as error:
        cause = str(error).partition("\n")[0]
        raise UnexpectedContentError(
            f"{landed.path.name} is not a table of taxi zones ({cause}): correct it at its source or fetch it again."
        ) from error
    return int(rows)
