"""What is made up says so: on the report's pages, in metadata, and where rows are compared with published counts."""

from __future__ import annotations

from pathlib import Path

import pytest

from taxi_assets.assets.origins import sample_months
from taxi_assets_tests.csv_files import made_trips
from taxi_assets_tests.project import GREEN, JANUARY, Project
from taxi_assets_tests.report.test_report import ALL_MONTHS, MONTH, figures, materialize, page_of, table

ALL_SAMPLE = "Sample data: this project made all of these trips up. They say nothing about New York."
NOT_COMPARED = "sample month, not compared"


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """January and February of the sample."""
    return load_sample(Project(tmp_path, address="sample"))


def load_sample(project: Project) -> Project:
    assert project.run("2019-01...2019-02").success
    return project


def publish(project: Project) -> None:
    """Make the source a folder with a January of its own."""
    project.put(made_trips(GREEN, JANUARY, 20))
    project.address = str(project.source)


def known_sample(project: Project) -> set[str]:
    return {str(month) for month in sample_months(project.instance, project.kind, GREEN)}


def test_a_page_of_sample_months_says_so_and_compares_nothing(project: Project) -> None:
    assert materialize(project, ALL_MONTHS).success
    page = page_of(project, "all_months").read_text("utf-8")
    assert f'<p class="sample" role="note">{ALL_SAMPLE}</p>' in page
    assert table(page, "completeness")["2019-01"][-1] == NOT_COMPARED
    assert "published_counts" not in figures(page)


def test_a_page_of_both_names_the_months_that_are_made_up(project: Project) -> None:
    publish(project)
    assert project.run("2019-01", checks=False).success
    assert materialize(project, ALL_MONTHS).success
    assert materialize(project, MONTH, "2019-01...2019-02").success
    page = page_of(project, "all_months").read_text("utf-8")
    assert "Partly sample data: this project made the trips of some months up (Green taxi 2019-02)." in page
    counts = table(page, "completeness")
    assert counts["2019-01"][2] == "630,918"
    assert counts["2019-02"][-1] == NOT_COMPARED
    assert "number of rows: 0 of 1." in figures(page)["published_counts"][1].get("aria-label", "")
    assert 'class="sample"' not in page_of(project, "2019-01").read_text("utf-8")
    assert ALL_SAMPLE in page_of(project, "2019-02").read_text("utf-8")


def test_every_asset_of_a_sample_month_says_so_in_its_metadata(tmp_path: Path) -> None:
    project = Project(tmp_path, address="sample")
    outcome = project.run("2019-01")
    for key in ("raw/green_tripdata", "duckdb/green_tripdata_month", "duckdb/green_tripdata"):
        metadata = outcome.materialized(key)["2019-01"]
        assert metadata["origin"] == "sample"
        assert "made these rows up" in metadata["sample"]
    report = materialize(project, ALL_MONTHS).materialized(ALL_MONTHS)[None]
    assert report["sample"] == ALL_SAMPLE
    check = outcome.checks("duckdb/green_tripdata_month")["rows_match_published"]
    assert check.passed
    assert "not compared" in str(check.metadata["months"])


def test_a_month_stays_a_sample_month_until_other_rows_are_merged(project: Project) -> None:
    publish(project)
    assert known_sample(project) == {"2019-01", "2019-02"}
    assert project.run("2019-01", stages=("raw", "month"), checks=False).success
    assert known_sample(project) == {"2019-01", "2019-02"}
    assert project.run("2019-01", stages=("main",), checks=False).success
    assert known_sample(project) == {"2019-02"}
