"""The commands and queries of docs/homework answer its questions as the pages say.

Months whose published files are at hand are loaded by the page's own command, and their answers are compared. For the
others, the queries run on made trips in both warehouses, to show that they are valid and find something.
"""

from __future__ import annotations

import csv
import os
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import dagster as dg
import duckdb
import pytest
import sqlglot
from typing_extensions import override

from taxi_assets.build import build_definitions
from taxi_assets.definitions import defs
from taxi_assets.months import Month, parse_month_range
from taxi_assets.source.raw_files import trip_file
from taxi_assets.taxis import all_taxis, chosen_taxis, get_taxi
from taxi_assets_tests.csv_files import made_trips, put_sample, read_trips
from taxi_assets_tests.feed.parquet_files import put_feed, table_of
from taxi_assets_tests.feed.project import FedProject, PostgresFedProject
from taxi_assets_tests.paths import PROJECT, REAL_DATA, WITHOUT_DBT, needs_real_data
from taxi_assets_tests.postgres.conftest import schema_of_ones_own, server_url
from taxi_assets_tests.project import GREEN, YELLOW, Project

__all__ = ["server_url"]

FOLDER = PROJECT / "docs" / "homework"
PAGES = sorted(path.stem for path in FOLDER.glob("*.md"))

LOAD = re.compile(
    r"(?:TAXI_TAXIS=(?P<taxis>\w+) )?(?P<source>TAXI_SOURCE=auto )?dg launch "
    r"--assets '(?P<select>[^']+)'(?: --partition(?:-range)? (?P<months>[\d.-]+))?"
)
"""A command that loads months, in the one form that all pages use."""

QUERY = re.compile(
    r"\.venv/bin/python -c \"import duckdb; "
    r"duckdb(?P<warehouse>\.connect\('\.taxi/warehouse\.duckdb', read_only=True\))?\.sql\('''\n"
    r"(?P<statement>[^\"]*?)\n'''\)\.show\(\)\"\n"
)
"""A query of the warehouse, or of the list of published files, in the one form that all pages use."""


def text_of(page: str) -> str:
    return (FOLDER / f"{page}.md").read_text("utf-8")


@dataclass(frozen=True)
class Question:
    """A heading of a page with what stands under it."""

    page: str
    heading: str
    text: str

    @property
    def answers(self) -> list[str]:
        """What is in bold."""
        return re.findall(r"\*\*(.+?)\*\*", self.text)

    @property
    def blocks(self) -> list[str]:
        return re.findall(r"```sh\n(.*?)```", self.text, re.DOTALL)

    def queries(self, *, of_warehouse: bool) -> list[str]:
        """The statements of its queries of the warehouse or of the list."""
        found = [QUERY.fullmatch(block) for block in self.blocks]
        return [match["statement"] for match in found if match and bool(match["warehouse"]) == of_warehouse]


def _questions() -> Iterator[Question]:
    for page in PAGES:
        _, *parts = re.split(r"^## ", text_of(page), flags=re.MULTILINE)
        for part in parts:
            heading, _, text = part.partition("\n")
            yield Question(page, heading, text)


QUESTIONS = list(_questions())
LOADS = sorted({match[0] for page in PAGES for match in LOAD.finditer(text_of(page))})
QUERIES = [(question, query) for question in QUESTIONS for query in question.queries(of_warehouse=True)]

each_page = pytest.mark.parametrize("page", PAGES)
each_load = pytest.mark.parametrize("line", LOADS)


def answer(command: str, home: Path, **environment: str) -> str:
    """What a command of a page prints, with the home in place of the default one."""
    programs = Path(sys.executable).parent
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("TAXI_", "DAGSTER_"))}
    done = subprocess.run(
        ["bash", "-c", command.replace(".venv/bin/python", sys.executable).replace("'.taxi/", f"'{home}/")],
        cwd=PROJECT,
        env={
            **kept,
            "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
            "TAXI_HOME": str(home),
            **WITHOUT_DBT,
            **environment,
        },
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def numbers(text: str) -> list[str]:
    return re.findall(r"[\d.]+(?= )", text.replace("│", " "))


def question(page: str, words: str) -> Question:
    """The one question of the page that has these words in its heading."""
    (found,) = [each for each in QUESTIONS if each.page == page and words in each.heading]
    return found


def block(page: str, words: str) -> str:
    """The one command of the page that has these words."""
    (found,) = [each for other in QUESTIONS if other.page == page for each in other.blocks if words in each]
    return found


# The pages


@each_page
def test_a_page_warns_of_the_sample(page: str) -> None:
    assert "The sample data gives other numbers" in text_of(page)
    assert "(../homework.md#before-you-start)" in text_of(page)


@each_page
def test_the_index_names_the_page(page: str) -> None:
    assert f"(homework/{page}.md)" in (PROJECT / "docs" / "homework.md").read_text("utf-8")


@each_page
def test_every_command_has_the_form_that_is_tested(page: str) -> None:
    others = [part for each in QUESTIONS if each.page == page for part in each.blocks if not QUERY.fullmatch(part)]
    for command in others:
        lines = command.splitlines()
        loads = all(LOAD.fullmatch(line) for line in lines)
        assert loads or command.startswith('.venv/bin/python -c "\nfrom taxi_assets'), command


@each_load
def test_months_are_asked_for_as_dagster_s_command_wants_it(line: str, monkeypatch: pytest.MonkeyPatch) -> None:
    match = LOAD.fullmatch(line)
    assert match
    definitions = defs
    if match["taxis"]:
        monkeypatch.setenv("TAXI_TAXIS", match["taxis"])
        definitions = build_definitions()
    selected = dg.AssetSelection.from_string(match["select"]).resolve(definitions.resolve_asset_graph())
    assert selected
    zones = {key for key in selected if key.path[-1] == "taxi_zones"}
    assert (selected == zones) is (match["months"] is None)
    if match["months"]:
        for month in parse_month_range(match["months"]):
            for taxi in chosen_taxis().values():
                # Months after the release are asked of the feed, and no others.
                assert (taxi.first_month <= month <= taxi.last_month) is (match["source"] is None)


@needs_real_data
def test_every_answer_that_is_known_stands_on_its_page() -> None:
    assert REAL_DATA is not None
    pages = (PROJECT / "docs" / "homework.md").read_text("utf-8")
    for row in _known_answers(REAL_DATA):
        for cohort in row["cohort"].split("/"):
            (page,) = _page_of(pages, cohort, row["module"])
            told = re.sub(r"\s+", " ", text_of(page))
            for word in re.findall(r"[\w$](?:[\w.,'-]*\w)?", row["answer"]):
                assert word in told, row


def _known_answers(folder: Path) -> Sequence[Mapping[str, str]]:
    path = folder / "homework.csv"
    if not path.is_file():
        pytest.skip(f"{path.name} is not at hand: a table of cohort, module, question, files and answer")
    with path.open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines))


def _page_of(index: str, cohort: str, module: str) -> Sequence[str]:
    """The pages for a cohort's module, from the table of the index."""
    rows = re.findall(r"^\| \[.*?\]\(homework/(.*?)\.md\).*? \| module (\d) \| module (\d) \|", index, re.MULTILINE)
    return [page for page, of_2025, of_2026 in rows if {"2025": of_2025, "2026": of_2026}[cohort] == module]


# Answers from the list of published files


@pytest.mark.parametrize(
    ("page", "words", "stated"),
    [
        ("module-2", "How large", ["128.3"]),
        ("module-2", "How many rows", ["24,648,499", "1,734,051", "1,925,152"]),
        ("module-3", "How many rows do the six files", ["20,332,093"]),
        ("module-3", "distinct PULocationIDs", ["155.12"]),
        ("module-4", "How many rows do green and yellow", ["7,778,101", "109,047,518"]),
    ],
)
def test_the_list_of_published_files_has_the_answer(page: str, words: str, stated: list[str], tmp_path: Path) -> None:
    asked = question(page, words)
    shown = numbers(answer(next(part for part in asked.blocks if "published_files.csv" in part), tmp_path))
    for number in stated:
        assert number.replace(",", "") in shown
        assert number in " ".join(asked.answers)


def test_the_bytes_of_two_columns_are_those_before_partitioning(tmp_path: Path) -> None:
    assert "310.24" in numbers(answer(block("module-3", "two_columns"), tmp_path))
    assert "310.24 MB" in question("module-3", "before and after partitioning").answers[0]


def test_the_statements_for_bigquery_are_in_its_grammar() -> None:
    (statements,) = re.findall(r"```sql\n(.*?)```", text_of("module-3"), re.DOTALL)
    parsed = sqlglot.parse(statements, dialect="bigquery", error_level=sqlglot.ErrorLevel.RAISE)
    first, second, query = [statement for statement in parsed if statement]
    assert (first.key, second.key, query.key) == ("create", "create", "select")
    columns = {column.name.lower() for column in query.find_all(sqlglot.exp.Column)}
    assert columns <= {column.name.lower() for column in YELLOW.columns}


# Module 2, whose questions are also about files and names


def test_the_size_stands_beside_the_file_that_has_landed(project: Project) -> None:
    month = Month(2020, 12)
    project.put(made_trips(YELLOW, month, 20_000), month, YELLOW)
    assert project.run(str(month), YELLOW, stages=["raw"], checks=False).success
    size = project.trip_source().landing_zone().known(trip_file(YELLOW, month)).csv_size
    assert str(round(size / 1024**2, 1)) in numbers(answer(block("module-2", "csv_size"), project.home))


def test_the_file_name_is_rendered(tmp_path: Path) -> None:
    shown = answer(block("module-2", "csv_name"), tmp_path).strip()
    assert shown == "green_tripdata_2020-04.csv"
    assert f"**`{shown}`**" in text_of("module-2")


def test_rows_are_counted_by_file_in_the_warehouse(project: Project) -> None:
    for taxi, month, rows in (
        (YELLOW, Month(2020, 1), 30),
        (YELLOW, Month(2020, 12), 31),
        (YELLOW, Month(2021, 3), 17),
        (GREEN, Month(2020, 5), 12),
    ):
        project.put(made_trips(taxi, month, rows), month, taxi)
        assert project.run(str(month), taxi, checks=False).success
    shown = answer(block("module-2", "read_only=True"), project.home)
    for files, rows in (("yellow, 2020", 61), ("green, 2020", 12), ("yellow, 2021-03", 17)):
        assert re.search(rf"{files} +│ +{rows} ", shown)


def test_the_schedule_is_in_new_york_s_time(tmp_path: Path) -> None:
    shown = answer(block("module-2", "execution_timezone)"), tmp_path).strip()
    assert shown == "America/New_York"
    assert f"**`{shown}`**" in text_of("module-2")


# Published files that are at hand


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the commands load the months that are at hand."""
    return tmp_path_factory.mktemp("homework")


def files(match: re.Match[str], folder: Path) -> Iterator[Path]:
    """The published files that a command loads."""
    if not match["months"]:
        yield folder / "source" / "misc" / "taxi_zone_lookup.csv"
        return
    for month in parse_month_range(match["months"]):
        for taxi in (taxi for taxi in all_taxis().values() if taxi.table in match["select"]):
            of_feed = folder / "parquet" / f"{taxi.table}_{month}.parquet"
            yield of_feed if match["source"] else folder / "source" / taxi.file_path(month)


def load(line: str, home: Path) -> None:
    """Run a command of a page on published files, or skip the test if they are not at hand."""
    assert REAL_DATA is not None
    match = LOAD.fullmatch(line)
    assert match
    for path in files(match, REAL_DATA):
        if not path.is_file():
            pytest.skip(f"{path.name} is not at hand: the command is checked, but not run")
    # The zones and the release are those of the folder; the page's own TAXI_SOURCE replaces this one.
    answer(line, home, TAXI_SOURCE=str(REAL_DATA / "source"), TAXI_FEED_URL=str(REAL_DATA / "parquet"))


@needs_real_data
@each_load
@pytest.mark.xdist_group("homework")
def test_a_command_loads_its_months(line: str, home: Path) -> None:
    load(line, home)


@needs_real_data
@pytest.mark.xdist_group("homework")
@pytest.mark.parametrize(
    ("words", "first", "stated"),
    [
        ("How many rows", "49416", "49,416"),
        ("trip_distance over 5", "8506", "8,506"),
        ("most trips in five minutes", "74", "74"),
        ("longest session", "74", "82"),
        ("largest sum of tips", "2025-10-16 18:00:00", "2025-10-16 18:00:00"),
    ],
)
def test_the_answers_for_green_2025_10_are_computed(words: str, first: str, stated: str, home: Path) -> None:
    load(next(line for line in LOADS if "2025-10" in line), home)
    asked = question("module-7", words)
    rows = re.findall(r"^│ +(.*?) +│$", answer(asked.blocks[0], home), re.MULTILINE)[2:]
    assert rows[0].startswith(first)
    assert stated.replace(",", "") in rows[0]
    assert f"**{stated}**" in asked.text


# Made trips for all other months

MADE: Mapping[str, Iterable[str]] = {
    "green": ("2019-04", "2019-10", "2020-04", "2020-05", "2025-10", "2025-11"),
    "yellow": ("2019-04", "2019-10", "2020-04", "2020-12", "2021-03", "2024-01", "2024-10", "2025-11"),
    "fhv": ("2019-11",),
}
"""Months that make every query find something."""

ROWS = 6_000


class HomeworkProject(FedProject):
    """A project with the release and the feed, and what the pages' queries find in it."""

    source_name = "auto"

    def load(self) -> None:
        for taxi in map(get_taxi, MADE):
            for month in map(Month.parse, MADE[taxi.name]):
                made = put_sample(self.source, taxi, month, ROWS)
                if month > taxi.last_month:
                    first, *others = read_trips(made)
                    put_feed(self.feed, taxi, month, table_of(taxi, [{**first, "fare_amount": "0"}, *others]))
                outcome = self.run(str(month), taxi, checks=False)
                assert outcome.success, outcome.error
        zones = self.source / "misc" / "taxi_zone_lookup.csv"
        zones.parent.mkdir()
        zones.write_text(_made_zones(), "utf-8")
        selection = dg.AssetSelection.assets(["raw", "taxi_zones"], self.kind.key("taxi_zones"))
        job = dg.define_asset_job("zones", selection).resolve(asset_graph=self.definitions().resolve_asset_graph())
        assert job.execute_in_process(instance=self.instance, raise_on_error=False).success

    def found(self, statement: str) -> list[tuple[object, ...]]:
        """What a query finds."""
        with duckdb.connect(self.database, read_only=True) as connection:
            return connection.execute(statement).fetchall()


class PostgresHomeworkProject(HomeworkProject, PostgresFedProject):
    """The same, with PostgreSQL as its warehouse."""

    @override
    def found(self, statement: str) -> list[tuple[object, ...]]:
        return self.query(statement)


def _made_zones() -> str:
    """A list of zones, of which some have the names that the queries ask for."""
    names = {number: f"Zone {number}" for number in range(1, 266)}
    names |= {56: "Newark Airport", 74: "East Harlem North", 168: "SoHo", 192: "Yorkville East"}
    lines = [f'{number},"Manhattan","{name}","Yellow Zone"' for number, name in names.items()]
    return "\r\n".join(['"LocationID","Borough","Zone","service_zone"', *lines, ""])


@pytest.fixture(scope="module", params=["duckdb", "postgres"])
def made(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[HomeworkProject]:
    folder = tmp_path_factory.mktemp("made")
    (folder / "feed").mkdir()
    with pytest.MonkeyPatch.context() as patch:
        # Partitions are those that TAXI_SOURCE=auto gives.
        patch.setenv("TAXI_SOURCE", "auto")
        patch.setenv("TAXI_TAXIS", ",".join(MADE))
        if request.param == "duckdb":
            project = HomeworkProject(folder)
            project.load()
            yield project
            return
        url = request.getfixturevalue("server_url")
        with schema_of_ones_own(url) as schema:
            project = PostgresHomeworkProject(folder, url, schema)
            project.load()
            yield project


@pytest.mark.xdist_group("homework")
def test_every_query_finds_something_in_every_warehouse(made: HomeworkProject) -> None:
    assert len(QUERIES) > 20
    for asked, statement in QUERIES:
        rows = made.found(statement)
        assert rows, (asked.heading, statement)
        assert None not in rows[0], (asked.heading, statement)
        assert 0 not in rows[0], (asked.heading, statement)


def test_no_query_is_repeated_under_another_question() -> None:
    for (one, left), (other, right) in pairwise(sorted(QUERIES, key=lambda pair: pair[1])):
        assert left != right, (one.heading, other.heading)
