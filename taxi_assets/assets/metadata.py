"""Metadata: what an asset's page and its plots over months show."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import dagster as dg

from taxi_assets.source.files import LandedFile
from taxi_assets.taxis import Column, Taxi
from taxi_assets.warehouses.kind import WarehouseKind, table_columns
from taxi_assets.zones import ZONES_COLUMNS

_BYTES_PER_MIB = 1024 * 1024


def file_metadata(landed: LandedFile) -> dict[str, Any]:
    """About a landed file: sizes in bytes and MiB (2²⁰ bytes), rows, seconds, MiB and rows per second.

    A file that had landed before took no time, and its rates are those of looking, not of fetching, so they are zero.
    """
    rates = landed.fetched and landed.seconds > 0
    return {
        "file": landed.path.name,
        "path": dg.MetadataValue.path(str(landed.path)),
        "origin": landed.origin,
        "fetched": landed.fetched,
        "size (bytes)": landed.size,
        "size (MiB)": round(landed.size / _BYTES_PER_MIB, 2),
        **_csv_size(landed.csv_size),
        "sha256": landed.sha256,
        # With the origin, these say later whether the source has another version by now.
        **({"etag": landed.version.etag} if landed.version.etag else {}),
        **({"last modified": landed.version.last_modified} if landed.version.last_modified else {}),
        "dagster/row_count": landed.rows,
        "dagster/partition_row_count": landed.rows,
        "seconds": round(landed.seconds, 3),
        "MiB per second": round(landed.size / _BYTES_PER_MIB / landed.seconds, 2) if rates else 0.0,
        "rows per second": round(landed.rows / landed.seconds) if rates else 0,
        **({"notes": "; ".join(landed.notes)} if landed.notes else {}),
    }


def _csv_size(size: int | None) -> dict[str, Any]:
    return {"csv size (bytes)": size, "csv size (MiB)": round(size / _BYTES_PER_MIB, 1)} if size is not None else {}


def rows_metadata(rows: int, *, seconds: float, table: str) -> dict[str, Any]:
    """About rows written to a table: how many, in how many seconds, and per second."""
    return {
        "dagster/row_count": rows,
        "dagster/partition_row_count": rows,
        "dagster/table_name": table,
        "seconds": round(seconds, 3),
        "rows per second": round(rows / seconds) if seconds > 0 else 0,
    }


def column_schema(taxi: Taxi, warehouse: WarehouseKind) -> dg.TableSchema:
    """The columns of a taxi's tables, as the warehouse types them."""
    required = {"unique_row_id", "filename", "file_month", *(c.name for c in taxi.columns if c.required)}
    return dg.TableSchema(
        [
            dg.TableColumn(name, type_name, description, dg.TableColumnConstraints(nullable=name not in required))
            for name, type_name, description in table_columns(taxi, warehouse.id_type, warehouse.column_types)
        ]
    )


def raw_column_schema(columns: Sequence[Column]) -> dg.TableSchema:
    """The columns of a raw file, which are text."""
    return dg.TableSchema([dg.TableColumn(column.name, "text", column.description) for column in columns])


def zones_column_schema(warehouse: WarehouseKind) -> dg.TableSchema:
    """The columns of the zones table, as the warehouse types them."""
    return dg.TableSchema(
        [
            dg.TableColumn(
                column.name,
                warehouse.column_types[column.kind],
                column.description,
                dg.TableColumnConstraints(nullable=not column.required),
            )
            for column in ZONES_COLUMNS
        ]
    )
