"""Tables that were made before the feed had some column get it without a reload."""

from __future__ import annotations

from taxi_assets.taxis import all_taxis
from taxi_assets_tests.csv_files import made_trips
from taxi_assets_tests.feed.parquet_files import feed_table
from taxi_assets_tests.feed.project import AUTUMN, FedProject, PostgresFedProject
from taxi_assets_tests.project import FEBRUARY, GREEN, JANUARY

FEE = "cbd_congestion_fee"


def loaded_without_the_fee(project: FedProject) -> list[dict[str, object]]:
    """Load January and February as before there was the fee, the latter not merged yet; return January's rows."""
    project.source_name = str(project.source)
    for month in (JANUARY, FEBRUARY):
        project.put(made_trips(GREEN, month, 60), month)
    assert project.run(str(JANUARY)).success
    assert project.run(str(FEBRUARY), stages=("raw", "month")).success
    if isinstance(project, PostgresFedProject):
        for table in ("green_tripdata", "green_tripdata_2019_02"):
            project.query(f"ALTER TABLE {table} DROP COLUMN {FEE}")
    else:
        forget_the_fee(project)
    project.source_name = "feed"
    return project.rows("green_tripdata")


def forget_the_fee(project: FedProject) -> None:
    with project.warehouse().get_connection() as connection:
        for table in ("green_tripdata", "green_tripdata_2019_02"):
            connection.execute(f'ALTER TABLE "{table}" DROP COLUMN "{FEE}"')
        connection.execute(
            'CREATE OR REPLACE VIEW "green_tripdata_2019_01" AS FROM "green_tripdata" '
            "WHERE \"file_month\" = DATE '2019-01-01'"
        )
        connection.execute("COMMENT ON VIEW \"green_tripdata_2019_01\" IS 'taxi_assets: Green taxi trips of 2019-01.'")


def test_a_new_month_brings_the_column_and_the_months_before_keep_their_rows(fed_anywhere: FedProject):
    before = loaded_without_the_fee(fed_anywhere)
    assert FEE not in before[0]
    fed_anywhere.publish(feed_table(GREEN, AUTUMN, 60))
    outcome = fed_anywhere.run(str(AUTUMN))
    assert outcome.success, outcome.failure
    january = [row for row in fed_anywhere.rows("green_tripdata") if row["filename"] == "green_tripdata_2019-01.csv"]
    assert january == [{**row, FEE: None} for row in before]
    assert fed_anywhere.rows("green_tripdata_2019_01") == january
    assert {str(row[FEE]) for row in fed_anywhere.rows("green_tripdata_2022_10")} in ({"0.7500"}, {"0.75"})


def test_a_month_that_was_loaded_before_can_still_be_merged(fed_anywhere: FedProject):
    loaded_without_the_fee(fed_anywhere)
    outcome = fed_anywhere.run(str(FEBRUARY), stages=("main",))
    assert outcome.success, outcome.failure
    assert len(fed_anywhere.rows("green_tripdata")) == 120
    assert {row[FEE] for row in fed_anywhere.rows("green_tripdata")} == {None}


def test_a_month_that_is_loaded_can_be_checked_and_read_without_loading_it_again(fed_anywhere: FedProject):
    loaded_without_the_fee(fed_anywhere)
    assert fed_anywhere.run(str(JANUARY), stages=(), checks=("month", "main")).success
    warehouse = fed_anywhere.postgres() if isinstance(fed_anywhere, PostgresFedProject) else fed_anywhere.warehouse()
    for table, months in (("green_tripdata", None), ("green_tripdata_month", [JANUARY])):
        assert warehouse.read(table, months).aggregate(f"count(*), count({FEE})").fetchall() == [(60, 0)]


def test_running_an_old_month_again_changes_nothing(fed_anywhere: FedProject):
    loaded_without_the_fee(fed_anywhere)
    fed_anywhere.source_name = str(fed_anywhere.source)
    outcome = fed_anywhere.run(str(JANUARY))
    assert outcome.success, outcome.failure
    merged = outcome.materialized(fed_anywhere.keys(GREEN)["main"].to_user_string())[str(JANUARY)]
    assert (merged["inserted"], merged["updated"], merged["deleted"]) == (0, 0, 0)


def test_columns_that_only_the_feed_has_come_last_so_that_ids_of_the_release_stay_as_they_are():
    for taxi in all_taxis().values():
        assert [column.only_in_feed for column in taxi.columns] == sorted(c.only_in_feed for c in taxi.columns)
        assert not any(taxi.column(name).only_in_feed for name in taxi.identity)
