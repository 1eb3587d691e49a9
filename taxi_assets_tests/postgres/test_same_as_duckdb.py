"""What PostgreSQL hands out and measures is what DuckDB hands out and measures for the same months."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from typing import Any

import dagster as dg
import duckdb
import pandas as pd
import pyarrow as pa
import pytest

from taxi_assets.months import Month
from taxi_assets.report.summary import summarize
from taxi_assets.warehouses import duckdb as embedded
from taxi_assets.warehouses import postgres
from taxi_assets.warehouses.duckdb.io_manager import DuckDBIOManager
from taxi_assets.warehouses.kind import WarehouseKind
from taxi_assets.warehouses.postgres.io_manager import PostgresIOManager
from taxi_assets_tests.csv_files import made_trips, put_sample
from taxi_assets_tests.paths import REAL_DATA, needs_real_data
from taxi_assets_tests.postgres.conftest import schema_of_ones_own
from taxi_assets_tests.postgres.project import PostgresProject
from taxi_assets_tests.project import FEBRUARY, GREEN, JANUARY, YELLOW, Outcome
from taxi_assets_tests.users_assets import Managers, handed_out, materialize, tips_by_month

BOTH = (embedded.WAREHOUSE, postgres.WAREHOUSE)
RANGE = {"dagster/asset_partition_range_start": "2019-01", "dagster/asset_partition_range_end": "2019-02"}
TYPES = [pd.DataFrame, pa.RecordBatchReader, duckdb.DuckDBPyRelation]
LOG = logging.getLogger(__name__)


def load_in_both(project: PostgresProject, months: str, taxi=GREEN, **settings: Any) -> dict[str, Outcome]:
    project.warehouses = BOTH
    outcomes = {}
    for kind in BOTH:
        project.kind = kind
        outcomes[kind.name] = project.run(months, taxi, **settings)
        assert outcomes[kind.name].success, outcomes[kind.name].error
    return outcomes


@pytest.fixture(scope="module")
def in_both(tmp_path_factory: pytest.TempPathFactory, server_url: str) -> Iterator[PostgresProject]:
    """Two of the sample's months, oddities included, in both warehouses; tests leave them alone."""
    with schema_of_ones_own(server_url) as schema:
        project = PostgresProject(tmp_path_factory.mktemp("both"), server_url, schema)
        for month in (JANUARY, FEBRUARY):
            put_sample(project.source, GREEN, month, 2_000)
        load_in_both(project, "2019-01...2019-02", checks=False)
        yield project


def managers(project: PostgresProject) -> Managers:
    return {
        "duckdb": DuckDBIOManager(warehouse=project.warehouse()),
        "postgres": PostgresIOManager(warehouse=project.postgres()),
    }


@pytest.mark.parametrize("later_is_first", [False, True], ids=["in order", "the other way round"])
def test_trips_that_share_an_id_are_numbered_in_the_order_of_all_columns(
    project: PostgresProject, later_is_first: bool
):
    trips = made_trips(GREEN, JANUARY, 60)
    tips = sorted([f"{number}.5" for number in range(10, 50)], reverse=later_is_first)
    # More rows than are read at once lie between the first and the last, and some agree in all columns.
    alike = [{**trips[7], "tip_amount": tip} for tip in [*tips, *tips[:20]]]
    others = [{**trip, "trip_distance": f"{number}.25"} for number in range(500) for trip in trips]
    project.put([*alike[:30], *others, *alike[30:]])
    load_in_both(project, "2019-01", checks=False)
    here, there = (
        handed_out(managers(project), warehouse, GREEN.table, pd.DataFrame, partition_key="2019-01")
        for warehouse in BOTH
    )
    assert here == there
    assert len(there[1]) == 30_060


@pytest.mark.parametrize("wanted", TYPES)
@pytest.mark.parametrize("name", [GREEN.table, GREEN.month_asset], ids=["main", "monthly"])
def test_assets_get_the_same_from_both(in_both: PostgresProject, wanted: type, name: str):
    for partition, rows in (({"partition_key": "2019-02"}, 2_000), ({"tags": RANGE}, 4_000)):
        here, there = (handed_out(managers(in_both), warehouse, name, wanted, **partition) for warehouse in BOTH)
        assert here[0] == there[0]
        assert here[1] == there[1]
        assert len(there[1]) == rows


def test_a_relation_can_be_read_again_and_again(in_both: PostgresProject):
    relation = in_both.postgres().read(GREEN.table, [JANUARY])
    assert len(relation.df()) == 2_000
    assert relation.aggregate("count(*)").fetchall() == [(2_000,)]
    assert len(relation.limit(3).fetchall()) == 3
    assert len(relation.to_arrow_table()) == 2_000


def test_what_was_handed_out_and_is_not_read_to_its_end_holds_up_nobody(loaded: PostgresProject):
    relation = loaded.postgres().read(GREEN.table, None)
    relation.limit(1).fetchall()
    loaded.put(made_trips(GREEN, JANUARY, 70))
    assert loaded.run(checks=False, lock_wait_seconds=0.5).success
    assert relation.aggregate("count(*)").fetchall() == [(130,)]


def test_all_months_at_once_are_the_whole_main_table(in_both: PostgresProject):
    assert in_both.postgres().read(GREEN.table, None).aggregate("count(*)").fetchall() == [(4_000,)]


@pytest.mark.parametrize("month", [JANUARY, None], ids=["a month", "all months"])
def test_the_report_says_the_same_of_both(in_both: PostgresProject, month: Month | None):
    assert summarize(in_both.postgres(), "postgres", month) == summarize(in_both.warehouse(), "duckdb", month)


def test_a_missing_table_is_named_in_one_sentence(in_both: PostgresProject):
    asset = dg.asset(name="look", ins={"trips": dg.AssetIn(["postgres", "yellow_tripdata"])})(_ignore)
    spec = dg.AssetSpec(["postgres", "yellow_tripdata"]).with_io_manager_key("io_manager")
    manager = PostgresIOManager(warehouse=in_both.postgres())
    result = dg.materialize([spec, asset], selection=[asset], resources={"io_manager": manager}, raise_on_error=False)
    (failure,) = [event for event in result.all_events if event.is_step_failure]
    assert "has no table yellow_tripdata: materialize the asset of that table first." in str(failure.step_failure_data)


def _ignore(trips: pd.DataFrame) -> None:
    raise AssertionError("there is nothing to hand out")


@pytest.mark.parametrize("kind", [pd.DataFrame, pa.Table, pa.RecordBatchReader, duckdb.DuckDBPyRelation])
def test_what_an_asset_returns_replaces_its_table(in_both: PostgresProject, kind: type):
    rows = pa.table({"number": [1, 2, 3], "text": ["a", None, "c"]})
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
        assert materialize(managers(in_both), postgres.WAREHOUSE, numbers).success
    assert in_both.query("SELECT * FROM numbers ORDER BY 1") == [(1, "a"), (2, None), (3, "c")]


def test_an_asset_may_return_other_columns_than_before(in_both: PostgresProject):
    returned: list[dict[str, Any]] = [{"a": [1]}, {"a": ["one"]}, {"b": [2.5], "a": [3]}]

    @dg.asset
    def numbers() -> pd.DataFrame:
        return pd.DataFrame(returned.pop(0))

    while returned:
        assert materialize(managers(in_both), postgres.WAREHOUSE, numbers).success
    assert in_both.query("SELECT b, a FROM numbers") == [(2.5, 3)]


def test_an_asset_replaces_its_months_one_by_one(in_both: PostgresProject):
    tips = tips_by_month(postgres.WAREHOUSE)

    for partition in ({"partition_key": "2019-01"}, {"tags": RANGE}, {"partition_key": "2019-02"}):
        assert materialize(managers(in_both), postgres.WAREHOUSE, tips, **partition).success
    found = in_both.query("SELECT file_month::date::text, tip_amount FROM tips ORDER BY 1")
    assert [month for month, _ in found] == ["2019-01-01", "2019-02-01"]


def test_a_table_of_somebody_else_is_not_replaced(in_both: PostgresProject):
    in_both.query("CREATE TABLE theirs AS SELECT 42 AS a")

    @dg.asset
    def theirs() -> pd.DataFrame:
        return pd.DataFrame({"a": [1]})

    assert not materialize(managers(in_both), postgres.WAREHOUSE, theirs).success
    assert in_both.query("SELECT a FROM theirs") == [(42,)]


def check_names(outcomes: dict[str, Outcome], kind: WarehouseKind, table: str) -> dict[str, bool]:
    evaluations = outcomes[kind.name].checks(f"{kind.name}/{table}")
    return {name: evaluation.passed for name, evaluation in evaluations.items()}


def assert_measured_alike(project: PostgresProject, taxi, months: Sequence[Month]) -> None:
    for month in months:
        for role in ("month", "main"):
            here = project.warehouse().profile_month(taxi, month, role, LOG)
            there = project.postgres().profile_month(taxi, month, role, LOG)
            assert here.rows > 0
            assert there == here


def test_all_checks_of_duckdb_are_made_by_the_server_too_with_the_same_numbers(project: PostgresProject):
    put_sample(project.source, GREEN, JANUARY, 3_000)
    outcomes = load_in_both(project, "2019-01")
    for table in (GREEN.month_asset, GREEN.table):
        here, there = (check_names(outcomes, kind, table) for kind in BOTH)
        parity = there.pop("same_in_all_warehouses", None)
        assert parity is (True if table == GREEN.table else None)
        assert there == here
        for name, evaluation in outcomes["duckdb"].checks(f"duckdb/{table}").items():
            other = outcomes["postgres"].checks(f"postgres/{table}")[name]
            assert other.metadata == evaluation.metadata
    assert_measured_alike(project, GREEN, [JANUARY])


def test_a_row_that_was_changed_on_the_server_is_found_by_comparing(project: PostgresProject):
    project.put(made_trips(GREEN, JANUARY, 20))
    load_in_both(project, "2019-01", checks=False)
    project.query(f"UPDATE {GREEN.table} SET fare_amount = fare_amount + 1 WHERE pulocationid = 3")
    outcome = project.run(stages=(), checks=("main",))
    assert not outcome.checks("postgres/green_tripdata")["same_in_all_warehouses"].passed


@needs_real_data
@pytest.mark.parametrize(("taxi", "month"), [(GREEN, "2020-10"), (YELLOW, "2019-02")], ids=["green", "yellow"])
def test_real_months_are_measured_alike(project: PostgresProject, taxi, month: str):
    project.address = str(REAL_DATA / "source")
    load_in_both(project, month, taxi, checks=False)
    assert_measured_alike(project, taxi, [Month.parse(month)])
