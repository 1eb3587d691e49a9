"""Every SQL text that is sent to BigQuery is BigQuery's SQL, and each that touches main names one month's partition."""

from __future__ import annotations

from importlib import resources
from typing import Any

import pytest
import sqlglot
from sqlglot import exp

from taxi_assets.months import Month
from taxi_assets.taxis import Taxi, all_taxis
from taxi_assets.warehouses.bigquery import statements
from taxi_assets.warehouses.bigquery.dialect import DIALECT
from taxi_assets.warehouses.bigquery.statements import render_statement
from taxi_assets.warehouses.measures import profile_statement

DATASET = "a-project.a_dataset"
MONTH = Month(2020, 10)
LABELS = {"taxi": "any", "month": "2020-10"}
FIRST_DAY = exp.cast(exp.Literal.string("2020-10-01"), "DATE")


def parquet_columns(taxi: Taxi) -> list[tuple[str, str]]:
    """Names and types of a Parquet file's columns, in the order of the definition."""
    types = {"integer": "INT64", "decimal": "FLOAT64", "timestamp": "TIMESTAMP", "text": "STRING"}
    return [(column.name, types[column.kind]) for column in taxi.columns]


def all_statements(taxi: Taxi) -> dict[str, str]:
    """Each statement by the name of its template, and the measures of a month, which all warehouses share."""
    of_csv = {"header": taxi.header, "types": {}, "filename": taxi.csv_name(MONTH), "is_parquet": False}
    values: dict[str, dict[str, Any]] = {
        "create_external_table": {
            "columns": [(name, "STRING") for name in taxi.header],
            "uri": "gs://a/b.csv.gz",
            "is_parquet": False,
        },
        "create_external_table of Parquet": {
            "columns": parquet_columns(taxi),
            "uri": "gs://a-bucket/month.parquet",
            "is_parquet": True,
        },
        "create_month_table": of_csv,
        "create_month_table of Parquet": {
            **of_csv,
            "header": tuple(name for name, _ in parquet_columns(taxi)),
            "types": {name.lower(): type_ for name, type_ in parquet_columns(taxi)},
            "filename": "month.parquet",
            "is_parquet": True,
        },
        "publish_month": {},
        "create_main_table": {},
        "merge_month": {},
        "create_month_view": {"is_merged": True},
        "create_month_view of a loaded month": {"is_merged": False},
        "count_month": {},
        "delete_month": {},
        "read_table": {"name": taxi.table, "columns": taxi.header, "days": [MONTH.first_day]},
        "replace_table": {"name": "theirs", "incoming": "incoming", "columns": ["a"], "description": "It's."},
        "replace_months": {
            "name": "theirs",
            "incoming": "incoming",
            "columns": ["file_month", "a"],
            "days": [MONTH.first_day],
        },
        "count_zones": {"zones_table": "taxi_zones"},
    }
    main = DIALECT.quoting.identifier(f"{DATASET}.{taxi.table}")
    return {
        **{
            name: render_statement(
                name.partition(" ")[0], DATASET, **{"taxi": taxi, "month": MONTH, "labels": LABELS} | others
            )
            for name, others in values.items()
        },
        "profile_month": profile_statement(taxi, DIALECT, MONTH, main),
    }


def test_no_template_is_left_out(taxi: Taxi):
    shared = {"tables.sql", "values.sql"}
    templates = {file.name for file in resources.files(statements.__package__).joinpath("sql").iterdir()} - shared
    assert {f"{name.partition(' ')[0]}.sql" for name in all_statements(taxi)} - {"profile_month.sql"} == templates


NAMES = sorted(all_statements(next(iter(all_taxis().values()))))
pytestmark = pytest.mark.parametrize("taxi", all_taxis().values(), ids=lambda taxi: taxi.name)


def parsed(statement: str) -> exp.Expression:
    """The one statement of a text."""
    (tree,) = sqlglot.parse(statement, read="bigquery", error_level=sqlglot.ErrorLevel.RAISE)
    assert tree is not None
    return tree


def names_the_month(condition: exp.Expression) -> bool:
    """Whether one of the conditions that must all hold is that file_month is the constant first day."""
    parts = condition.flatten() if isinstance(condition, exp.And) else [condition]
    return any(
        isinstance(part, (exp.EQ, exp.In))
        and part.this.name == "file_month"
        and FIRST_DAY in ([part.expression] if isinstance(part, exp.EQ) else part.expressions)
        for part in (part.unnest() for part in parts)
    )


@pytest.mark.parametrize("name", NAMES)
def test_each_statement_is_one_of_bigquery(taxi: Taxi, name: str):
    tree = parsed(all_statements(taxi)[name])
    assert not tree.find(exp.Command), "sqlglot took it for something that it doesn't know"


@pytest.mark.parametrize("name", NAMES)
def test_each_table_is_named_with_its_project_and_dataset(taxi: Taxi, name: str):
    tree = parsed(all_statements(taxi)[name])
    common = {expression.alias for expression in tree.find_all(exp.CTE)}
    tables = [table for table in tree.find_all(exp.Table) if table.name not in common]
    qualified = [table for table in tables if f"{table.catalog}.{table.db}" == DATASET]
    assert qualified
    assert qualified == tables


@pytest.mark.parametrize("name", ["count_month", "delete_month", "profile_month", "read_table", "create_month_view"])
def test_what_reads_or_deletes_in_main_names_its_month(taxi: Taxi, name: str):
    where = parsed(all_statements(taxi)[name]).find(exp.Where)
    assert where is not None
    assert names_the_month(where.this)


def test_the_merge_names_its_month_wherever_it_looks_at_main(taxi: Taxi):
    merge = parsed(all_statements(taxi)["merge_month"])
    assert isinstance(merge, exp.Merge)
    assert names_the_month(merge.args["on"])
    for when in merge.args["whens"].expressions:
        assert names_the_month(when.args["condition"]), when.sql("bigquery")


def test_no_other_statement_touches_main_than_those_that_name_a_month(taxi: Taxi):
    touching = {
        name
        for name, statement in all_statements(taxi).items()
        if any(table.name == taxi.table for table in parsed(statement).find_all(exp.Table))
    }
    assert touching - {"create_main_table"} == {
        "merge_month",
        "create_month_view",
        "count_month",
        "delete_month",
        "profile_month",
        "read_table",
    }


def test_names_and_texts_cannot_break_out_of_their_quotes(taxi: Taxi):
    uri = "gs://a-bucket/it's `odd`\\'"
    tree = parsed(
        render_statement(
            "create_external_table",
            DATASET,
            taxi=taxi,
            month=MONTH,
            columns=[(name, "STRING") for name in taxi.header],
            uri=uri,
            is_parquet=False,
            labels={"a": "b'c\\"},
        )
    )
    literals = {literal.this for literal in tree.find_all(exp.Literal)}
    assert {uri, "b'c\\"} <= literals
