"""With the feed, partitions, schedule and sensor go on for ever, without anybody editing code."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import dagster as dg
import pytest

from taxi_assets import settings
from taxi_assets.automation.cursor import SensorCursor
from taxi_assets.automation.records import read_records
from taxi_assets.automation.schedules import newest_months
from taxi_assets.automation.sensors import decide
from taxi_assets.demo import main as demo
from taxi_assets.months import Month
from taxi_assets.partitions import months_of_taxi, months_partitions
from taxi_assets.source.raw_files import feed_file
from taxi_assets.source.resource import TripSource
from taxi_assets.warehouses.duckdb import WAREHOUSE
from taxi_assets_tests.csv_files import made_trips
from taxi_assets_tests.feed.parquet_files import feed_table
from taxi_assets_tests.feed.project import AUTUMN, FedProject
from taxi_assets_tests.project import GREEN, YELLOW
from taxi_assets_tests.source.file_server import Fault, FileServer

DECEMBER_FIRST = datetime(2022, 12, 1, 10, tzinfo=ZoneInfo("America/New_York"))


def last_month(at: datetime) -> str:
    return months_partitions().get_partition_keys(current_time=at)[-1]


@pytest.mark.parametrize("source", ["feed", "auto"])
def test_a_month_becomes_a_partition_when_it_has_ended(source: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("TAXI_SOURCE", source)
    assert last_month(datetime(2026, 1, 31, 23, 59, tzinfo=UTC)) == "2025-12"
    assert last_month(datetime(2026, 2, 1, tzinfo=UTC)) == "2026-01"
    assert last_month(datetime(2041, 7, 15, tzinfo=UTC)) == "2041-06"
    assert months_of_taxi(GREEN, datetime(2026, 2, 1, tzinfo=UTC))[-1] == Month(2026, 1)


@pytest.mark.parametrize("source", ["release", "sample", "/data/mirror", ""])
def test_the_months_of_the_release_stay_those_of_the_release(source: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("TAXI_SOURCE", source)
    assert last_month(datetime(2026, 1, 31, tzinfo=UTC)) == "2021-07"
    assert months_of_taxi(GREEN, datetime(2026, 1, 31, tzinfo=UTC))[-1] == Month(2021, 7)


def ledgers_of(project: FedProject):
    graph = project.definitions().get_repository_def().asset_graph
    return read_records(project.instance, graph, [WAREHOUSE])


def test_the_schedule_asks_for_the_newest_published_months(fed: FedProject):
    found = newest_months(fed.trip_source(), ledgers_of(fed), DECEMBER_FIRST)
    assert found.requests == []
    assert "green, yellow 2022-06...2022-11 not published yet" in found.message
    for taxi in (GREEN, YELLOW):
        fed.publish(feed_table(taxi, AUTUMN, 30), AUTUMN, taxi)
    found = newest_months(fed.trip_source(), ledgers_of(fed), DECEMBER_FIRST)
    (request,) = found.requests
    assert request.partition_key == "2022-10"
    assert request.tags["file"] == "green_tripdata_2022-10.parquet, yellow_tripdata_2022-10.parquet"
    assert "TAXI_SOURCE" not in found.message


def test_the_sensor_requests_a_month_when_its_file_appears_and_again_when_it_changes(fed: FedProject):
    def requested() -> list[str]:
        found = decide(fed.trip_source(), ledgers_of(fed), SensorCursor(), now=DECEMBER_FIRST.timestamp())
        return [request.tags["month"] for request in found.requests]

    assert requested() == []
    fed.publish(feed_table(GREEN, AUTUMN, 30))
    assert requested() == ["2022-10"]
    assert fed.run(str(AUTUMN)).success
    assert requested() == []
    fed.publish(feed_table(GREEN, AUTUMN, 31))
    assert requested() == ["2022-10"]


def test_the_sensor_asks_release_and_feed(fed: FedProject):
    fed.source_name = "auto"
    fed.put(made_trips(GREEN, Month(2021, 7), 20), Month(2021, 7))
    for month in (Month(2021, 7), Month(2021, 8), AUTUMN):
        fed.publish(feed_table(GREEN, month, 30), month)
    found = decide(fed.trip_source(), ledgers_of(fed), SensorCursor(), now=DECEMBER_FIRST.timestamp())
    assert [request.tags["month"] for request in found.requests] == ["2021-07...2021-08", "2022-10"]
    assert f"folder {fed.source} and folder {fed.feed}" in found.message


def test_a_release_that_does_not_answer_keeps_no_month_of_the_feed_waiting(fed: FedProject, file_server: FileServer):
    fed.source_name, fed.release = "auto", file_server.address
    file_server.head_faults.extend([Fault(status=503)] * 10)
    fed.publish(feed_table(GREEN, AUTUMN, 30))
    found = decide(fed.trip_source(), ledgers_of(fed), SensorCursor(), now=DECEMBER_FIRST.timestamp())
    assert [request.tags["month"] for request in found.requests] == ["2022-10"]
    assert "2 without an answer" in found.message
    assert len(file_server.requests) == 2


def test_the_feeds_address_is_handed_on_by_name_as_it_may_hold_a_password(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("TAXI_FEED_URL", "https://me:secret@mirror.example/trips")
    assert settings.feed() == dg.EnvVar("TAXI_FEED_URL")
    origin = TripSource(address="feed", feed=os.environ["TAXI_FEED_URL"], landing="landing").origin(
        feed_file(GREEN, AUTUMN)
    )
    assert origin.name == "https://mirror.example/trips"


def test_the_demo_says_how_far_the_feed_can_go(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    assert demo(["--source", "feed", "--months", "2199-01"]) == 1
    said = capsys.readouterr().out
    assert "2199-01 is not among the months of" in said
    assert "2021-07" not in said
    assert "TAXI_SOURCE=auto" not in said
