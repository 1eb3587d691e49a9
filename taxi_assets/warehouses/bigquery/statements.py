"""Every SQL text that is sent to BigQuery about trips, as functions of what it is about."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Final

from taxi_assets.months import Month
from taxi_assets.ownership import COMMENT_PREFIX
from taxi_assets.sql import backticks, render
from taxi_assets.taxis import Column, Taxi
from taxi_assets.trips.columns import NOT_TEXT, ROUNDING_ERROR
from taxi_assets.warehouses.bigquery.columns import COLUMN_TYPES, ID_TYPE
from taxi_assets.warehouses.kind import table_columns

KEY: Final = ("unique_row_id", "file_month")
REFUSAL: Final = "no value of column "
"""How the error begins with which the monthly table's statement fails on a value; column and value follow."""

_OURS: Final = ("unique_row_id", "filename", "file_month")

Labels = Mapping[str, str]


def table_name(dataset: str, table: str) -> str:
    """A table's full name, ``project.dataset.table``, as SQL writes it."""
    return backticks(f"{dataset}.{table}")


def external_table(taxi: Taxi) -> str:
    """Last part of the keys of the external tables' assets."""
    return f"{taxi.table}_ext"


def month_external_table(taxi: Taxi, month: Month) -> str:
    """Name of the external table over one month's raw file."""
    return f"{taxi.month_table(month)}_ext"


def coming_table(taxi: Taxi, month: Month) -> str:
    """Name of a month's table until it is whole and has its own."""
    return f"{taxi.month_table(month)}_coming"


def create_external_table(
    dataset: str,
    taxi: Taxi,
    month: Month,
    *,
    columns: Sequence[tuple[str, str]],
    uri: str,
    labels: Labels,
    is_parquet: bool = False,
) -> str:
    """Makes the external table over the object at ``uri``.

    Args:
        dataset: Project and dataset.
        taxi: The taxi.
        month: The month.
        columns: Name and type of each column of the file, in its order.
        uri: Where the object is.
        labels: What the table is labelled with.
        is_parquet: Whether the object is a Parquet file rather than a compressed CSV.
    """
    return render(
        __package__,
        "create_external_parquet_table.sql" if is_parquet else "create_external_table.sql",
        table=table_name(dataset, month_external_table(taxi, month)),
        columns=columns,
        uri=uri,
        description=f"{COMMENT_PREFIX}{taxi.title} trips of {month}, as they are in the raw file.",
        labels=labels,
    )


def create_month_table(
    dataset: str, taxi: Taxi, month: Month, *, header: Sequence[str], filename: str, labels: Labels
) -> str:
    """Makes the monthly table, under the name it has until it is whole, from the external table.

    Args:
        dataset: Project and dataset.
        taxi: The taxi.
        month: The month.
        header: Names of those of the taxi's columns that the file has; the others are null.
        filename: Name of the file, which tells whether it is Parquet.
        labels: What the table is labelled with.
    """
    return render(
        __package__,
        "create_month_table.sql",
        taxi=taxi,
        table=table_name(dataset, coming_table(taxi, month)),
        external_table=table_name(dataset, month_external_table(taxi, month)),
        columns=columns(taxi),
        required=_OURS,
        identity=[taxi.column(name) for name in taxi.identity],
        header=header,
        is_parquet=filename.endswith(".parquet"),
        filename=filename,
        file_month=str(month.first_day),
        rounding_error=ROUNDING_ERROR,
        not_text=NOT_TEXT,
        refusal=REFUSAL,
        description=f"{COMMENT_PREFIX}{taxi.title} trips of {month}, not merged yet.",
        labels=labels,
    )


def rename_table(dataset: str, table: str, new_name: str) -> str:
    """Gives a table another name in the same dataset."""
    return render(__package__, "rename_table.sql", table=table_name(dataset, table), new_name=new_name)


def create_main_table(dataset: str, taxi: Taxi, *, labels: Labels) -> str:
    """Makes the main table unless it is there."""
    return render(
        __package__,
        "create_main_table.sql",
        taxi=taxi,
        table=table_name(dataset, taxi.table),
        columns=columns(taxi),
        required=_OURS,
        cluster=_cluster(taxi),
        description=f"{COMMENT_PREFIX}{taxi.title} trips, all months. {taxi.description}",
        labels=labels,
    )


def merge_month(dataset: str, taxi: Taxi, month: Month) -> str:
    """Makes the month's partition of main exactly the monthly table."""
    names = [name for name, _, _ in columns(taxi)]
    return render(
        __package__,
        "merge_month.sql",
        main=table_name(dataset, taxi.table),
        month_table=table_name(dataset, taxi.month_table(month)),
        file_month=str(month.first_day),
        all_columns=names,
        value_columns=[name for name in names if name not in KEY],
    )


def create_month_view(dataset: str, taxi: Taxi, month: Month, *, labels: Labels) -> str:
    """Makes the month's name a view of main."""
    return render(
        __package__,
        "create_month_view.sql",
        table=table_name(dataset, taxi.month_table(month)),
        main=table_name(dataset, taxi.table),
        all_columns=[name for name, _, _ in columns(taxi)],
        file_month=str(month.first_day),
        description=f"{COMMENT_PREFIX}{taxi.title} trips of {month}, a part of {taxi.table}.",
        labels=labels,
    )


def count_month(dataset: str, taxi: Taxi, month: Month) -> str:
    """Counts the month's rows in main."""
    main = table_name(dataset, taxi.table)
    return render(__package__, "count_month.sql", main=main, file_month=str(month.first_day))


def delete_month(dataset: str, taxi: Taxi, month: Month) -> str:
    """Deletes the month's rows from main."""
    main = table_name(dataset, taxi.table)
    return render(__package__, "delete_month.sql", main=main, file_month=str(month.first_day))


def profile_month(dataset: str, taxi: Taxi, month: Month, table: str) -> str:
    """Measures the month in the monthly or the main table."""
    return render(
        __package__,
        "profile_month.sql",
        taxi=taxi,
        table=table_name(dataset, table),
        first_day=str(month.first_day),
        next_month=str(month.next().first_day),
    )


def read_table(dataset: str, table: str, names: Sequence[str], days: Sequence[date] | None) -> str:
    """Reads those columns of a table, and of those months only if any are given."""
    return render(
        __package__,
        "read_table.sql",
        table=table_name(dataset, table),
        columns=names,
        days=None if days is None else [str(day) for day in days],
    )


def replace_table(dataset: str, table: str, incoming: str, names: Sequence[str], *, description: str) -> str:
    """Puts the rows of ``incoming`` in the place of a whole table."""
    return render(
        __package__,
        "replace_table.sql",
        table=table_name(dataset, table),
        incoming=table_name(dataset, incoming),
        columns=names,
        description=COMMENT_PREFIX + description,
    )


def replace_months(dataset: str, table: str, incoming: str, names: Sequence[str], days: Sequence[date]) -> str:
    """Puts the rows of ``incoming`` in the place of those months of a table."""
    return render(
        __package__,
        "replace_months.sql",
        table=table_name(dataset, table),
        incoming=table_name(dataset, incoming),
        columns=names,
        days=[str(day) for day in days],
    )


def count_zones(dataset: str, table: str) -> str:
    """Counts the rows of the zones table, and the distinct zone numbers in it."""
    return render(__package__, "count_zones.sql", table=table_name(dataset, table))


def columns(taxi: Taxi) -> Sequence[tuple[str, str, str]]:
    """Name, type and description of the columns that monthly and main tables have."""
    return table_columns(taxi, ID_TYPE, COLUMN_TYPES)


def _cluster(taxi: Taxi) -> Sequence[str]:
    """What rows are kept by within a month: when a trip began, then its places."""

    def is_place(column: Column) -> bool:
        return column.kind == "integer" and column.required and column.name in taxi.identity

    return [taxi.pickup, *(column.name for column in taxi.columns if is_place(column))]
