"""The emulators do what this project needs of them, and what they would not do as they come. (Emulator tests.)"""

from __future__ import annotations

import gzip
import io
import os
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from urllib.parse import urlsplit

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from google.api_core.client_options import ClientOptions
from google.api_core.exceptions import BadRequest, Conflict, Forbidden, PreconditionFailed
from google.auth.credentials import AnonymousCredentials
from google.cloud import bigquery, storage
from google.cloud.storage.exceptions import InvalidResponse

from emulators.running import FOREIGN_BUCKET, READ_ONLY_BUCKET
from taxi_assets_tests.paths import PROJECT

CSV = b"id,fare\r\n1,.79\r\n2,\r\n"


@pytest.fixture
def bucket(place: Mapping[str, str]) -> storage.Bucket:
    client = storage.Client(project=place["GCP_PROJECT_ID"])
    return client.create_bucket(place["GCP_BUCKET_NAME"], location="eu")


@pytest.fixture
def bigquery_client(place: Mapping[str, str]) -> bigquery.Client:
    client = bigquery.Client(
        project=place["GCP_PROJECT_ID"],
        credentials=AnonymousCredentials(),
        client_options=ClientOptions(api_endpoint=place["BIGQUERY_EMULATOR_HOST"]),
    )
    client.create_dataset(place["GCP_DATASET"])
    return client


@pytest.fixture
def dataset(place: Mapping[str, str]) -> str:
    return f"{place['GCP_PROJECT_ID']}.{place['GCP_DATASET']}"


def make_external_table(client: bigquery.Client, place: Mapping[str, str], file: str) -> None:
    name = f"{place['GCP_PROJECT_ID']}.{place['GCP_DATASET']}.trips_ext"
    client.query_and_wait(
        f"CREATE OR REPLACE EXTERNAL TABLE `{name}` (`id` STRING, `fare` STRING) OPTIONS (format = 'CSV', "
        f"uris = ['gs://{place['GCP_BUCKET_NAME']}/{file}'], skip_leading_rows = 1, labels = [('taxi', 'green')])"
    )


def test_an_external_table_has_the_rows_of_its_compressed_object(bucket, bigquery_client, place, dataset):
    bucket.blob("green/a.csv.gz").upload_from_string(gzip.compress(CSV))
    make_external_table(bigquery_client, place, "green/a.csv.gz")
    rows = bigquery_client.query_and_wait(f"SELECT id, fare FROM `{dataset}.trips_ext` ORDER BY id")
    assert [tuple(row) for row in rows] == [("1", ".79"), ("2", None)]
    table = bigquery_client.get_table(f"{place['GCP_DATASET']}.trips_ext")
    assert (table.table_type, table.labels) == ("EXTERNAL", {"taxi": "green"})


def test_an_external_table_reads_its_object_whenever_it_is_asked(bucket, bigquery_client, place, dataset, emulators):
    if emulators.bigquery_name != "local-bigquery":
        pytest.skip("bqemulator keeps the rows that there were when the table was made")
    bucket.blob("green/a.csv.gz").upload_from_string(gzip.compress(CSV))
    make_external_table(bigquery_client, place, "green/a.csv.gz")
    bucket.blob("green/a.csv.gz").upload_from_string(gzip.compress(CSV + b"3,1\r\n"))
    rows = bigquery_client.query_and_wait(f"SELECT count(*) FROM `{dataset}.trips_ext`")
    assert [tuple(row) for row in rows] == [(3,)]


def test_a_load_of_parquet_converts_nothing(bigquery_client, dataset, emulators):
    if emulators.bigquery_name != "local-bigquery":
        pytest.skip("bqemulator converts what it loads")
    config = bigquery.LoadJobConfig(source_format="PARQUET", schema=[bigquery.SchemaField("fare", "FLOAT64")])
    for values in (pa.array([1, 2]), pa.array([None, None], pa.int32())):
        file = io.BytesIO()
        pq.write_table(pa.table({"fare": values}), file)
        job = bigquery_client.load_table_from_file(file, f"{dataset}.fares", rewind=True, job_config=config)
        with pytest.raises(BadRequest, match=r"'fare' has type .* which does not match the target type FLOAT64"):
            job.result()


def test_a_merge_says_how_many_rows_it_inserted_updated_and_deleted(bigquery_client, dataset):
    bigquery_client.query_and_wait(
        f"CREATE TABLE `{dataset}.main` AS SELECT 1 AS id, 10 AS fare UNION ALL SELECT 2, 20"
    )
    merge = bigquery_client.query(
        f"MERGE `{dataset}.main` AS t "
        "USING (SELECT 2 AS id, 21 AS fare UNION ALL SELECT 3, 30 UNION ALL SELECT 4, 40) AS s "
        "ON t.id = s.id WHEN MATCHED THEN UPDATE SET fare = s.fare "
        "WHEN NOT MATCHED BY TARGET THEN INSERT (id, fare) VALUES (s.id, s.fare) "
        "WHEN NOT MATCHED BY SOURCE AND t.id < 100 THEN DELETE"
    )
    merge.result()
    changes = merge.dml_stats
    assert (changes.inserted_row_count, changes.updated_row_count, changes.deleted_row_count) == (2, 1, 1)


def test_of_two_writers_who_both_think_they_are_the_first_one_is_refused(bucket):
    bucket.blob("a").upload_from_string(b"first", if_generation_match=0)
    with pytest.raises(PreconditionFailed):
        bucket.blob("a").upload_from_string(b"second", if_generation_match=0)
    assert bucket.blob("a").download_as_bytes() == b"first"


def test_an_upload_in_parts_is_refused_if_somebody_else_was_quicker(bucket):
    stream = bucket.blob("a", chunk_size=256 * 1024).open("wb", if_generation_match=0)
    stream.write(bytes(300 * 1024))
    bucket.blob("a").upload_from_string(b"quick")
    with pytest.raises(InvalidResponse, match="412"):
        stream.close()
    assert bucket.blob("a").download_as_bytes() == b"quick"


def test_a_bucket_keeps_its_location_and_labels(place):
    client = storage.Client(project=place["GCP_PROJECT_ID"])
    wanted = client.bucket(place["GCP_BUCKET_NAME"])
    wanted.labels = {"made-by": "taxi_assets"}
    client.create_bucket(wanted, location="europe-west3")
    found = client.get_bucket(place["GCP_BUCKET_NAME"])
    assert (found.location, found.labels) == ("EUROPE-WEST3", {"made-by": "taxi_assets"})


def test_somebody_elses_bucket_is_neither_seen_nor_free(place):
    client = storage.Client(project=place["GCP_PROJECT_ID"])
    with pytest.raises(Forbidden):
        client.get_bucket(FOREIGN_BUCKET)
    with pytest.raises(Conflict):
        client.create_bucket(FOREIGN_BUCKET)


def test_the_read_only_bucket_grants_reading_and_refuses_writing(place):
    bucket = storage.Client(project=place["GCP_PROJECT_ID"]).bucket(READ_ONLY_BUCKET)
    asked = ["storage.objects.create", "storage.objects.list"]
    assert bucket.test_iam_permissions(asked) == ["storage.objects.list"]
    with pytest.raises(Forbidden):
        bucket.blob("a").upload_from_string(b"x")


def test_the_emulators_end_with_whoever_started_them_even_if_it_is_killed(emulators, tmp_path):
    starter = subprocess.Popen(
        [sys.executable, "-m", "emulators", "run"],
        cwd=PROJECT,
        env={**os.environ, "TMPDIR": str(tmp_path)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        addresses = []
        for line in starter.stdout:
            if line.startswith(("export STORAGE", "export BIGQUERY")):
                addresses.append(urlsplit(line.strip().partition("=")[2].strip("'")))
            if len(addresses) == 2:
                break
        assert all(answers(address.port) for address in addresses)
    finally:
        starter.kill()
        starter.communicate()
    deadline = time.monotonic() + 60
    while (any(answers(a.port) for a in addresses) or any(tmp_path.glob("taxi_emulators_*"))) and (
        time.monotonic() < deadline
    ):
        time.sleep(0.05)
    assert not any(answers(address.port) for address in addresses)
    assert not any(tmp_path.glob("taxi_emulators_*")), "their data is still there"


def answers(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0
