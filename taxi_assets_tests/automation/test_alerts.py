"""A failed run and a failed check are said in one place, with their cause, and a broken webhook breaks nothing."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import dagster as dg
import pytest

from taxi_assets import settings
from taxi_assets.automation import webhook as webhook_module
from taxi_assets.automation.alerts import alert_sensors
from taxi_assets.automation.webhook import Webhook
from taxi_assets.source.retries import HttpRetries
from taxi_assets_tests.automation.webhook_server import WebhookServer
from taxi_assets_tests.csv_files import csv_bytes, made_trips, put_csv
from taxi_assets_tests.project import FEBRUARY, GREEN, JANUARY, MARCH, Outcome, Project

SECRET = "s3cret-t0ken"
FAILED_RUNS, FAILED_CHECKS = alert_sensors()


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webhook_module, "_RETRIES", HttpRetries(timeout_seconds=1, attempts=2, backoff_seconds=0.01))


@pytest.fixture
def server() -> Iterator[WebhookServer]:
    with WebhookServer() as server:
        yield server


def alert(outcome: Outcome, webhook: Webhook) -> None:
    """Evaluate the sensors as Dagster does after a run."""
    sensor, kind = (FAILED_CHECKS, "PIPELINE_SUCCESS") if outcome.success else (FAILED_RUNS, "PIPELINE_FAILURE")
    (event,) = [event for event in outcome.result.all_events if event.event_type_value == kind]
    context = dg.build_run_status_sensor_context(
        sensor_name=sensor.name,
        dagster_event=event,
        dagster_instance=outcome.instance,
        dagster_run=outcome.result.dagster_run,
        resources={"webhook": webhook},
    )
    sensor(context if outcome.success else context.for_run_failure())


def put_bad(project: Project, month: object = JANUARY) -> None:
    trips = made_trips(GREEN, JANUARY, 10)
    trips[0]["fare_amount"] = "abc"
    put_csv(project.source, GREEN, month, csv_bytes(GREEN.header, trips))


def test_a_failed_run_is_told_with_its_cause(project: Project, server: WebhookServer) -> None:
    put_bad(project)
    alert(project.run(), Webhook(address=server.address))
    (message,) = server.received
    assert list(message) == ["text"]
    headline, cause = message["text"].split("\n")
    assert headline.startswith("Failed: run green 2019-01 (run ")
    assert cause.startswith("2019-01, duckdb/green_tripdata_month: green_tripdata_2019-01.csv.gz")
    assert "“abc” is not a number" in cause
    assert "Traceback" not in message["text"]


def test_a_failed_range_names_the_months_that_failed(project: Project, server: WebhookServer) -> None:
    project.put(made_trips(GREEN, JANUARY, 10))
    put_bad(project, FEBRUARY)
    alert(project.run("2019-01...2019-03"), Webhook(address=server.address))
    (text,) = server.texts
    assert "run green 2019-01...2019-03" in text
    assert "2 of 3 months failed, the others are done:" in text
    assert "2019-03, raw/green_tripdata: green_tripdata_2019-03.csv.gz is not in the folder" in text


def test_a_check_that_warns_is_told_with_its_months(project: Project, server: WebhookServer) -> None:
    project.put(made_trips(GREEN, FEBRUARY, 10), MARCH)
    project.put(made_trips(GREEN, FEBRUARY, 10), FEBRUARY)
    alert(project.run("2019-02...2019-03"), Webhook(address=server.address))
    (text,) = server.texts
    assert text.startswith("Checks failed in run green 2019-02...2019-03 (run ")
    assert "\nwarning: duckdb/green_tripdata_month failed pickups_are_in_month for 2019-03" in text


def test_a_check_that_is_an_error_is_told_as_one(loaded: Project, server: WebhookServer) -> None:
    loaded.put(made_trips(GREEN, JANUARY, 50))
    assert loaded.run(stages=("raw", "month"), checks=False).success
    with loaded.warehouse().get_connection() as connection:
        connection.execute("DELETE FROM green_tripdata_2019_01 WHERE fare_amount = 10.5")
    alert(loaded.run(stages=("main",), checks=("month", "main")), Webhook(address=server.address))
    (text,) = server.texts
    assert "failed rows_match_file for 2019-01" in text
    assert "error: duckdb/green_tripdata_month failed rows_match_file for 2019-01" in text


def test_a_run_without_fault_is_not_worth_a_word(loaded: Project, server: WebhookServer) -> None:
    outcome = loaded.run(checks=("main",))
    assert outcome.success
    alert(outcome, Webhook(address=server.address))
    assert server.received == []


def test_without_a_webhook_the_log_has_it(project: Project, capfd: pytest.CaptureFixture[str]) -> None:
    put_bad(project)
    alert(project.run(), Webhook())
    assert "Failed: run green 2019-01 (run " in capfd.readouterr().err


@pytest.mark.parametrize("status", [404, 500])
def test_a_webhook_that_refuses_breaks_nothing(
    project: Project, server: WebhookServer, caplog: pytest.LogCaptureFixture, status: int
) -> None:
    server.status = status
    put_bad(project)
    alert(project.run(), Webhook(address=server.address))
    assert len(server.received) == 2


@pytest.mark.parametrize(
    ("address", "reason"),
    [
        (f"http://127.0.0.1:9/{SECRET}", "no answer, ConnectError"),
        (f"https://{SECRET}:{SECRET}", "InvalidURL"),
        (f"{SECRET}", "no answer, UnsupportedProtocol"),
    ],
)
def test_an_address_that_does_not_work_is_told_without_the_address(
    caplog: pytest.LogCaptureFixture, address: str, reason: str
) -> None:
    with caplog.at_level(logging.DEBUG):
        assert not Webhook(address=address).send("text", logging.getLogger("test"))
    assert f"The alert did not reach the webhook ({reason}): check TAXI_ALERT_WEBHOOK" in caplog.text
    assert SECRET not in caplog.text


def test_the_address_is_in_no_log_of_an_alert_that_arrived(
    server: WebhookServer, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        assert Webhook(address=server.address).send("text", logging.getLogger("test"))
    assert server.texts == ["text"]
    assert SECRET not in caplog.text


def test_the_address_is_handed_on_by_the_name_of_its_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TAXI_ALERT_WEBHOOK", f"https://example.org/{SECRET}")
    assert settings.alert_webhook() == dg.EnvVar("TAXI_ALERT_WEBHOOK")
    assert SECRET not in repr(settings.alert_webhook())
    monkeypatch.delenv("TAXI_ALERT_WEBHOOK")
    assert settings.alert_webhook() == ""


def test_alerts_are_on_from_the_beginning() -> None:
    assert {sensor.default_status for sensor in alert_sensors()} == {dg.DefaultSensorStatus.RUNNING}
