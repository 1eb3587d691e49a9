"""A dataset that deletes new tables or old partitions by default deletes nothing of the project."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from google.cloud import bigquery

from taxi_assets import settings
from taxi_assets.gcp.resources import BigQueryDataset
from taxi_assets.warehouses.bigquery.expiration import keep
from taxi_assets_tests.csv_files import made_trips
from taxi_assets_tests.gcp.jobs import run_job
from taxi_assets_tests.gcp.project import GcpProject
from taxi_assets_tests.project import FEBRUARY, GREEN, JANUARY

HOUR = 3_600_000


def expirations(project: GcpProject) -> dict[str, object]:
    with project.client() as client:
        return {
            table.table_id: client.get_table(table.reference).expires for table in client.list_tables(project.dataset)
        }


def set_defaults(project: GcpProject) -> None:
    with project.client() as client:
        dataset = client.get_dataset(project.dataset)
        dataset.default_table_expiration_ms = HOUR
        client.update_dataset(dataset, ["default_table_expiration_ms"])


@pytest.mark.parametrize("keep_tables", [True, False], ids=["kept", "merged"])
def test_tables_views_and_external_tables_do_not_expire(project: GcpProject, keep_tables: bool) -> None:
    set_defaults(project)
    project.put(made_trips(GREEN, JANUARY, 5))
    assert project.run(keep_tables=keep_tables).success
    found = expirations(project)
    assert set(found) >= {"green_tripdata", "green_tripdata_2019_01"}
    assert set(found.values()) == {None}


def test_a_main_table_that_would_expire_is_kept_from_the_next_merge_on(project: GcpProject) -> None:
    for month in (JANUARY, FEBRUARY):
        project.put(made_trips(GREEN, month, 5), month)
    assert project.run("2019-01").success
    project.query("ALTER TABLE green_tripdata SET OPTIONS (expiration_timestamp = TIMESTAMP '2999-01-01')")
    assert expirations(project)["green_tripdata"] is not None
    assert project.run("2019-02").success
    assert expirations(project)["green_tripdata"] is None


def test_an_option_of_a_table_or_view_can_be_taken_away_by_a_statement(project: GcpProject) -> None:
    set_defaults(project)
    project.query("CREATE TABLE theirs AS SELECT 1 AS a")
    project.query("CREATE VIEW seen AS SELECT 1 AS a")
    for kind, name in (("TABLE", "theirs"), ("VIEW", "seen")):
        project.query(f"ALTER {kind} {name} SET OPTIONS (expiration_timestamp = NULL)")
    assert expirations(project) == {"theirs": None, "seen": None}


def test_partitions_do_not_expire(project: GcpProject) -> None:
    with project.client() as client:
        table = bigquery.Table(f"{client.project}.{project.dataset}.old", schema=[bigquery.SchemaField("at", "DATE")])
        table.time_partitioning = bigquery.TimePartitioning("MONTH", field="at", expiration_ms=HOUR)
        made = client.create_table(table)
        assert made.time_partitioning.expiration_ms == HOUR
        keep(client, made)
        kept = client.get_table(table.reference).time_partitioning
        assert (kept.type_, kept.field, kept.expiration_ms) == ("MONTH", "at", None)


def test_setup_and_check_say_what_a_dataset_deletes(place: Mapping[str, str]) -> None:
    assert run_job("gcp_setup").success
    with BigQueryDataset(**settings.bigquery_fields()).get_client() as client:
        dataset = client.get_dataset(place["GCP_DATASET"])
        dataset.default_table_expiration_ms = 60 * 24 * HOUR
        dataset.default_partition_expiration_ms = 30 * 24 * HOUR
        client.update_dataset(dataset, ["default_table_expiration_ms", "default_partition_expiration_ms"])
    outcome = run_job("gcp_check")
    assert outcome.success
    table = outcome.metadata["look"]["findings"]
    assert "expiration` | risky | deletes tables after 60 days by default" in table
    assert "expiration` | risky | deletes partitions after 30 days by default" in table
