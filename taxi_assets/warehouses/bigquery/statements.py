"""Renders the templates of the folder ``sql``, from which all statements for BigQuery are made."""

from __future__ import annotations

from typing import Any, Final

from taxi_assets.months import Month
from taxi_assets.ownership import COMMENT_PREFIX
from taxi_assets.taxis import ADDED_COLUMNS, Taxi
from taxi_assets.trips.columns import NOT_TEXT, ROUNDING_ERROR
from taxi_assets.warehouses.bigquery.dialect import DIALECT
from taxi_assets.warehouses.trip_tables import KEY, column_names, staging_table, table_columns

REFUSAL: Final = "no value of column "
"""Beginning of the error with which the monthly table's statement fails on a value; column and value follow."""


def render_statement(template: str, dataset: str, **values: Any) -> str:
    """Render a template of the folder ``sql``, with functions for the dataset's tables and a taxi's columns.

    Args:
        template: Name of the template, without ``.sql``.
        dataset: Project and dataset.
        values: Values for the template, mostly ``taxi``, ``month`` and ``labels``.
    """

    def table(name: str) -> str:
        """A table's full name, ``project.dataset.table``."""
        return DIALECT.quoting.identifier(f"{dataset}.{name}")

    return DIALECT.render(
        __package__,
        f"{template}.sql",
        table=table,
        external_table=external_table,
        staging_table=staging_table,
        loaded_table=loaded_table,
        columns_of=lambda taxi: table_columns(taxi, DIALECT),
        names_of=lambda taxi: column_names(taxi, DIALECT),
        value_names_of=lambda taxi: column_names(taxi, DIALECT, without=KEY),
        cluster_of=_cluster,
        required=ADDED_COLUMNS,
        day=DIALECT.day,
        comment_prefix=COMMENT_PREFIX,
        rounding_error=ROUNDING_ERROR,
        not_text=NOT_TEXT,
        refusal=REFUSAL,
        **values,
    )


def external_asset(taxi: Taxi) -> str:
    """Last part of the keys of the external tables' assets."""
    return f"{taxi.table}_ext"


def external_table(taxi: Taxi, month: Month) -> str:
    """Name of the external table over one month's raw file."""
    return f"{taxi.month_table(month)}_ext"


def loaded_table(taxi: Taxi, month: Month) -> str:
    """Name of a month's complete table until the month is merged; the month's own name is a view of it."""
    return f"{taxi.month_table(month)}_loaded"


def _cluster(taxi: Taxi) -> list[str]:
    """The columns by which rows are clustered within a month: the pickup and the zones."""
    columns = (taxi.column_for(meaning) for meaning in ("pickup", "pickup_zone", "dropoff_zone"))
    return [column.name for column in columns if column is not None]
