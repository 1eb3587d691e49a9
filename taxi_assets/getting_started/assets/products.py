"""Products: from a web service to a table of average prices, by way of Polars and DuckDB."""

import json
from collections.abc import Sequence
from typing import Any, Final

import dagster as dg
from pydantic import Field

from taxi_assets.dagster_errors import as_dagster_failures
from taxi_assets.errors import SettingsError
from taxi_assets.getting_started.names import GROUP, VALUES
from taxi_assets.getting_started.resources.products_source import Product, ProductsSource
from taxi_assets.sql import render

NOT_AVAILABLE: Final = "N/A"
"""The text in a column for a product that has no value for it."""

_NEEDED: Final = ("brand", "price")
_SHOWN_ROWS: Final = 10


class ChosenColumns(dg.Config):
    """Which columns to keep."""

    columns: list[str] = Field(default=list(_NEEDED), description="Names of the products' values to keep.")


@dg.asset(
    key_prefix=GROUP,
    description="Products as the web service returns them, or the project's own sample (TAXI_PRODUCTS=sample).",
    kinds={"json", "python"},
    io_manager_key=VALUES,
)
def raw_products(context: dg.AssetExecutionContext, products: ProductsSource) -> list[dict[str, Any]]:
    """Fetch the products."""
    with as_dagster_failures():
        found = products.fetch()
    context.add_output_metadata({"dagster/row_count": len(found), "source": products.name})
    return found


@dg.asset(
    key_prefix=GROUP,
    description=(
        "The chosen columns of all products, as a Polars DataFrame. A product without a value for a column has "
        f"{NOT_AVAILABLE} there."
    ),
    kinds={"polars", "python"},
    io_manager_key=VALUES,
)
def chosen_products(
    context: dg.AssetExecutionContext, config: ChosenColumns, raw_products: list[dict[str, Any]]
) -> Any:
    """Keep the chosen columns."""
    with as_dagster_failures():
        frame = choose(raw_products, config.columns)
    context.add_output_metadata(
        {
            "dagster/row_count": frame.height,
            "columns": ", ".join(frame.columns),
            "first rows": dg.MetadataValue.table(
                [
                    dg.TableRecord({name: str(value) for name, value in row.items()})
                    for row in frame.head(_SHOWN_ROWS).to_dicts()
                ]
            ),
        }
    )
    return frame


@dg.asset(
    key_prefix=GROUP,
    description="Average price of each brand's products in US dollars, as a table in the warehouse.",
    metadata={
        "dagster/column_schema": dg.TableSchema(
            [
                dg.TableColumn("brand", "VARCHAR", f"The brand; {NOT_AVAILABLE} for products without one."),
                dg.TableColumn(
                    "average_price", "DOUBLE", "Mean price in US dollars, to the cent; null without prices."
                ),
                dg.TableColumn("products", "BIGINT", "Products of that brand, with and without a price."),
            ]
        ),
        "dagster/table_name": "average_price_by_brand",
    },
    kinds={"duckdb", "table"},
)
def average_price_by_brand(chosen_products: Any) -> Any:
    """Average the prices in DuckDB, which reads the Polars DataFrame in place."""
    import duckdb  # noqa: PLC0415

    missing = [name for name in _NEEDED if name not in chosen_products.columns]
    with as_dagster_failures():
        if missing:
            raise SettingsError(
                f"The chosen products have no column {' and no column '.join(missing)}, which the average price needs: "
                f"add {' and '.join(missing)} to columns of {GROUP}/chosen_products, then run again."
            )
    products = duckdb.connect().from_arrow(chosen_products.to_arrow())
    return products.query("products", render(__package__, "average_price_by_brand.sql"))


def choose(products: Sequence[Product], columns: Sequence[str]) -> Any:
    """The chosen columns of all products as a Polars DataFrame, in the order given.

    A column that every product has keeps its type. A column that is missing in some products becomes text, with
    ``NOT_AVAILABLE`` for those. Lists and objects become JSON.

    Raises:
        SettingsError: No column is chosen, or a column is chosen twice.
    """
    # The import takes a quarter of a second, which other commands need not wait for.
    import polars as pl  # noqa: PLC0415

    if not columns or len(set(columns)) < len(columns):
        raise SettingsError(
            f"The chosen columns {list(columns)} are empty or repeat a name: choose each of them once, for example "
            "brand, price."
        )
    return pl.DataFrame([_column(name, [product.get(name) for product in products]) for name in columns])


def _column(name: str, values: Sequence[Any]) -> Any:
    import polars as pl  # noqa: PLC0415

    plain = [json.dumps(value) if isinstance(value, list | dict) else value for value in values]
    kinds = {type(value) for value in plain}
    if kinds == {int, float}:
        return pl.Series(name, [float(value) for value in plain])
    if len(kinds) == 1 and None not in plain:
        return pl.Series(name, plain)
    return pl.Series(name, [NOT_AVAILABLE if value is None else str(value) for value in plain], dtype=pl.String)
