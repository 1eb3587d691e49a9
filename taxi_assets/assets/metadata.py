"""The metadata that Dagster shows on an asset's page and in its plots over months."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import dagster as dg

from taxi_assets.progress import MIB, transfer_metadata
from taxi_assets.settings import SAMPLE_NAME
from taxi_assets.source.raw_files import LandedFile
from taxi_assets.taxis import ADDED_COLUMNS, Column, Taxi
from taxi_assets.warehouses.kind import WarehouseKind
from taxi_assets.warehouses.trip_tables import table_columns
from taxi_assets.zones import ZONES_COLUMNS

ORIGIN: Final = "origin"
"""Metadata that names where the rows come from."""

_SAMPLE: Final = "This project made these rows up. They are not published data."


def origin_metadata(origin: str) -> dict[str, str]:
    """Where the rows of a file or table come from, and what that means if it is the sample."""
    return {ORIGIN: origin, **({"sample": _SAMPLE} if origin == SAMPLE_NAME else {})}


def file_metadata(landed: LandedFile) -> dict[str, Any]:
    """Metadata of a landed file: sizes in bytes and MiB (2²⁰ bytes), rows, seconds, MiB and rows per second.

    The rates of a file that had landed before are zero, because nothing was fetched.
    """
    is_measured = landed.fetched and landed.seconds > 0
    return {
        "file": landed.path.name,
        "path": dg.MetadataValue.path(str(landed.path)),
        **origin_metadata(landed.origin),
        "fetched": landed.fetched,
        **transfer_metadata(landed.size, landed.seconds, transferred=landed.fetched),
        **_csv_size(landed.csv_size),
        "sha256": landed.sha256,
        # By these and the origin, the sensor finds out later whether the source has another version.
        **({"etag": landed.version.etag} if landed.version.etag else {}),
        **({"last modified": landed.version.last_modified} if landed.version.last_modified else {}),
        "dagster/row_count": landed.rows,
        "dagster/partition_row_count": landed.rows,
        "rows per second": round(landed.rows / landed.seconds) if is_measured else 0,
        **({"notes": "; ".join(landed.notes)} if landed.notes else {}),
    }


def _csv_size(size: int | None) -> dict[str, Any]:
    return {"csv size (bytes)": size, "csv size (MiB)": round(size / MIB, 1)} if size is not None else {}


def rows_metadata(rows: int, *, seconds: float, table: str) -> dict[str, Any]:
    """Metadata of rows that were written to a table: how many, in how many seconds, and per second."""
    return {
        "dagster/table_name": table,
        "seconds": round(seconds, 3),
        "rows per second": round(rows / seconds) if seconds > 0 else 0,
    }


def column_schema(taxi: Taxi, warehouse: WarehouseKind) -> dg.TableSchema:
    """The columns of a taxi's tables, with the warehouse's types."""
    required = {*ADDED_COLUMNS, *(warehouse.dialect.spelling(c.name) for c in taxi.columns if c.required)}
    return dg.TableSchema(
        [
            dg.TableColumn(*column, dg.TableColumnConstraints(nullable=column.name not in required))
            for column in table_columns(taxi, warehouse.dialect)
        ]
    )


def raw_column_schema(columns: Sequence[Column]) -> dg.TableSchema:
    """The columns of a raw file, all of them text."""
    return dg.TableSchema([dg.TableColumn(column.name, "text", column.description) for column in columns])


def zones_column_schema(warehouse: WarehouseKind) -> dg.TableSchema:
    """The columns of the zones table, with the warehouse's spelling and types."""
    return dg.TableSchema(
        [
            dg.TableColumn(
                warehouse.dialect.spelling(column.name),
                warehouse.dialect.column_types[column.kind],
                column.description,
                dg.TableColumnConstraints(nullable=not column.required),
            )
            for column in ZONES_COLUMNS
        ]
    )
