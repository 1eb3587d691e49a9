"""The report says what the warehouse holds, explains every figure, and needs nothing beside its one file."""

from __future__ import annotations

import base64
import re
from collections import Counter
from pathlib import Path
from xml.etree import ElementTree as ET

import dagster as dg
import duckdb
import pytest

from taxi_assets.months import Month
from taxi_assets.report.figures import draw
from taxi_assets.report.summary import summarize
from taxi_assets_tests.csv_files import made_trips, put_sample
from taxi_assets_tests.paths import REAL_DATA, needs_real_data
from taxi_assets_tests.project import FEBRUARY, GREEN, JANUARY, YELLOW, Outcome, Project
from taxi_assets_tests.report.browser import measured, needs_chromium

MONTH, ALL_MONTHS = "report/duckdb/month", "report/duckdb/all_months"
SECTIONS = ["side-by-side", "time-and-money", "where-and-when", "quality", "completeness"]
FIGURES = [
    "hours_of_the_day",
    "trips_per_day",
    "revenue_and_tips_per_week",
    "busiest_zones",
    "hours_by_weekday",
    "rows_with_problems",
    "published_counts",
]
AXES = {
    "hours_of_the_day": {"pickup hour", "share of trips"},
    "trips_per_day": {"trips per day"},
    "revenue_and_tips_per_week": {"week starting on Monday", "US dollars per week"},
    "busiest_zones": {"trips"},
    "hours_by_weekday": {"pickup hour", "weekday", "trips per hour"},
    "rows_with_problems": {"share of rows"},
    "rows_with_problems_by_month": {"month", "share of rows"},
    "published_counts": set(),
}


def materialize(project: Project, key: str, months: str | None = None) -> Outcome:
    """Materialize a report in this process, for a month, a range, or as it is."""
    definitions = project.definitions()
    selection = dg.AssetSelection.assets(dg.AssetKey.from_user_string(key))
    job = dg.define_asset_job("report", selection).resolve(asset_graph=definitions.resolve_asset_graph())
    first, dots, last = (months or "").partition("...")
    tags = {"dagster/partition": first} if first else {}
    if dots:
        tags = {"dagster/asset_partition_range_start": first, "dagster/asset_partition_range_end": last}
    result = job.execute_in_process(instance=project.instance, tags=tags, raise_on_error=False)
    return Outcome(result, project.instance)


@pytest.fixture(scope="module")
def loaded_twice(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """Two months of both taxis, oddities included, and the report of both months."""
    project = Project(tmp_path_factory.mktemp("reported"))
    for taxi, rows in ((GREEN, 1500), (YELLOW, 4000)):
        for month in (JANUARY, FEBRUARY):
            put_sample(project.source, taxi, month, rows)
        assert project.run("2019-01...2019-02", taxi, checks=False).success
    assert materialize(project, ALL_MONTHS).success
    return project


@pytest.fixture(scope="module")
def reported(loaded_twice: Project, months_reported: Outcome) -> Project:
    """Two months of both taxis, and the report of each and of both."""
    assert months_reported.success
    return loaded_twice


@pytest.fixture(scope="module")
def months_reported(loaded_twice: Project) -> Outcome:
    """The run that made the reports of the months."""
    return materialize(loaded_twice, MONTH, "2019-01...2019-02")


def page_of(project: Project, name: str) -> Path:
    return project.home / "report" / "duckdb" / f"{name}.html"


@pytest.fixture(params=["2019-01", "all_months"], scope="module")
def page(request: pytest.FixtureRequest, reported: Project) -> str:
    return page_of(reported, request.param).read_text("utf-8")


def figures(page: str) -> dict[str, tuple[str, ET.Element]]:
    """Title and drawing of each figure by its id."""
    found = re.findall(r'<figure id="(\w+)">\s*<h3>(.*?)</h3>\s*(<svg.*?</svg>)', page, re.DOTALL)
    return {name: (title, ET.fromstring(drawing)) for name, title, drawing in found}


def table(page: str, section: str) -> dict[str, list[str]]:
    """Rows of a section's table, by what stands at their beginning."""
    (text,) = re.findall(rf'<section id="{section}">(.*?)</section>', page, re.DOTALL)
    rows = [re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row) for row in re.findall(r"<tr>(.*?)</tr>", text, re.DOTALL)]
    return {row[0]: row[1:] for row in rows if row}


def test_a_page_has_every_section_and_figure(page: str) -> None:
    assert re.findall(r'<section id="([\w-]+)">', page) == SECTIONS
    assert [name for name in figures(page) if name != "rows_with_problems_by_month"] == FIGURES


def test_months_are_compared_where_there_are_several(reported: Project) -> None:
    assert "rows_with_problems_by_month" in figures(page_of(reported, "all_months").read_text("utf-8"))
    assert "rows_with_problems_by_month" not in figures(page_of(reported, "2019-01").read_text("utf-8"))


def test_every_figure_has_a_title_labelled_axes_and_words_for_those_who_can_t_see_it(page: str) -> None:
    for name, (title, drawing) in figures(page).items():
        assert title
        assert drawing.get("role") == "img"
        assert drawing.get("aria-label", "").startswith(f"{title}. ")
        words = drawing.get("aria-label", "") + " ".join(drawing.itertext())
        assert "Green taxi" in words
        assert "Yellow taxi" in words
        texts = {text.strip() for text in drawing.itertext()}
        assert texts >= AXES[name]


def test_a_page_needs_nothing_beside_itself(page: str) -> None:
    assert "http" not in page
    assert "<script" not in page
    assert "<link" not in page
    assert "@import" not in page
    references = re.findall(r'(?:src|href)="([^"]*)"', page) + re.findall(r"url\(([^)]*)\)", page)
    beside = {"all_months.html", "2019-01.html", "2019-02.html"}
    assert [text for text in references if not text.startswith(("#", "data:")) and text not in beside] == []


def test_ids_on_a_page_are_unique_and_references_lead_somewhere(page: str) -> None:
    ids = Counter(re.findall(r'\bid="([^"]*)"', page))
    assert [name for name, count in ids.items() if count > 1] == []
    assert set(re.findall(r'href="#([^"]*)"', page)) | set(re.findall(r"url\(#([^)]*)\)", page)) <= set(ids)


def test_pages_lead_to_one_another(reported: Project) -> None:
    assert 'href="all_months.html"' in page_of(reported, "2019-01").read_text("utf-8")
    assert 'href="2019-01.html"' in page_of(reported, "2019-02").read_text("utf-8")


@pytest.mark.parametrize("month", ["2019-01", None])
def test_the_numbers_are_those_of_the_warehouse(reported: Project, month: str | None) -> None:
    page = page_of(reported, month or "all_months").read_text("utf-8")
    side_by_side = table(page, "side-by-side")
    for place, taxi in enumerate((GREEN, YELLOW)):
        with duckdb.connect(reported.database, read_only=True) as connection:
            where = f"WHERE file_month = DATE '{month}-01'" if month else ""
            ((trips, revenue, tips, zones),) = connection.execute(
                "SELECT count(*), sum(total_amount), sum(tip_amount), count(DISTINCT PULocationID) "
                f"FROM {taxi.table} {where}"
            ).fetchall()
            busiest = connection.execute(
                f'SELECT "Zone", count(*) AS trips FROM {taxi.table} JOIN taxi_zones ON PULocationID = LocationID '
                f"{where} GROUP BY ALL ORDER BY trips DESC LIMIT 1"
                if "taxi_zones" in reported.everything()
                else f"SELECT 'zone ' || PULocationID, count(*) AS trips FROM {taxi.table} {where} "
                "GROUP BY ALL ORDER BY trips DESC LIMIT 1"
            ).fetchall()
        assert side_by_side["trips"][place] == f"{trips:,}"
        assert side_by_side["revenue (US dollars)"][place] == f"{revenue:,.2f}"
        assert side_by_side["tips (US dollars)"][place] == f"{tips:,.2f}"
        assert side_by_side["zones with pickups"][place] == f"{zones:,}"
        ((name, count),) = busiest
        assert f"{taxi.title}: {name} {count:,}" in figures(page)["busiest_zones"][1].get("aria-label", "")


def test_the_problems_are_those_of_the_checks(reported: Project) -> None:
    page = page_of(reported, "2019-01").read_text("utf-8")
    profile = reported.warehouse().profile_month(GREEN, JANUARY, "main", dg.get_dagster_logger())
    shown = table(page, "quality")
    counts = {name: count for group in profile.odd_rows.values() for name, count in group.items()}
    assert counts["pickup outside the month"] > 0
    assert counts["dropoff before pickup"] > 0
    for name, count in counts.items():
        assert shown.get(name, ["0"])[0] == f"{count:,}"


def test_the_published_counts_stand_beside_the_rows(reported: Project) -> None:
    counts = table(page_of(reported, "2019-01").read_text("utf-8"), "completeness")
    # 2019-01 of the yellow taxis, the last of that month's rows.
    assert counts["2019-01"] == ["yellow", "4,000", "7,667,792", "\N{MINUS SIGN}7,663,792"]


def test_the_plots_are_in_the_metadata_of_each_month(reported: Project, months_reported: Outcome) -> None:
    found = months_reported.materialized(MONTH)
    assert sorted(found) == ["2019-01", "2019-02"]
    january, february = found["2019-01"], found["2019-02"]
    assert january["path"] == str(page_of(reported, "2019-01"))
    assert (january["trips"], february["trips"]) == (5500, 5500)
    image = january["Trips per day"].rpartition("base64,")[2].rstrip(")")
    assert base64.b64decode(image).startswith(b"\x89PNG")
    assert max(len(value) for value in january.values() if isinstance(value, str)) < 50_000
    assert january["Trips per day"] != february["Trips per day"]


def test_the_same_trips_give_the_same_page(reported: Project) -> None:
    before = page_of(reported, "2019-02").read_bytes()
    assert materialize(reported, MONTH, "2019-02").success
    assert page_of(reported, "2019-02").read_bytes() == before


def test_one_taxi_is_enough(loaded: Project) -> None:
    assert materialize(loaded, MONTH, "2019-01").success
    page = page_of(loaded, "2019-01").read_text("utf-8")
    assert "<h1>Green taxi trips, January 2019</h1>" in page
    assert "Yellow" not in page


def test_a_month_without_trips_fails_in_one_sentence_and_leaves_the_others_alone(loaded: Project) -> None:
    outcome = materialize(loaded, MONTH, "2019-02...2019-03")
    assert not outcome.success
    assert outcome.failure == (
        "2019-03: There are no trips of 2019-03 to report on: materialize duckdb/green_tripdata first."
    )
    assert list(outcome.materialized(MONTH)) == ["2019-02"]
    assert not page_of(loaded, "2019-03").exists()


def test_a_page_that_can_t_be_written_is_one_sentence(loaded: Project) -> None:
    (loaded.home / "report").write_text("in the way")
    outcome = materialize(loaded, ALL_MONTHS)
    assert "all_months.html can't be written" in outcome.failure
    assert "set TAXI_HOME" in outcome.failure


def test_a_month_with_no_problem_and_no_tips_can_be_drawn(project: Project) -> None:
    project.put(made_trips(GREEN, JANUARY, 1))
    assert project.run(checks=False).success
    assert materialize(project, MONTH, "2019-01").success
    assert "Green taxi: 0.00% of rows" in page_of(project, "2019-01").read_text("utf-8")


@needs_chromium
@pytest.mark.parametrize("name", ["2019-01", "all_months"])
def test_nothing_is_cut_or_wider_than_a_phone(reported: Project, tmp_path: Path, name: str) -> None:
    assert measured(page_of(reported, name), tmp_path, width=390) == (390, "")


@needs_real_data
def test_a_real_month_is_reported_as_published(tmp_path: Path) -> None:
    project = Project(tmp_path, address=f"{REAL_DATA}/source")
    assert project.run("2020-10", checks=False).success
    assert materialize(project, MONTH, "2020-10").success
    page = page_of(project, "2020-10").read_text("utf-8")
    assert table(page, "side-by-side")["trips"] == ["95,120"]
    assert table(page, "completeness")[str(Month(2020, 10))] == ["green", "95,120", "95,120", "0"]


def test_taxis_of_different_months_stand_on_the_same_axis(project: Project) -> None:
    for taxi, months in ((GREEN, [FEBRUARY]), (YELLOW, [JANUARY, FEBRUARY])):
        for month in months:
            project.put(made_trips(taxi, month, 100), month, taxi)
            assert project.run(str(month), taxi, checks=False).success
    assert materialize(project, ALL_MONTHS).success
    _, drawing = figures(page_of(project, "all_months").read_text("utf-8"))["trips_per_day"]
    assert dates_of(drawing) == ["Jan 2019", "Feb 2019"] * 2


def test_dates_on_an_axis_name_year_and_month_at_equal_distances(project: Project) -> None:
    last = Month(2020, 3)
    for month in (JANUARY, last):
        project.put(made_trips(GREEN, month, 20), month)
        assert project.run(str(month), checks=False).success
    assert materialize(project, ALL_MONTHS).success
    drawings = figures(page_of(project, "all_months").read_text("utf-8"))
    for name in ("trips_per_day", "revenue_and_tips_per_week", "rows_with_problems_by_month", "published_counts"):
        assert dates_of(drawings[name][1]) == ["Jan 2019", "Apr 2019", "Jul 2019", "Oct 2019", "Jan 2020"]


def dates_of(drawing: ET.Element) -> list[str]:
    return [text.strip() for text in drawing.itertext() if re.fullmatch(r"\s*[A-Z][a-z]{2} \d{4}\s*", text)]


def test_no_curve_or_bar_is_above_the_last_number_of_its_axis(reported: Project) -> None:
    summary = summarize(reported.warehouse(), "duckdb")
    for plot in draw(summary):
        for axes in plot.figure.axes:
            if plot.name == "hours_by_weekday":
                continue
            (x, y), (right, top) = axes.dataLim.min, axes.dataLim.max
            assert axes.get_xlim()[0] <= x
            assert right <= axes.get_xlim()[1]
            is_horizontal = plot.name in ("busiest_zones", "rows_with_problems")
            ticks, highest = (axes.get_xticks(), right) if is_horizontal else (axes.get_yticks(), top)
            assert y >= min(axes.get_ylim()), plot.name
            assert highest <= max(ticks), plot.name


def test_months_without_a_page_are_named_until_they_have_one(loaded: Project) -> None:
    assert materialize(loaded, ALL_MONTHS).success
    before = page_of(loaded, "all_months").read_text("utf-8")
    assert "Months without a page of their own: 2019-01...2019-02." in before
    assert materialize(loaded, MONTH, "2019-01...2019-02").success
    after = page_of(loaded, "all_months").read_text("utf-8")
    assert "Months without" not in after
    assert '<b aria-current="page">all months</b>' in after
