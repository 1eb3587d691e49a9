"""Models and pages follow the trips, by the daemon, as soon as the sensor is switched on."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from taxi_assets_tests.deployment.running import Running, until

MONTH = "2020-09"

_START = """
mutation ($sensor: SensorSelector!) {
  startSensor(sensorSelector: $sensor) { __typename ... on Sensor { id } ... on PythonError { message } }
}
"""
_STOP = "mutation ($id: String!) { stopSensor(id: $id) { __typename } }"
_REPOSITORIES = """
query { repositoriesOrError { ... on RepositoryConnection { nodes { name location { name } } } } }
"""


@pytest.fixture
def following(running: Running) -> Iterator[Running]:
    """The processes, while the sensor follow_trips is on."""
    (repository,) = running.ask(_REPOSITORIES)["repositoriesOrError"]["nodes"]
    selector = {
        "sensorName": "follow_trips",
        "repositoryName": repository["name"],
        "repositoryLocationName": repository["location"]["name"],
    }
    sensor = running.ask(_START, sensor=selector)["startSensor"]
    assert sensor["__typename"] == "Sensor", sensor
    yield running
    running.ask(_STOP, id=sensor["id"])


def test_a_loaded_month_gets_its_pages_and_models_in_every_warehouse(following: Running) -> None:
    following.launch_backfill([MONTH])
    made = ["report/duckdb/month", "report/postgres/month"]
    if any(asset[-1] == "fct_trips" for asset in following.assets_of_job("refresh_duckdb")):  # dbt is installed
        made += ["duckdb/fct_trips", "postgres/dm_monthly_zone_revenue"]
    for key in made:
        until(
            f"{key} has {MONTH}",
            lambda key=key: [each for each in following.materialized(key) if each[0] <= MONTH <= each[1]],
            seconds=600,
        )
    for warehouse in ("duckdb", "postgres"):
        folder = following.home / "report" / warehouse
        index = until("the page over all months", lambda path=folder / "all_months.html": path.exists() and path)
        until("it leads to the month", lambda index=index: f'href="{MONTH}.html"' in index.read_text("utf-8"))
