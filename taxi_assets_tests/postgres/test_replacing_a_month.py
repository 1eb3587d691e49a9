"""Materializing a month makes main's slice exactly its file's rows, and what users put on main stays."""

from __future__ import annotations

from collections import Counter
from datetime import date, datetime
from decimal import Decimal

import psycopg
import pytest

from taxi_assets_tests.csv_files import made_trips
from taxi_assets_tests.postgres.project import PostgresProject, changes
from taxi_assets_tests.postgres.server import connect
from taxi_assets_tests.project import FEBRUARY, GREEN, JANUARY, YELLOW

LOADED_TABLES = ["green_tripdata", "green_tripdata_2019_01", "green_tripdata_2019_02"]
_TYPED = {"integer": int, "decimal": Decimal, "timestamp": datetime.fromisoformat, "text": str}


def test_a_first_load_makes_main_of_the_files_rows_value_by_value(project: PostgresProject):
    trips = made_trips(GREEN, JANUARY, 60)
    project.put(trips)
    assert changes(project) == [(60, 0, 0)]
    rows = project.rows("green_tripdata")
    of_file = Counter(
        tuple(_TYPED[column.kind](trip[column.name]) if trip[column.name] else None for column in GREEN.release_columns)
        for trip in trips
    )
    assert Counter(tuple(row[name.lower()] for name in GREEN.header) for row in rows) == of_file
    assert {(row["filename"], row["file_month"]) for row in rows} == {("green_tripdata_2019-01.csv", date(2019, 1, 1))}
    assert project.tables() == ["green_tripdata", "green_tripdata_2019_01"]


def test_running_again_changes_nothing_and_says_so(loaded: PostgresProject):
    before = loaded.everything()
    assert changes(loaded, "2019-01...2019-02") == [(0, 0, 0)] * 2
    assert loaded.everything() == before


def rows_of_all_months(project: PostgresProject, *stages: str) -> int:
    outcome = project.run(stages=stages, checks=False)
    assert outcome.success, outcome.error
    rows: int = outcome.materialized("postgres/green_tripdata")["2019-01"]["dagster/row_count"]
    return rows


def test_the_rows_of_all_months_are_those_of_the_merged_month_and_those_noted_of_others(loaded: PostgresProject):
    loaded.query("DELETE FROM green_tripdata_2019_01 WHERE ctid = '(0,1)'")
    assert rows_of_all_months(loaded, "main") == 59 + 60, "counted, though nothing was to be merged"
    loaded.put(made_trips(GREEN, JANUARY, 40))
    assert rows_of_all_months(loaded, "raw", "month", "main") == 40 + 60
    loaded.query("DELETE FROM green_tripdata_2019_02 WHERE ctid = '(0,1)'")
    assert rows_of_all_months(loaded, "main") == 40 + 60, "other months are not read"


def test_new_corrected_and_vanished_rows_are_counted_and_the_slice_is_the_file(loaded: PostgresProject):
    trips = made_trips(GREEN, JANUARY, 67)[5:]  # five vanish, seven are new
    for trip in trips[:3]:
        trip["tip_amount"] = "9.99"  # corrected: the tip is no part of a trip's id
    trips[3]["ehail_fee"] = ""  # from a value to none
    trips[4]["fare_amount"] = "77.7"  # the fare is part of the id, so this is one trip less and another one more
    loaded.put(trips)
    february = loaded.rows("green_tripdata_2019_02")
    assert changes(loaded) == [(7 + 1, 3 + 1, 5 + 1)]
    assert len(loaded.rows("green_tripdata_2019_01")) == 62
    assert loaded.query("SELECT count(*) FROM green_tripdata WHERE tip_amount = 9.99") == [(3,)]
    assert loaded.rows("green_tripdata_2019_02") == february
    assert changes(loaded) == [(0, 0, 0)]
    assert loaded.tables() == LOADED_TABLES


def test_other_months_and_the_other_taxi_are_untouched(loaded: PostgresProject):
    loaded.put(made_trips(YELLOW, JANUARY, 30), JANUARY, YELLOW)
    assert changes(loaded, taxi=YELLOW) == [(30, 0, 0)]
    february, yellow = loaded.digest("green_tripdata_2019_02"), loaded.digest("yellow_tripdata")
    loaded.put(made_trips(GREEN, JANUARY, 3))
    assert changes(loaded) == [(0, 0, 57)]
    assert loaded.digest("green_tripdata_2019_02") == february
    assert loaded.digest("yellow_tripdata") == yellow


def test_columns_are_lower_case_and_tables_and_columns_say_what_they_are(loaded: PostgresProject):
    columns = loaded.query(
        "SELECT attname, col_description(attrelid, attnum) FROM pg_attribute"
        " WHERE attrelid = 'green_tripdata'::regclass AND attnum > 0 ORDER BY attnum"
    )
    own = [("unique_row_id", "MD5"), ("filename", "Name of the published file"), ("file_month", "First day")]
    expected = own + [(column.name.lower(), column.description) for column in GREEN.columns]
    assert [name for name, _ in columns] == [name for name, _ in expected]
    assert all(comment.startswith(text) for (_, comment), (_, text) in zip(columns, expected, strict=True))
    ((main, month),) = loaded.query(
        "SELECT obj_description('green_tripdata'::regclass), obj_description('green_tripdata_2019_01'::regclass)"
    )
    assert main.startswith("taxi_assets: Green taxi trips, all months.")
    assert month.startswith("taxi_assets: Green taxi trips of 2019-01, made from ")
    assert month.endswith(", 60 rows.")


def test_the_main_table_is_read_month_by_month(loaded: PostgresProject):
    """A filter on the month reaches only its partition."""
    plan = loaded.query("EXPLAIN SELECT count(*) FROM green_tripdata WHERE file_month = DATE '2019-01-01'")
    text = "\n".join(line for (line,) in plan)
    assert "green_tripdata_2019_01" in text
    assert "green_tripdata_2019_02" not in text


def replace_january(project: PostgresProject) -> None:
    project.put(made_trips(GREEN, JANUARY, 40))
    assert changes(project) == [(0, 0, 20)]
    project.put(made_trips(GREEN, JANUARY, 41))
    assert changes(project) == [(1, 0, 0)]


def load_march(project: PostgresProject) -> None:
    march = FEBRUARY.next()
    project.put(made_trips(GREEN, march, 5), march)
    assert changes(project, "2019-03") == [(5, 0, 0)]


def test_a_view_on_main_stays_and_shows_the_new_rows(loaded: PostgresProject):
    loaded.query("CREATE VIEW mine AS SELECT count(*) AS trips FROM green_tripdata")
    replace_january(loaded)
    load_march(loaded)
    assert loaded.query("SELECT trips FROM mine") == [(41 + 60 + 5,)]


def test_what_another_role_may_do_with_main_stays(loaded: PostgresProject):
    role = f"reader_{loaded.schema}"
    loaded.query(f"CREATE ROLE {role}")
    try:
        loaded.query(f"GRANT USAGE ON SCHEMA {loaded.schema} TO {role}")
        loaded.query(f"GRANT SELECT ON green_tripdata TO {role}")
        replace_january(loaded)
        load_march(loaded)
        with connect(loaded.url, loaded.schema) as connection:
            connection.execute(f"SET ROLE {role}")
            assert connection.execute("SELECT count(*) FROM green_tripdata").fetchall() == [(106,)]
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute("DELETE FROM green_tripdata")
    finally:
        loaded.query(f"DROP OWNED BY {role}")
        loaded.query(f"DROP ROLE {role}")


@pytest.mark.parametrize(
    "index",
    [
        "CREATE INDEX mine ON green_tripdata (pulocationid, tip_amount DESC) WHERE tip_amount > 0",
        'CREATE INDEX "my index" ON green_tripdata (lower(store_and_fwd_flag))',
        "CREATE UNIQUE INDEX mine ON green_tripdata (file_month, lpep_pickup_datetime)",
        "ALTER TABLE green_tripdata ADD CONSTRAINT mine UNIQUE (file_month, lpep_pickup_datetime)",
    ],
    ids=["partial", "expression", "unique", "constraint"],
)
def test_an_index_on_main_stays_and_covers_every_month(loaded: PostgresProject, index: str):
    loaded.query(index)
    replace_january(loaded)
    load_march(loaded)
    months = loaded.query(
        "SELECT indrelid::regclass::text FROM pg_index JOIN pg_inherits ON inhrelid = indexrelid"
        " JOIN pg_class AS main ON main.oid = inhparent WHERE main.relname LIKE %s AND indisvalid ORDER BY 1",
        "m%",
    )
    assert [month for (month,) in months] == [f"green_tripdata_2019_0{number}" for number in (1, 2, 3)]
    per_month = loaded.query(
        "SELECT count(*) FROM pg_index WHERE indrelid = 'green_tripdata_2019_01'::regclass AND NOT indisprimary"
    )
    assert per_month == [(1,)], "no index is built twice"


def test_rows_that_a_users_unique_index_refuses_leave_main_as_it_was(loaded: PostgresProject):
    loaded.query("CREATE UNIQUE INDEX mine ON green_tripdata (file_month, lpep_pickup_datetime)")
    before = loaded.digest("green_tripdata")
    trips = made_trips(GREEN, JANUARY, 40)
    loaded.put([*trips, trips[0]])
    outcome = loaded.run()
    assert "could not create unique index" in outcome.failure
    assert outcome.failure.endswith("drop the unique index of yours that these rows break, then run again.")
    assert "\n" not in outcome.failure
    assert loaded.digest("green_tripdata") == before
    loaded.put(trips)
    assert changes(loaded) == [(0, 0, 20)]
    assert loaded.tables() == LOADED_TABLES


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("note text DEFAULT 'mine'", "mine"),
        ("hour int GENERATED ALWAYS AS (extract(hour FROM lpep_pickup_datetime)) STORED", 0),
    ],
    ids=["with a default", "generated"],
)
def test_a_users_column_on_main_stays(loaded: PostgresProject, column: str, value: object):
    loaded.query(f"ALTER TABLE green_tripdata ADD COLUMN {column}")
    replace_january(loaded)
    load_march(loaded)
    name = column.partition(" ")[0]
    assert loaded.query(
        f"SELECT DISTINCT {name} FROM green_tripdata WHERE extract(hour FROM lpep_pickup_datetime) = 0"
    ) == [(value,)]


def test_a_view_on_a_monthly_table_is_never_dropped_but_named_as_the_obstacle(loaded: PostgresProject):
    loaded.query("CREATE VIEW mine AS SELECT count(*) AS trips FROM green_tripdata_2019_01")
    before = loaded.digest("green_tripdata")
    loaded.put(made_trips(GREEN, JANUARY, 40))
    outcome = loaded.run()
    assert "let what depends on the monthly table use the main table instead" in outcome.failure
    assert loaded.digest("green_tripdata") == before
    loaded.query("DROP VIEW mine")
    assert changes(loaded) == [(0, 0, 20)]


def test_the_zones_are_loaded_and_replaced_as_a_whole(project: PostgresProject):
    project.put_zones()
    for _ in range(2):
        result = project.run_zones()
        assert result.success
        assert [check.passed for check in result.get_asset_check_evaluations()] == [True]
    assert project.query("SELECT locationid, borough, zone, service_zone FROM taxi_zones WHERE locationid = 7") == [
        (7, "Borough 2", "Zone 7", "Boro Zone")
    ]
    project.query("DELETE FROM taxi_zones WHERE locationid = 7")
    (check,) = project.run_zones_check().get_asset_check_evaluations()
    assert not check.passed


def test_the_page_of_the_zones_names_the_tables_columns(project: PostgresProject):
    project.put_zones()
    assert project.run_zones().success
    zones = project.definitions().resolve_asset_graph().get(project.kind.key("taxi_zones"))
    shown = [column.name for column in zones.metadata["dagster/column_schema"].columns]
    assert shown == [
        name
        for (name,) in project.query(
            "SELECT attname FROM pg_attribute WHERE attrelid = 'taxi_zones'::regclass AND attnum > 0 ORDER BY attnum"
        )
    ]


def test_a_view_on_the_zones_stays_and_shows_the_new_ones(project: PostgresProject, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("TAXI_ZONE_COUNT", "264")
    project.put_zones(264)
    assert project.run_zones().success
    project.query("CREATE VIEW mine AS SELECT count(*) AS zones FROM taxi_zones")
    monkeypatch.delenv("TAXI_ZONE_COUNT")
    project.put_zones(265)
    assert project.run_zones().success
    assert project.query("SELECT zones FROM mine") == [(265,)]


@pytest.mark.parametrize(
    "name",
    [
        "green_tripdata",
        "green_tripdata_2019_01",
        "green_tripdata_2019_01_staging",
        "green_tripdata_2019_01_staging_filling",
    ],
)
def test_a_table_of_that_name_that_is_not_ours_is_refused_and_untouched(project: PostgresProject, name: str):
    project.put(made_trips(GREEN, JANUARY, 10))
    project.query(f'CREATE SCHEMA "{project.schema}"')
    project.query(f"CREATE TABLE {name} AS SELECT 42 AS answer")
    outcome = project.run()
    assert f"There is a table {name} that this project did not create: nothing was changed" in outcome.failure
    assert "TAXI_POSTGRES_SCHEMA" in outcome.failure
    assert project.query(f"SELECT answer FROM {name}") == [(42,)]


def test_a_file_that_is_refused_leaves_no_table_behind(project: PostgresProject):
    project.put([*made_trips(GREEN, JANUARY, 10), made_trips(GREEN, JANUARY, 1)[0] | {"trip_distance": "far"}])
    assert "is not a number" in project.run().failure
    tables = project.query("SELECT tablename FROM pg_tables WHERE schemaname = current_schema()")
    assert tables == [("green_tripdata",)]


def test_zones_that_are_not_ours_are_refused_and_untouched(project: PostgresProject):
    project.put_zones()
    project.query(f'CREATE SCHEMA "{project.schema}"')
    project.query("CREATE TABLE taxi_zones AS SELECT 42 AS answer")
    result = project.run_zones()
    (failure,) = [event for event in result.all_events if event.is_step_failure]
    assert "There is a table taxi_zones that this project did not create" in str(failure.step_failure_data)
    assert project.query("SELECT answer FROM taxi_zones") == [(42,)]


def test_a_main_table_that_lost_a_column_is_refused_in_one_sentence(loaded: PostgresProject):
    loaded.query("ALTER TABLE green_tripdata DROP COLUMN ehail_fee")
    outcome = loaded.run()
    assert "The table green_tripdata has no column ehail_fee" in outcome.failure


@pytest.mark.parametrize("name", ["Taxi Data", "täxi", 'quo"ted'])
def test_a_schema_may_have_any_name(loaded: PostgresProject, name: str):
    other = PostgresProject(loaded.folder, loaded.url, f"{name} {loaded.schema}")
    try:
        assert changes(other) == [(60, 0, 0)]
        other.put(made_trips(GREEN, JANUARY, 10))
        assert changes(other) == [(0, 0, 50)]
        assert loaded.query("SELECT count(*) FROM green_tripdata") == [(120,)], "schemas are apart"
    finally:
        loaded.query('DROP SCHEMA "{}" CASCADE'.format(other.schema.replace('"', '""')))


def test_merging_without_a_schema_finds_nothing_of_other_schemas(loaded: PostgresProject):
    loaded.query("CREATE TABLE public.green_tripdata_2019_01 (a int)")
    try:
        missing = PostgresProject(loaded.folder, loaded.url, "missing_" + loaded.schema)
        outcome = missing.run(stages=("main",), checks=False)
        assert "has no table green_tripdata_2019_01: materialize postgres/green_tripdata_month" in outcome.failure
    finally:
        loaded.query("DROP TABLE public.green_tripdata_2019_01")
