"""A month that is in the warehouse as its file is, is not loaded again; any other month is."""

from __future__ import annotations

import pytest

from taxi_assets_tests.csv_files import made_trips
from taxi_assets_tests.postgres.project import PostgresProject
from taxi_assets_tests.project import GREEN, JANUARY, Outcome


def was_loaded(outcome: Outcome) -> bool:
    assert outcome.success, outcome.error
    return "already loaded" not in outcome.materialized("postgres/green_tripdata_month")["2019-01"]


def test_a_month_that_is_as_its_file_is_not_loaded_again(loaded: PostgresProject):
    before = loaded.everything()
    outcome = loaded.run()
    assert not was_loaded(outcome)
    merged = outcome.materialized("postgres/green_tripdata")["2019-01"]
    assert [merged[name] for name in ("dagster/partition_row_count", "inserted", "updated", "deleted")] == [60, 0, 0, 0]
    assert loaded.everything() == before


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE green_tripdata SET tip_amount = 99 WHERE lpep_pickup_datetime = '2019-01-01 00:07:00'",
        "UPDATE green_tripdata_2019_01 SET store_and_fwd_flag = NULL",
        "DELETE FROM green_tripdata WHERE lpep_pickup_datetime = '2019-01-01 00:07:00'",
        """
        CREATE TEMPORARY TABLE one AS SELECT * FROM green_tripdata_2019_01 LIMIT 1;
        UPDATE one SET unique_row_id = gen_random_uuid();
        INSERT INTO green_tripdata SELECT * FROM one
        """,
        "ALTER TABLE green_tripdata DROP tip_amount; ALTER TABLE green_tripdata ADD tip_amount numeric",
    ],
    ids=["a number", "a text", "a row less", "a row more", "a column"],
)
def test_a_month_that_was_changed_by_hand_is_loaded_again(loaded: PostgresProject, change: str):
    right = loaded.rows("green_tripdata_2019_01")
    loaded.query(change)
    assert was_loaded(loaded.run())
    assert loaded.rows("green_tripdata_2019_01") == right
    assert not was_loaded(loaded.run())


def test_a_month_with_another_file_is_loaded(loaded: PostgresProject):
    loaded.put(made_trips(GREEN, JANUARY, 61))
    assert was_loaded(loaded.run())
    assert not was_loaded(loaded.run())
