"""From the landed zones file to a typed table, in whatever DuckDB connection is given."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

import duckdb

from taxi_assets import settings
from taxi_assets.errors import UnexpectedContentError
from taxi_assets.source.raw_files import LandedFile
from taxi_assets.sql import render
from taxi_assets.trips.csv_rows import read_rows
from taxi_assets.trips.diagnosis import explain_refusal, refusal
from taxi_assets.trips.reading import reading, require_all_rows, require_strict_rows
from taxi_assets.zones import ZONES, expected_zones


def stage_zones(connection: duckdb.DuckDBPyConnection, landed: LandedFile, *, table: str) -> int:
    """Create ``table`` with the zones of the landed file, and return their number.

    Raises:
        UnexpectedContentError: A row has too few or too many fields, a value is not of its column's kind, a zone has no
            number or that of another, or there are more or fewer zones than are expected.
        DamagedFileError: The file can't be read.
        duckdb.Error: DuckDB failed for a reason that is not in the file, such as a full disk.
    """
    require_strict_rows(landed, ZONES)
    _require_zones(landed)
    statement = render(__package__, "create_zones_table.sql", table=table, **reading(ZONES, landed))
    try:
        ((rows,),) = connection.execute(statement, {"path": str(landed.path)}).fetchall()
    except duckdb.Error as error:
        raise explain_refusal(landed, ZONES, error) from error
    require_all_rows(landed, rows)
    return int(rows)


def _require_zones(landed: LandedFile) -> None:
    """Make sure that all zones are there, each with a number of its own."""
    expected = expected_zones()
    if landed.rows != expected:
        raise UnexpectedContentError(
            f"{landed.path.name} has {landed.rows:,} zones instead of {expected:,}: nothing was loaded; fetch it "
            f"again, or set {settings.ZONE_COUNT} to {landed.rows} if its source has that many."
        )
    if problems := list(islice(_problems_of_numbers(landed), 4)):
        raise refusal(landed, ZONES, problems)


def _problems_of_numbers(landed: LandedFile) -> Iterator[str]:
    name = ZONES.columns[0].name
    place = landed.header.index(name)
    lines: dict[float, int] = {}
    for line, fields in read_rows(landed):
        text = fields[place]
        if not text:
            yield f"line {line:,}, column {name}: there is no number"
            continue
        first = lines.setdefault(float(text), line)
        if first != line:
            yield f"line {line:,}, column {name}: “{text}” is the number of line {first:,} too"
