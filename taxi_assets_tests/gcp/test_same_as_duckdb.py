"""What BigQuery hands out and measures is what DuckDB hands out and measures for the same months. (Emulator tests.)"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

import dagster as dg
import duckdb
import pandas as pd
import pyarrow as pa
import pytest

from emulators.running import Emulators
from taxi_assets.months import Month
from taxi_assets.report.summary import summarize
from taxi_assets.warehouses import bigquery as cloud
from taxi_assets.warehouses import duckdb as embedded
from taxi_assets.warehouses.bigquery.io_manager import BigQueryIOManager
from taxi_assets.warehouses.duckdb.io_manager import DuckDBIOManager
from taxi_assets_tests.csv_files import put_sample
from taxi_assets_tests.gcp.project import GcpProject
from taxi_assets_tests.paths import REAL_DATA, needs_real_data
from taxi_assets_tests.postgres.test_same_as_duckdb import _ignore
from taxi_assets_tests.project import FEBRUARY, GREEN, JANUARY, YELLOW, Outcome
from taxi_assets_tests.users_assets import Managers, handed_out, materialize, tips_by_month

BOTH = (embedded.WAREHOUSE, cloud.WAREHOUSE)
RANGE = {"dagster/asset_partition_range_start": "2019-01", "dagster/asset_partition_range_end": "2019-02"}
LOG = logging.getLogger(__name__)
ROWS = 300


def load_in_both(project: GcpProject, months: str, taxi=GREEN, **settings: Any) -> dict[str, Outcome]:
    project.warehouses = BOTH
    outcomes = {}
    for kind in BOTH:
        project.kind = kind
        outcomes[kind.name] = project.run(months, taxi, **settings)
        assert outcomes[kind.name].success, outcomes[kind.name].error
    return outcomes


@pytest.fixture(scope="module")
def in_both(tmp_path_factory: pytest.TempPathFactory, faithful_emulators: Emulators) -> GcpProject:
    """Two of the sample's months, oddities included, in both warehouses; tests leave them alone."""
    project = GcpProject(tmp_path_factory.mktemp("both"), faithful_emulators)
    project.set_up()
    for month in (JANUARY, FEBRUARY):
        put_sample(project.source, GREEN, month, ROWS)
    load_in_both(project, "2019-01...2019-02", checks=False)
    return project


def assert_same(project: GcpProject, taxi, months: Sequence[Month]) -> None:
    """Every measured number and every row of these months is the same."""
    for month in months:
        for role in ("month", "main"):
            here = project.warehouse().profile_month(taxi, month, role, LOG)
            there = project.bigquery().profile_month(taxi, month, role, LOG)
            assert here.rows > 0
            assert there == here


def managers(project: GcpProject) -> Managers:
    return {
        "duckdb": DuckDBIOManager(warehouse=project.warehouse()),
        "bigquery": BigQueryIOManager(warehouse=project.bigquery()),
    }


@pytest.mark.parametrize("wanted", [pd.DataFrame, pa.RecordBatchReader, duckdb.DuckDBPyRelation])
def test_assets_get_the_same_months_from_both(in_both: GcpProject, wanted: type):
    for name, partition, rows in (
        (GREEN.table, {"partition_key": "2019-02"}, ROWS),
        (GREEN.month_asset, {"tags": RANGE}, 2 * ROWS),
    ):
        here, there = (handed_out(managers(in_both), warehouse, name, wanted, **partition) for warehouse in BOTH)
        assert here[0] == there[0]
        assert here[1] == there[1]
        assert len(there[1]) == rows


def test_a_relation_can_be_read_again_and_without_months_is_the_whole_table(in_both: GcpProject):
    relation = in_both.bigquery().read(GREEN.table, None)
    for _ in range(2):
        assert relation.aggregate("count(*)").fetchall() == [(2 * ROWS,)]
    assert len(relation.limit(3).fetchall()) == 3


@pytest.mark.parametrize("month", [JANUARY, None], ids=["a month", "all months"])
def test_the_report_says_the_same_of_both(in_both: GcpProject, month: Month | None):
    assert summarize(in_both.bigquery(), "bigquery", month) == summarize(in_both.warehouse(), "duckdb", month)


def test_a_missing_table_is_named_in_one_sentence(in_both: GcpProject):
    asset = dg.asset(name="look", ins={"trips": dg.AssetIn(["bigquery", "yellow_tripdata"])})(_ignore)
    spec = dg.AssetSpec(["bigquery", "yellow_tripdata"]).with_io_manager_key("io_manager")
    manager = BigQueryIOManager(warehouse=in_both.bigquery())
    result = dg.materialize([spec, asset], selection=[asset], resources={"io_manager": manager}, raise_on_error=False)
    (failure,) = [event for event in result.all_events if event.is_step_failure]
    assert "has no table yellow_tripdata: materialize the asset of that table first." in str(failure.step_failure_data)


@pytest.mark.parametrize("kind", [pd.DataFrame, pa.RecordBatchReader, duckdb.DuckDBPyRelation])
def test_what_an_asset_returns_replaces_its_table(in_both: GcpProject, kind: type):
    rows = pa.table({"number": [1, 2, 3], "text": ["a", None, "c"]})
    made = {
        pd.DataFrame: rows.to_pandas,
        pa.RecordBatchReader: rows.to_reader,
        duckdb.DuckDBPyRelation: lambda: duckdb.connect().from_arrow(rows),
    }[kind]

    @dg.asset(name=f"numbers_{kind.__name__.lower()}")
    def numbers():
        return made()

    for _ in range(2):
        assert materialize(managers(in_both), cloud.WAREHOUSE, numbers).success
    found = in_both.query(f"SELECT number, text FROM numbers_{kind.__name__.lower()} ORDER BY 1")
    assert found == [(1, "a"), (2, None), (3, "c")]


def test_an_asset_replaces_its_months_one_by_one_and_leaves_nothing_else(in_both: GcpProject):
    tips = tips_by_month(cloud.WAREHOUSE)

    for partition in ({"partition_key": "2019-01"}, {"tags": RANGE}, {"partition_key": "2019-02"}):
        assert materialize(managers(in_both), cloud.WAREHOUSE, tips, **partition).success
    found = in_both.query("SELECT CAST(file_month AS STRING) FROM tips ORDER BY 1")
    assert [month[:10] for (month,) in found] == ["2019-01-01", "2019-02-01"]
    assert not [name for name in in_both.tables() if "incoming" in name]


def test_a_table_of_somebody_else_is_not_replaced(in_both: GcpProject):
    in_both.query("CREATE TABLE theirs AS SELECT 42 AS a")

    @dg.asset
    def theirs() -> pd.DataFrame:
        return pd.DataFrame({"a": [1]})

    assert not materialize(managers(in_both), cloud.WAREHOUSE, theirs).success
    assert in_both.query("SELECT a FROM theirs") == [(42,)]


def test_all_checks_are_made_by_bigquery_too_and_the_warehouses_are_compared(project: GcpProject):
    put_sample(project.source, GREEN, JANUARY, ROWS)
    outcomes = load_in_both(project, "2019-01")
    for table in (GREEN.month_asset, GREEN.table):
        here, there = (outcomes[kind.name].checks(f"{kind.name}/{table}") for kind in BOTH)
        parity = there.pop("same_in_all_warehouses", None)
        assert (parity is not None and parity.passed) == (table == GREEN.table)
        assert {name: (check.passed, check.metadata) for name, check in there.items()} == {
            name: (check.passed, check.metadata) for name, check in here.items()
        }
    project.query("UPDATE green_tripdata SET fare_amount = fare_amount + 1 WHERE PULocationID = 74")
    outcome = project.run(stages=(), checks=("main",))
    assert not outcome.checks("bigquery/green_tripdata")["same_in_all_warehouses"].passed


@needs_real_data
@pytest.mark.parametrize(("taxi", "month"), [(GREEN, "2020-10"), (YELLOW, "2019-02")], ids=["green", "yellow"])
def test_real_months_have_the_same_rows_sums_and_ids(project: GcpProject, taxi, month: str):
    project.address = str(REAL_DATA / "source")
    load_in_both(project, month, taxi, checks=False)
    assert_same(project, taxi, [Month.parse(month)])


def test_trips_that_agree_in_all_that_identifies_them_get_the_same_ids(in_both: GcpProject):
    here, there = (
        warehouse.read(GREEN.table, [JANUARY]).order("unique_row_id").fetchall()
        for warehouse in (in_both.warehouse(), in_both.bigquery())
    )
    assert there == here
