"""Google's own SQL engine accepts each statement for BigQuery, with the columns that its tables have there."""

from __future__ import annotations

import pytest

from taxi_assets.taxis import Taxi
from taxi_assets_tests.gcp.test_statements import MONTH, NAMES, all_statements, parquet_columns
from taxi_assets_tests.zetasql.catalog import TAXIS, tables_of
from taxi_assets_tests.zetasql.running import Columns, ZetaSQL, ZetaSQLError

pytestmark = [
    pytest.mark.xdist_group("zetasql"),
    pytest.mark.parametrize("taxi", TAXIS, ids=lambda taxi: taxi.name),
]


def raw_file_of(taxi: Taxi, statement: str) -> Columns:
    """The columns of the external table that a statement is about."""
    texts = dict.fromkeys(taxi.header, "STRING")
    return texts | dict(parquet_columns(taxi)) if statement.endswith("of Parquet") else texts


@pytest.mark.parametrize("name", NAMES)
def test_zetasql_accepts_each_statement(zetasql: ZetaSQL, taxi: Taxi, name: str):
    zetasql.analyze(all_statements(taxi)[name], tables_of(taxi, MONTH, raw_file_of(taxi, name)))


@pytest.mark.parametrize("name", ["create_month_table", "merge_month", "profile_month", "create_month_view"])
def test_zetasql_looks_up_each_column(zetasql: ZetaSQL, taxi: Taxi, name: str):
    pickup = taxi.pickup
    tables = {
        table: {column: type_ for column, type_ in columns.items() if column != pickup}
        for table, columns in tables_of(taxi, MONTH, raw_file_of(taxi, name)).items()
    }
    with pytest.raises(ZetaSQLError, match=pickup):
        zetasql.analyze(all_statements(taxi)[name], tables)
