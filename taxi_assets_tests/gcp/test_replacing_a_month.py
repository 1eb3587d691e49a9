"""What a materialization means in BigQuery: main's partition is exactly the file, value by value. (Emulator tests.)"""

from __future__ import annotations

import json
from datetime import date

import dagster as dg
import pytest

from taxi_assets_tests.csv_files import csv_bytes, made_trips, put_csv, put_sample
from taxi_assets_tests.gcp.project import GcpProject
from taxi_assets_tests.project import FEBRUARY, GREEN, JANUARY, YELLOW
from taxi_assets_tests.test_replacing_a_month import values_of_file, values_of_table

FILE = "green_tripdata_2019-01.csv"


def test_a_first_load_inserts_the_file_and_a_second_one_changes_nothing(project: GcpProject):
    trips = made_trips(GREEN, JANUARY, 60)
    project.put(trips)
    assert project.changes() == [(60, 0, 0)]
    rows = project.rows("green_tripdata")
    assert values_of_table(GREEN, rows) == values_of_file(GREEN, trips)
    assert {(row["filename"], row["file_month"]) for row in rows} == {(FILE, date(2019, 1, 1))}
    # Nothing is stored twice: the month's own name is a view of main.
    assert project.tables() == {"green_tripdata": "TABLE", "green_tripdata_2019_01": "VIEW"}
    assert project.rows("green_tripdata_2019_01") == rows
    assert project.object_names() == [f"green/{FILE}.gz"]
    assert project.changes() == [(0, 0, 0)]
    assert project.changes(stages=("main",)) == [(0, 0, 0)]
    assert project.rows("green_tripdata") == rows


def test_new_corrected_and_vanished_rows_are_counted_and_the_slice_is_the_file(loaded: GcpProject):
    february = [row for row in loaded.rows("green_tripdata") if row["file_month"] == FEBRUARY.first_day]
    trips = made_trips(GREEN, JANUARY, 67)[5:]  # five vanish, seven are new
    for trip in trips[:3]:
        trip["tip_amount"] = "99.5"
    trips[3]["ehail_fee"] = ""  # a value becomes null
    loaded.put(trips)
    assert loaded.changes("2019-01...2019-02") == [(7, 4, 5), (0, 0, 0)]
    rows = loaded.rows("green_tripdata")
    assert [row for row in rows if row["file_month"] == FEBRUARY.first_day] == february
    january = [row for row in rows if row["file_month"] == JANUARY.first_day]
    assert values_of_table(GREEN, january) == values_of_file(GREEN, trips)


def test_stages_may_be_materialized_one_by_one_and_main_needs_the_month(project: GcpProject):
    project.put(made_trips(GREEN, JANUARY, 10))
    outcome = project.run(stages=("main",), checks=False)
    assert "materialize bigquery/green_tripdata_month for 2019-01 first" in outcome.failure
    for stage, tables in (
        ("raw", set()),
        ("object", set()),
        ("external", {"green_tripdata_2019_01_ext"}),
        ("month", {"green_tripdata_2019_01_ext", "green_tripdata_2019_01", "green_tripdata_2019_01_loaded"}),
        ("main", {"green_tripdata", "green_tripdata_2019_01"}),
    ):
        outcome = project.run(stages=(stage,))
        assert outcome.success, outcome.error
        assert set(project.tables()) == tables


def test_tables_are_kept_on_request(project: GcpProject):
    project.put(made_trips(GREEN, JANUARY, 10))
    assert project.changes(keep_tables=True) == [(10, 0, 0)]
    assert project.tables() == {
        "green_tripdata": "TABLE",
        "green_tripdata_2019_01": "VIEW",
        "green_tripdata_2019_01_loaded": "TABLE",
        "green_tripdata_2019_01_ext": "EXTERNAL",
    }
    assert project.changes() == [(0, 0, 0)]
    assert project.tables() == {"green_tripdata": "TABLE", "green_tripdata_2019_01": "VIEW"}


def test_tables_and_jobs_say_what_they_are(project: GcpProject):
    project.put(made_trips(GREEN, JANUARY, 10))
    outcome = project.run()
    with project.client() as client:
        main = client.get_table(f"{project.dataset}.green_tripdata")
        (month,) = (table for table in client.list_tables(project.dataset) if table.table_type == "VIEW")
        job_ids = {
            outcome.materialized(f"bigquery/green_tripdata{part}")["2019-01"]["job"].rpartition(".")[2]
            for part in ("_ext", "_month", "")
        }
        jobs = [client.get_job(job_id) for job_id in job_ids]
    assert (main.time_partitioning.type_, main.time_partitioning.field) == ("MONTH", "file_month")
    assert main.clustering_fields == ["lpep_pickup_datetime", "PULocationID", "DOLocationID"]
    assert main.description.startswith("taxi_assets: Green taxi trips, all months.")
    assert main.labels == {"made_by": "taxi_assets", "taxi": "green"}
    names = [column.name for column in GREEN.columns]
    assert [field.name for field in main.schema] == ["unique_row_id", "filename", "file_month", *names]
    assert all(field.description for field in main.schema)
    assert month.table_id == "green_tripdata_2019_01"
    wanted = {"made_by": "taxi_assets", "taxi": "green", "month": "2019-01", "run": outcome.result.run_id}
    assert len(jobs) == 3
    assert [job.labels for job in jobs] == [wanted] * 3
    merged = outcome.materialized("bigquery/green_tripdata")["2019-01"]
    assert {"bytes billed", "slot milliseconds", "job", "inserted", "updated", "deleted"} <= merged.keys()
    # An emulator's job can't be taken for one of the real service.
    assert merged["emulated"] is True
    assert "console" not in merged


def test_another_taxi_has_tables_of_its_own(project: GcpProject):
    put_sample(project.source, YELLOW, JANUARY, 200)
    assert project.changes(taxi=YELLOW) == [(200, 0, 0)]
    assert project.tables() == {"yellow_tripdata": "TABLE", "yellow_tripdata_2019_01": "VIEW"}


def test_quotes_commas_and_empty_fields_arrive_as_they_are_meant(project: GcpProject):
    header = GREEN.header[::-1]
    trips = made_trips(GREEN, JANUARY, 4)
    trips[0]["store_and_fwd_flag"] = '"N,o ""really"""'
    trips[1] |= {"store_and_fwd_flag": "", "VendorID": "", "trip_distance": "", "passenger_count": '""'}
    trips[2] |= {"VendorID": "1.0", "trip_distance": ".79", "fare_amount": "-83.5300", "extra": "5."}
    put_csv(project.source, GREEN, JANUARY, csv_bytes(header, trips))
    assert project.changes() == [(4, 0, 0)]
    rows = project.query(
        "SELECT store_and_fwd_flag, VendorID, trip_distance, passenger_count, fare_amount, extra"
        " FROM green_tripdata ORDER BY lpep_pickup_datetime"
    )
    assert rows[0][0] == 'N,o "really"'
    assert rows[1][:4] == (None, None, None, None)
    assert [float(value) for value in (rows[2][1], rows[2][2], rows[2][4], rows[2][5])] == [1, 0.79, -83.53, 5]


def test_a_month_is_removed_on_purpose_and_its_raw_file_stays(loaded: GcpProject):
    words = "bigquery green 2019-01"
    config = {"warehouse": "bigquery", "taxi": "green", "month": "2019-01", "confirm": words}
    job = loaded.definitions().resolve_job_def("remove_month")
    result = job.execute_in_process(run_config={"ops": {"remove": {"config": config}}}, instance=loaded.instance)
    assert result.success
    assert loaded.query("SELECT DISTINCT file_month FROM green_tripdata") == [(FEBRUARY.first_day,)]
    assert "green_tripdata_2019_01" not in loaded.tables()
    assert f"green/{FILE}.gz" in loaded.object_names()


def test_the_zones_are_replaced_and_checked(project: GcpProject):
    project.address = "sample"
    selection = dg.AssetSelection.assets(["raw", "taxi_zones"], ["bigquery", "taxi_zones"])
    definitions = project.definitions()
    job = dg.define_asset_job("zones", selection).resolve(asset_graph=definitions.resolve_asset_graph())
    for _ in range(2):
        result = job.execute_in_process(instance=project.instance)
        assert all(evaluation.passed for evaluation in result.get_asset_check_evaluations())
    assert project.query("SELECT COUNT(*), COUNT(DISTINCT LocationID) FROM taxi_zones") == [(265, 265)]
    assert project.tables() == {"taxi_zones": "TABLE"}


@pytest.mark.parametrize(
    "name",
    [
        "green_tripdata",
        "green_tripdata_2019_01",
        "green_tripdata_2019_01_ext",
        "green_tripdata_2019_01_staging",
        "green_tripdata_2019_01_loaded",
    ],
)
def test_a_table_of_somebody_else_is_left_alone(project: GcpProject, name: str):
    project.put(made_trips(GREEN, JANUARY, 5))
    project.query(f"CREATE TABLE {name} AS SELECT 42 AS theirs")
    outcome = project.run(checks=False)
    assert f"{name} that this project did not create: nothing was changed" in outcome.failure
    assert project.query(f"SELECT theirs FROM {name}") == [(42,)]


def test_a_main_table_with_other_columns_is_left_alone(project: GcpProject):
    project.put(made_trips(GREEN, JANUARY, 5))
    project.query("CREATE TABLE green_tripdata (unique_row_id STRING) OPTIONS (description = 'taxi_assets: old')")
    outcome = project.run(checks=False)
    assert "green_tripdata has no column filename" in outcome.failure


def test_a_missing_dataset_and_a_missing_setting_are_named_with_the_remedy(project: GcpProject):
    project.put(made_trips(GREEN, JANUARY, 5))
    assert "GCP_DATASET is not set: set it" in project.run(checks=False, dataset=None).failure
    assert "run the job gcp_setup" in project.run(checks=False, dataset="no_such_dataset").failure


def test_a_key_never_enters_what_dagster_keeps(project: GcpProject, monkeypatch: pytest.MonkeyPatch):
    key = {"type": "service_account", "private_key": "-----BEGIN PRIVATE KEY-----MIIEv5ecret", "client_email": "a@b.c"}
    monkeypatch.setenv("GCP_CREDS", json.dumps(key))
    project.put(made_trips(GREEN, JANUARY, 5))
    outcome = project.run(checks=False, gcp_credentials=dg.EnvVar("GCP_CREDS"), endpoint=None)
    assert "GCP_CREDS is not a key that Google's libraries can use" in outcome.failure
    kept = "\n".join(str(event) for event in project.instance.all_logs(outcome.result.run_id))
    assert "MIIEv5ecret" not in kept + outcome.error + outcome.log
