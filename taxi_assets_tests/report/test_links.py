"""Pages lead to one another, whatever was made last, and those without the newest trips say since when."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime

import dagster as dg
import pytest

from taxi_assets_tests.csv_files import made_trips
from taxi_assets_tests.project import FEBRUARY, GREEN, JANUARY, Project
from taxi_assets_tests.report.test_report import ALL_MONTHS, MONTH, materialize, page_of

NAMES = ("2019-01", "2019-02", "all_months")


@pytest.fixture(scope="module")
def reported(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """Two months, and the pages of both and of each; the page of all months was made first."""
    project = Project(tmp_path_factory.mktemp("linked"))
    for month in (JANUARY, FEBRUARY):
        project.put(made_trips(GREEN, month, 20), month)
    assert project.run("2019-01...2019-02", checks=False).success
    for key, months in ((ALL_MONTHS, None), (MONTH, "2019-01"), (MONTH, "2019-02")):
        assert materialize(project, key, months).success
    return project


def texts(project: Project) -> Mapping[str, str]:
    return {name: page_of(project, name).read_text("utf-8") for name in NAMES}


def stale(project: Project) -> Mapping[str, set[str]]:
    """For each page with a notice, what it says since when it is out of date, and what others say of it."""
    found: dict[str, set[str]] = {}
    for name, text in texts(project).items():
        for since in re.findall(r'<p class="stale".*? have changed since (.*?)\.', text):
            found.setdefault(name, set()).add(since)
        for other, since in re.findall(r'href="(\w[\w-]*)\.html">[^<]*</a> <small[^>]*>out of date since (.*?)<', text):
            found.setdefault(other, set()).add(since)
    return found


def moment_of_last_change(project: Project) -> str:
    (record,) = project.instance.fetch_materializations(
        dg.AssetKey.from_user_string("duckdb/green_tripdata"), limit=1
    ).records
    return f"{datetime.fromtimestamp(record.timestamp, UTC):%Y-%m-%d %H:%M} UTC"


def test_every_page_leads_to_all_others_though_it_was_made_before_them(reported: Project) -> None:
    for name, text in texts(reported).items():
        assert set(re.findall(r'href="([\w-]+)\.html"', text)) == set(NAMES) - {name}


def test_pages_with_the_newest_trips_say_nothing(reported: Project) -> None:
    assert stale(reported) == {}
    assert reported.run("2019-01...2019-02", checks=False).success
    assert materialize(reported, MONTH, "2019-02").success
    assert stale(reported) == {}


def test_a_page_without_the_newest_trips_says_since_when_until_it_is_renewed(reported: Project) -> None:
    before = texts(reported)
    reported.put(made_trips(GREEN, JANUARY, 21))
    assert reported.run("2019-01", checks=False).success
    moment = moment_of_last_change(reported)
    assert materialize(reported, ALL_MONTHS).success
    assert stale(reported) == {"2019-01": {moment}}
    january = texts(reported)["2019-01"]
    assert "materialize <code>report/duckdb/month for 2019-01</code>" in january
    assert materialize(reported, MONTH, "2019-01").success
    assert stale(reported) == {}
    after = texts(reported)
    assert after["2019-02"] == before["2019-02"]
    assert after["2019-01"] not in {before["2019-01"], january}


def test_a_page_that_could_not_be_renewed_stays_marked(reported: Project) -> None:
    job = reported.definitions().resolve_job_def("remove_month")
    config = {"warehouse": "duckdb", "taxi": "green", "month": "2019-01", "confirm": "duckdb green 2019-01"}
    assert job.execute_in_process(
        run_config={"ops": {"remove": {"config": config}}}, instance=reported.instance
    ).success
    assert not materialize(reported, MONTH, "2019-01").success
    assert materialize(reported, MONTH, "2019-02").success
    assert set(stale(reported)) == {"2019-01", "all_months"}
