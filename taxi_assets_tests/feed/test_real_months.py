"""Published months of the feed: every value is found in the warehouse, and it agrees with the release."""

from __future__ import annotations

import shutil

import duckdb
import pytest

from taxi_assets.months import Month
from taxi_assets.report.summary import summarize
from taxi_assets.sql import identifier
from taxi_assets_tests.feed.project import FedProject, PostgresFedProject
from taxi_assets_tests.paths import REAL_DATA, needs_real_data
from taxi_assets_tests.project import GREEN

pytestmark = needs_real_data

ROWS = {Month(2021, 1): 76_518, Month(2021, 2): 64_572, Month(2025, 10): 49_416}
JANUARY = Month(2021, 1)


@pytest.fixture
def real(fed_anywhere: FedProject) -> FedProject:
    """A project whose feed has the published months."""
    assert REAL_DATA is not None
    for path in (REAL_DATA / "parquet").glob("*.parquet"):
        shutil.copy(path, fed_anywhere.feed)
    return fed_anywhere


@pytest.mark.parametrize("month", ROWS, ids=str)
def test_every_value_of_the_file_is_in_the_warehouse_unchanged(real: FedProject, month: Month):
    outcome = real.run(str(month))
    assert outcome.success, outcome.failure
    name = f"{GREEN.table}_{month}.parquet"
    with duckdb.connect() as connection:
        main = _main(real, connection)
        file = f"read_parquet('{real.feed / name}')"
        columns = [row[0] for row in connection.execute(f"DESCRIBE FROM {file}").fetchall()]
        names = ", ".join(map(identifier, columns))
        # Numbers are compared as the file has them, one by one with their rows.
        in_main = f"SELECT {names} FROM {main} WHERE filename = '{name}'"
        for left, right in ((in_main, f"SELECT {names} FROM {file}"), (f"SELECT {names} FROM {file}", in_main)):
            assert connection.execute(f"SELECT count(*) FROM ({left} EXCEPT ALL {right})").fetchall() == [(0,)]
        others = [column.name for column in GREEN.columns if column.name not in columns]
        for column in others:
            assert connection.execute(f"SELECT count({identifier(column)}) FROM {main}").fetchall() == [(0,)]
        assert connection.execute(f"SELECT count(*) FROM {main}").fetchall() == [(ROWS[month],)]


def test_a_month_from_the_feed_and_from_a_csv_of_the_same_trips_are_the_same_rows_with_the_same_ids(
    real: FedProject, monkeypatch: pytest.MonkeyPatch
):
    assert REAL_DATA is not None
    assert real.run(str(JANUARY)).success
    of_feed = _rows_without_filename(real)
    monkeypatch.setattr(real, "source_name", str(REAL_DATA / "source"))
    outcome = real.run(str(JANUARY))
    assert outcome.success, outcome.failure
    assert _rows_without_filename(real) == of_feed
    merged = outcome.materialized(real.keys(GREEN)["main"].to_user_string())[str(JANUARY)]
    assert (merged["inserted"], merged["updated"], merged["deleted"]) == (0, ROWS[JANUARY], 0)


def test_the_check_tells_the_counts_of_feed_and_release(real: FedProject, monkeypatch: pytest.MonkeyPatch):
    if isinstance(real, PostgresFedProject):
        pytest.skip("a check is the same for every warehouse")
    assert real.run(str(JANUARY)).success
    said = real.checked("rows_match_published", month=JANUARY)
    assert said["passed"]
    assert (said["rows"], said["published rows"], said["rows in the release"]) == (76_518, 76_518, 76_518)


def test_the_report_compares_a_month_with_the_count_of_its_source(real: FedProject):
    if isinstance(real, PostgresFedProject):
        pytest.skip("the report is the same for every warehouse")
    for month in (JANUARY, Month(2025, 10)):
        assert real.run(str(month), checks=False).success
    (green,) = summarize(real.warehouse(), "duckdb").taxis
    assert {month: count.rows for month, count in green.published.items()} == green.rows


def _main(project: FedProject, connection: duckdb.DuckDBPyConnection) -> str:
    """The main table's trips as every warehouse shows them, as something that DuckDB can select from."""
    if isinstance(project, PostgresFedProject):
        connection.register("main_of_postgres", project.postgres().read("green_tripdata", None).to_arrow_table())
        return "main_of_postgres"
    connection.execute(f"ATTACH '{project.database}' AS warehouse (READ_ONLY)")
    return "warehouse.green_tripdata"


def _rows_without_filename(project: FedProject) -> list[dict[str, object]]:
    return [{**row, "filename": ""} for row in project.rows("green_tripdata")]
