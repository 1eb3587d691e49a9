"""What the lake hands out and measures is what DuckDB hands out and measures for the same months."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import dagster as dg
import duckdb
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from taxi_assets.errors import WarehouseError
from taxi_assets.months import Month
from taxi_assets.report.summary import summarize
from taxi_assets.source.raw_files import trip_file
from taxi_assets.taxis import Taxi
from taxi_assets.warehouses import duckdb as embedded
from taxi_assets.warehouses import lake
from taxi_assets.warehouses.duckdb.io_manager import DuckDBIOManager
from taxi_assets.warehouses.lake.io_manager import LakeIOManager
from taxi_assets_tests.csv_files import made_trips, put_sample
from taxi_assets_tests.lake.project import LOG, LakeProject
from taxi_assets_tests.paths import REAL_DATA, needs_real_data
from taxi_assets_tests.project import APRIL, FEBRUARY, GREEN, JANUARY, YELLOW, Outcome
from taxi_assets_tests.users_assets import Managers, handed_out, materialize, tips_by_month

BOTH = (embedded.WAREHOUSE, lake.WAREHOUSE)
RANGE = {"dagster/asset_partition_range_start": "2019-01", "dagster/asset_partition_range_end": "2019-02"}


def load_in_both(project: LakeProject, months: str, taxi=GREEN, **settings: Any) -> dict[str, Outcome]:
    project.warehouses = BOTH
    outcomes = {}
    for kind in BOTH:
        project.kind = kind
        outcomes[kind.name] = project.run(months, taxi, **settings)
        assert outcomes[kind.name].success, outcomes[kind.name].error
    return outcomes


def load_without_dagster(project: LakeProject, taxi: Taxi, month: Month) -> None:
    project.load(month, taxi)
    current = project.trip_source().current(trip_file(taxi, month))
    project.warehouse().load_month(taxi, month, current, LOG)
    project.warehouse().merge_month(taxi, month, LOG)


@pytest.fixture(scope="module")
def in_both(tmp_path_factory: pytest.TempPathFactory) -> LakeProject:
    """Two of the sample's months, oddities included, in both warehouses; tests leave them alone."""
    project = LakeProject(tmp_path_factory.mktemp("both"))
    for month in (JANUARY, FEBRUARY):
        put_sample(project.source, GREEN, month, 500)
        load_without_dagster(project, GREEN, month)
    return project


def managers(project: LakeProject) -> Managers:
    return {
        "duckdb": DuckDBIOManager(warehouse=project.warehouse()),
        "lake": LakeIOManager(warehouse=project.lake()),
    }


@pytest.mark.parametrize(
    ("wanted", "name", "partition"),
    [
        (pd.DataFrame, GREEN.table, {"partition_key": "2019-02"}),
        (pa.RecordBatchReader, GREEN.month_asset, {"tags": RANGE}),
        (duckdb.DuckDBPyRelation, GREEN.table, {"tags": RANGE}),
    ],
)
def test_assets_get_the_same_from_both(
    in_both: LakeProject, wanted: type, name: str, partition: Mapping[str, Any]
) -> None:
    here, there = (handed_out(managers(in_both), warehouse, name, wanted, **partition) for warehouse in BOTH)
    assert here == there
    assert len(there[1]) == (1_000 if "tags" in partition else 500)


def test_a_relation_stays_what_it_was_and_holds_up_nobody(loaded: LakeProject) -> None:
    relation = loaded.lake().read(GREEN.table, None)
    relation.limit(1).fetchall()
    loaded.put(made_trips(GREEN, JANUARY, 70))
    loaded.load(lock_wait_seconds=0.5)
    assert relation.aggregate("count(*)").fetchall() == [(120,)]
    assert loaded.lake().read(GREEN.table, None).aggregate("count(*)").fetchall() == [(130,)]


def test_the_report_says_the_same_of_both(in_both: LakeProject) -> None:
    assert summarize(in_both.lake(), "lake", None) == summarize(in_both.warehouse(), "duckdb", None)


def test_a_table_or_month_that_is_missing_is_named_in_one_sentence(in_both: LakeProject) -> None:
    with pytest.raises(
        WarehouseError, match=r"has no table yellow_tripdata: materialize the asset of that table first"
    ):
        in_both.lake().read(YELLOW.table, [JANUARY])
    with pytest.raises(
        WarehouseError, match=r"has no table green_tripdata_2019_04: materialize lake/green_tripdata_month"
    ):
        in_both.lake().read(GREEN.month_asset, [APRIL])
    assert in_both.lake().read(GREEN.table, [APRIL]).fetchall() == []


def test_a_column_that_is_younger_than_a_file_is_null(loaded: LakeProject) -> None:
    """Merging the same rows again gives the file the column."""
    file = loaded.root / loaded.files(GREEN.table)[0]
    table = pq.read_table(file, partitioning=None)
    pq.write_table(table.drop_columns(["cbd_congestion_fee"]), file)
    assert loaded.lake().profile_month(GREEN, JANUARY, "main", LOG).sums["cbd_congestion_fee"] is None
    assert loaded.load() == (0, 0, 0)
    assert "cbd_congestion_fee" in pq.read_schema(loaded.root / loaded.files(GREEN.table)[0]).names


def test_all_checks_of_duckdb_are_made_of_the_lake_too_and_the_two_are_compared(project: LakeProject) -> None:
    put_sample(project.source, GREEN, JANUARY, 1_000)
    outcomes = load_in_both(project, "2019-01")
    for table in (GREEN.month_asset, GREEN.table):
        here, there = (outcomes[kind.name].checks(f"{kind.name}/{table}") for kind in BOTH)
        parity = there.pop("same_in_all_warehouses", None)
        assert parity is None or parity.passed
        assert (parity is None) == (table == GREEN.month_asset)
        assert {name: (each.passed, each.metadata) for name, each in there.items()} == {
            name: (each.passed, each.metadata) for name, each in here.items()
        }
    with project.warehouse().get_connection() as connection:
        connection.execute('UPDATE "green_tripdata" SET fare_amount = fare_amount + 1 WHERE "PULocationID" < 50')
    outcome = project.run(stages=(), checks=("main",))
    assert not outcome.checks("lake/green_tripdata")["same_in_all_warehouses"].passed


@needs_real_data
def test_a_real_month_is_measured_alike(project: LakeProject) -> None:
    project.address = str(REAL_DATA / "source")
    load_without_dagster(project, YELLOW, FEBRUARY)
    for role in ("month", "main"):
        here = project.warehouse().profile_month(YELLOW, FEBRUARY, role, LOG)
        assert here.rows == 10_000
        assert project.lake().profile_month(YELLOW, FEBRUARY, role, LOG) == here


@pytest.mark.parametrize("kind", [pd.DataFrame, duckdb.DuckDBPyRelation])
def test_what_an_asset_returns_replaces_its_table(project: LakeProject, kind: type) -> None:
    returned = [pa.table({"number": [1, 2, 3], "text": ["a", None, "c"]}), pa.table({"text": [2.5], "new": [3]})]

    @dg.asset
    def numbers():
        rows = returned.pop(0)
        return {
            pd.DataFrame: rows.to_pandas,
            duckdb.DuckDBPyRelation: lambda: duckdb.connect().from_arrow(rows),
        }[kind]()

    assert materialize(managers(project), lake.WAREHOUSE, numbers).success
    assert project.query("numbers") == [(1, "a"), (2, None), (3, "c")]
    assert materialize(managers(project), lake.WAREHOUSE, numbers).success
    assert project.query("numbers") == [(2.5, 3)]
    assert project.lake().read("numbers", None).fetchall() == [(2.5, 3)]


def test_an_asset_replaces_its_months_one_by_one(in_both: LakeProject) -> None:
    tips = tips_by_month(lake.WAREHOUSE)

    for partition in ({"partition_key": "2019-01"}, {"tags": RANGE}, {"partition_key": "2019-02"}):
        assert materialize(managers(in_both), lake.WAREHOUSE, tips, **partition).success
    assert in_both.months("tips") == ["file_month=2019-01-01", "file_month=2019-02-01"]
    found = in_both.query("tips", "SELECT file_month, tip_amount FROM trips ORDER BY ALL")
    assert [month for month, _ in found] == [JANUARY.first_day, FEBRUARY.first_day]
    assert len(in_both.lake().read("tips", [FEBRUARY]).fetchall()) == 1


def test_rows_of_other_months_than_the_runs_are_refused(project: LakeProject) -> None:
    rows = pd.DataFrame({"file_month": [JANUARY.first_day, APRIL.first_day], "a": [1, 2]})
    with pytest.raises(WarehouseError, match="have the file_month 2019-04-01, which is not the first day of a month"):
        project.lake().write("numbers", rows, [JANUARY], description="Numbers.")
    assert project.files() == []


def test_a_table_of_somebody_else_is_not_replaced(project: LakeProject) -> None:
    theirs = project.root / "theirs" / "theirs.parquet"
    theirs.parent.mkdir(parents=True)
    pq.write_table(pa.table({"a": [42]}), theirs)
    with pytest.raises(WarehouseError, match=r"There is a table .* that this project did not create"):
        project.lake().write("theirs", pd.DataFrame({"a": [1]}), None, description="Theirs.")
    assert project.query("theirs") == [(42,)]
