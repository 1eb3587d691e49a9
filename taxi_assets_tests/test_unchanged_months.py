"""A month that is in the warehouse as its file is, is not loaded again; any other month is."""

from __future__ import annotations

import pytest

from taxi_assets_tests.csv_files import made_trips
from taxi_assets_tests.project import GREEN, JANUARY, Outcome, Project


def was_loaded(outcome: Outcome) -> bool:
    assert outcome.success, outcome.error
    return "already loaded" not in outcome.materialized("duckdb/green_tripdata_month")["2019-01"]


def test_a_month_that_is_as_its_file_is_not_loaded_again(loaded: Project):
    before = loaded.everything()
    outcome = loaded.run()
    assert not was_loaded(outcome)
    merged = outcome.materialized("duckdb/green_tripdata")["2019-01"]
    assert [merged[name] for name in ("dagster/partition_row_count", "inserted", "updated", "deleted")] == [60, 0, 0, 0]
    assert loaded.everything() == before


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE green_tripdata SET tip_amount = 99 WHERE lpep_pickup_datetime = '2019-01-01 00:07:00'",
        "UPDATE green_tripdata SET store_and_fwd_flag = NULL WHERE lpep_pickup_datetime = '2019-01-01 00:07:00'",
        "DELETE FROM green_tripdata WHERE lpep_pickup_datetime = '2019-01-01 00:07:00'",
        "INSERT INTO green_tripdata SELECT * REPLACE ('x' AS unique_row_id) FROM green_tripdata_2019_01 LIMIT 1",
        "CREATE OR REPLACE VIEW green_tripdata_2019_01 AS SELECT * FROM green_tripdata",
    ],
    ids=["a number", "a text", "a row less", "a row more", "the view"],
)
def test_a_month_that_was_changed_by_hand_is_loaded_again(loaded: Project, change: str):
    right = loaded.everything()
    with loaded.warehouse().get_connection() as connection:
        connection.execute(change)
        connection.execute(
            "COMMENT ON VIEW green_tripdata_2019_01 IS 'taxi_assets: mine'"
        ) if "VIEW" in change else None
    assert was_loaded(loaded.run())
    assert loaded.everything() == right
    assert not was_loaded(loaded.run())


def test_a_month_with_another_file_is_loaded(loaded: Project):
    loaded.put(made_trips(GREEN, JANUARY, 61))
    assert was_loaded(loaded.run())
    assert not was_loaded(loaded.run())


def test_a_month_whose_merge_was_left_out_is_loaded_again(loaded: Project):
    trips = made_trips(GREEN, JANUARY, 60)
    loaded.put(trips[:50])
    assert loaded.run(stages=["raw", "month"]).success
    loaded.put(trips)
    assert was_loaded(loaded.run())
    assert len(loaded.rows("green_tripdata_2019_01")) == 60
