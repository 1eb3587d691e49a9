"""Products: from a web service to a table of average prices, by way of Polars and DuckDB."""

import json
from collections.abc import Sequence
from typing import Any, Final

import dagster as dg
from pydantic import Field

from taxi_assets.assets.stages import OWNERS
from taxi_assets.dagster_errors import as_dagster_failures
from taxi_assets.errors import SettingsError
from taxi_assets.getting_started.names import GROUP, VALUES
from taxi_assets.getting_started.products_source import Product, ProductsSource
from taxi_assets.sql import render

NOT_AVAILABLE: Final = "N/A"
"""What stands in a column that a product lacks."""

_NEEDED: Final = ("brand", "price")
_SHOWN_ROWS: Final = 10


class ChosenColumns(dg.Config):
    """Which columns to keep."""

    columns: list[str] = Field(default=list(_NEEDED), description="Names of the products' values to keep.")


@dg.asset(
    key_prefix=GROUP,
    description="Products as the web service gives them, or the project's own sample (TAXI_PRODUCTS=sample).",
    kinds={"json", "python"},
    group_name=GROUP,
    owners=OWNERS,
    code_version="1",
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
        f"The chosen columns of all products, as a Polars DataFrame. A product without one of them has {NOT_AVAILABLE}."
    ),
    kinds={"polars", "python"},
    group_name=GROUP,
    owners=OWNERS,
    code_version="1",
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
    description="Average price of each brand's products in US dollars, as a table of the warehouse.",
    metadata={
        "dagster/column_schema": dg.TableSchema(
            [
                dg.TableColumn("brand", "VARCHAR", f"The brand; {NOT_AVAILABLE} where a product has none."),
                dg.TableColumn(
                    "average_price", "DOUBLE", "Mean price in US dollars, to the cent; null without prices."
                ),
                dg.TableColumn("products", "BIGINT", "Products of that brand, with a price or not."),
            ]
        ),
        "dagster/table_name": "average_price_by_brand",
    },
    kinds={"duckdb", "table"},
    group_name=GROUP,
    owners=OWNERS,
    code_version="1",
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
    """Those columns of all products as a Polars DataFrame, in that order.

    A column that every product has keeps its type; one that some product lacks becomes text, so that it can say so.
    Lists and objects become JSON.

    Raises:
        SettingsError: No column is chosen, or one twice.
    """
    # Takes a quarter of a second, for which nobody else should wait.
    import polars as pl  # noqa: PLC0415

    if not columns or len(set(columns)) < len(columns):
        raise SettingsError(
            f"The columns {list(columns)} are none or name one twice: choose each of them once, "
            "for example brand, price."
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


products_job = dg.define_asset_job(
    "products",
    selection=dg.AssetSelection.assets(raw_products, chosen_products, average_price_by_brand),
    description="Fetches products and averages their prices by brand.",
    tags={"group": GROUP},
)
