"""Assets of one's own get tables by asking, and keep what they return."""

import dagster as dg
import duckdb
import pandas as pd
import pyarrow as pa
import pytest

from taxi_assets.partitions import months_partitions, runs_of_a_range
from taxi_assets.warehouses.duckdb.io_manager import DuckDBIOManager
from taxi_assets_tests.project import Project

MAIN = ["duckdb", "green_tripdata"]
MONTHLY = ["duckdb", "green_tripdata_month"]
JANUARY_TO_FEBRUARY = {
    "dagster/asset_partition_range_start": "2019-01",
    "dagster/asset_partition_range_end": "2019-02",
}


def materialize(project: Project, asset: dg.AssetsDefinition, **partition: object) -> dg.ExecuteInProcessResult:
    """Run an asset of a user's beside the tables that are there."""
    upstream = [dg.AssetSpec(key, partitions_def=months_partitions()) for key in (MAIN, MONTHLY)]
    specs = [spec.with_io_manager_key("io_manager") for spec in upstream]
    manager = DuckDBIOManager(warehouse=project.warehouse())
    return dg.materialize(
        [*specs, asset], selection=[asset], resources={"io_manager": manager}, raise_on_error=False, **partition
    )


def query(project: Project, statement: str) -> list[tuple[object, ...]]:
    with project.warehouse().get_connection() as connection:
        return connection.execute(statement).fetchall()


def reading(wanted: type, key: list[str], seen: list[object]) -> dg.AssetsDefinition:
    """An asset that asks for a table as a certain type."""

    def look(trips) -> None:
        if isinstance(trips, pd.DataFrame):
            months = trips["file_month"]
        elif isinstance(trips, duckdb.DuckDBPyRelation):
            months = trips.df()["file_month"]
        else:
            months = trips.read_all().to_pandas()["file_month"]
        seen.append((type(trips), sorted({str(month)[:7] for month in months}), len(months)))

    look.__annotations__["trips"] = wanted
    return dg.asset(
        name="look",
        ins={"trips": dg.AssetIn(key)},
        partitions_def=months_partitions(),
        backfill_policy=runs_of_a_range(),
    )(look)


@pytest.mark.parametrize("wanted", [pd.DataFrame, duckdb.DuckDBPyRelation, pa.RecordBatchReader])
@pytest.mark.parametrize("key", [MAIN, MONTHLY], ids=["main", "monthly"])
def test_an_asset_gets_its_month(loaded: Project, wanted: type, key: list[str]) -> None:
    seen: list[object] = []
    result = materialize(loaded, reading(wanted, key, seen), partition_key="2019-02")
    assert result.success
    assert seen == [(wanted, ["2019-02"], 60)]


@pytest.mark.parametrize("wanted", [pd.DataFrame, duckdb.DuckDBPyRelation, pa.RecordBatchReader])
@pytest.mark.parametrize("key", [MAIN, MONTHLY], ids=["main", "monthly"])
def test_an_asset_gets_all_months_of_a_range(loaded: Project, wanted: type, key: list[str]) -> None:
    seen: list[object] = []
    assert materialize(loaded, reading(wanted, key, seen), tags=JANUARY_TO_FEBRUARY).success
    assert seen == [(wanted, ["2019-01", "2019-02"], 120)]


def test_a_type_that_can_t_be_given_is_refused_in_one_sentence(loaded: Project) -> None:
    result = materialize(loaded, reading(dict, MAIN, []), partition_key="2019-01")
    assert not result.success
    (failure,) = [event for event in result.all_events if event.is_step_failure]
    assert "give the input the type pd.DataFrame, pa.RecordBatchReader or duckdb.DuckDBPyRelation" in str(
        failure.step_failure_data
    )


def test_the_four_line_asset_of_the_readme(loaded: Project) -> None:
    @dg.asset(partitions_def=months_partitions(), ins={"trips": dg.AssetIn(["duckdb", "green_tripdata"])})
    def tips_by_hour(trips: pd.DataFrame) -> pd.DataFrame:
        return trips.groupby(trips["lpep_pickup_datetime"].dt.hour)["tip_amount"].mean().reset_index()

    for month in ("2019-01", "2019-02", "2019-02"):
        assert materialize(loaded, tips_by_hour, partition_key=month).success
    months = query(loaded, 'SELECT "file_month", count(*) FROM "tips_by_hour" GROUP BY ALL ORDER BY ALL')
    assert [str(month) for month, _ in months] == ["2019-01-01", "2019-02-01"]
    assert all(0 < hours <= 24 for _, hours in months), "a month that ran twice must not be there twice"


@pytest.mark.parametrize("kind", [pd.DataFrame, pa.Table, pa.RecordBatchReader, duckdb.DuckDBPyRelation])
def test_what_an_asset_returns_replaces_its_table(loaded: Project, kind: type) -> None:
    rows = pa.table({"a": [1, 2, 3]})
    made = {
        pd.DataFrame: rows.to_pandas,
        pa.Table: lambda: rows,
        pa.RecordBatchReader: rows.to_reader,
        duckdb.DuckDBPyRelation: lambda: duckdb.connect().from_arrow(rows),
    }[kind]

    @dg.asset
    def numbers():
        return made()

    for _ in range(2):
        assert materialize(loaded, numbers).success
    assert query(loaded, 'SELECT "a" FROM "numbers" ORDER BY ALL') == [(1,), (2,), (3,)]


def test_rows_of_a_range_must_say_their_month(loaded: Project) -> None:
    @dg.asset(partitions_def=months_partitions(), backfill_policy=runs_of_a_range())
    def numbers() -> pd.DataFrame:
        return pd.DataFrame({"a": [1]})

    result = materialize(loaded, numbers, tags=JANUARY_TO_FEBRUARY)
    assert not result.success
    (failure,) = [event for event in result.all_events if event.is_step_failure]
    assert "have no column file_month" in str(failure.step_failure_data)


def test_a_table_of_somebody_else_is_not_replaced(loaded: Project) -> None:
    with loaded.warehouse().get_connection() as connection:
        connection.execute('CREATE TABLE "numbers" AS SELECT 42 AS "a"')

    @dg.asset
    def numbers() -> pd.DataFrame:
        return pd.DataFrame({"a": [1]})

    assert not materialize(loaded, numbers).success
    assert query(loaded, 'FROM "numbers"') == [(42,)]
