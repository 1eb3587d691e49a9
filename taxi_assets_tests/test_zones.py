"""The zones are replaced by a list that is whole and right; else they stay, and the run says what is wrong with it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import dagster as dg
import pytest

from taxi_assets.sql import identifier
from taxi_assets_tests.postgres.conftest import schema, server_url
from taxi_assets_tests.postgres.project import PostgresProject
from taxi_assets_tests.project import Project

__all__ = ["schema", "server_url"]

FILE = "taxi_zone_lookup.csv"
HEADER = '"LocationID","Borough","Zone","service_zone"'


class ZonesProject(Project):
    """A project that loads its zones into DuckDB."""

    def load(self, content: bytes) -> dg.ExecuteInProcessResult:
        """Publish the list, and materialize the zones from their file to the table, with their check."""
        path = self.source / "misc" / FILE
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content)
        selection = dg.AssetSelection.assets(["raw", "taxi_zones"], self.kind.key("taxi_zones"))
        job = dg.define_asset_job("zones", selection).resolve(asset_graph=self.definitions().resolve_asset_graph())
        return job.execute_in_process(instance=self.instance, raise_on_error=False)

    def zones(self) -> list[tuple[object, ...]]:
        """All rows of the table, in the order of their numbers."""
        with self.warehouse().get_connection() as connection:
            return connection.execute(f"FROM taxi_zones ORDER BY {identifier('LocationID')}").fetchall()


class PostgresZonesProject(ZonesProject, PostgresProject):
    """The same, with PostgreSQL as its warehouse."""

    def zones(self) -> list[tuple[object, ...]]:
        return self.query("SELECT * FROM taxi_zones ORDER BY locationid")


@pytest.fixture(params=["duckdb", "postgres"])
def project(request: pytest.FixtureRequest, tmp_path: Path) -> ZonesProject:
    """A project whose zones are loaded, in each warehouse that is filled from here."""
    if request.param == "duckdb":
        project = ZonesProject(tmp_path)
    else:
        url, name = request.getfixturevalue("server_url"), request.getfixturevalue("schema")
        project = PostgresZonesProject(tmp_path, url, name)
    assert project.load(published(rows())).success
    assert len(project.zones()) == 265
    return project


def rows(count: int = 265) -> list[str]:
    """The list's lines without the header, each with a comma and an apostrophe in a quoted name."""
    return [
        f'{number},"Borough {number % 5}","Zone {number}, St. John\'s","Boro Zone"' for number in range(1, count + 1)
    ]


def published(lines: list[str], *, end: str = "\r\n") -> bytes:
    return end.join([HEADER, *lines, ""]).encode()


def with_line(number: int, line: str) -> bytes:
    """The list with another text in one line, counted as editors count."""
    lines = rows()
    lines[number - 2] = line
    return published(lines)


def failure(result: dg.ExecuteInProcessResult) -> str:
    """The one failed step's sentence."""
    assert not result.success
    (event,) = [event for event in result.all_events if event.is_step_failure]
    assert event.step_failure_data.user_failure_data is not None, event.step_failure_data.error_display_string
    return event.step_failure_data.user_failure_data.description


@pytest.mark.parametrize(
    ("content", "words"),
    [
        pytest.param(
            with_line(6, '5.5,"Staten Island","Arden Heights","Boro Zone"'),
            "line 6, column LocationID: “5.5” is not a whole number",
            id="a number with a fraction",
        ),
        pytest.param(
            with_line(6, '2147483648,"a","b","c"'), "line 6, column LocationID: “2147483648” is out of", id="far"
        ),
        pytest.param(
            with_line(6, '+-5,"a","b","c"'), "line 6, column LocationID: “+-5” is not a number", id="two signs"
        ),
        pytest.param(with_line(6, ',"a","b","c"'), "line 6, column LocationID: there is no number", id="no number"),
        pytest.param(
            with_line(6, '7,"a","b","c"'), "line 8, column LocationID: “7” is the number of line 6 too", id="twice"
        ),
        pytest.param(
            with_line(6, '7.0,"a","b","c"'),
            "line 8, column LocationID: “7” is the number of line 6 too",
            id="twice, as 7.0",
        ),
        pytest.param(with_line(6, '5,"a","b"'), "line 6 has 3 fields instead of 4", id="a short row"),
        pytest.param(with_line(6, '5,"a","b","c",'), "line 6 has 5 fields instead of 4", id="a long row"),
        pytest.param(
            with_line(6, '5,"a","b","c" '),
            'line 6, column service_zone: “"c" ” has text after its',
            id="text after quotes",
        ),
        pytest.param(
            with_line(6, '5,"a","Peñón","c"').replace("Peñón".encode(), "Peñón".encode("latin-1")),
            "line 6, column Zone: “Pe\\udcf1\\udcf3n” is not readable text",
            id="latin-1",
        ),
        pytest.param(with_line(6, '5,"a","b\0","c"'), "line 6, column Zone: “b\\x00” is not readable text", id="a NUL"),
        pytest.param(published(rows(100)), "has 100 zones instead of 265", id="cut at a row's end"),
        pytest.param(published(rows(266)), "has 266 zones instead of 265", id="one too many"),
    ],
)
def test_a_list_that_is_not_right_is_refused_and_the_good_one_stays(project: ZonesProject, content: bytes, words: str):
    before = project.zones()
    said = failure(project.load(content))
    assert words in said
    assert FILE in said
    assert "othing was loaded" in said
    assert project.zones() == before


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda content: content.replace(b"\r\n", b"\n"), id="unix line ends"),
        pytest.param(lambda content: content.replace(b"\r\n", b"\n", 40), id="mixed line ends"),
        pytest.param(lambda content: b"\xef\xbb\xbf" + content, id="byte order mark"),
        pytest.param(lambda content: content + b"\r\n\n", id="blank lines at the end"),
        pytest.param(lambda content: content.replace(b"\n5,", b'\n"5.0",'), id="another way to write a number"),
    ],
)
def test_another_way_to_write_the_list_gives_the_same_table(project: ZonesProject, change: Callable[[bytes], bytes]):
    before = project.zones()
    assert project.load(change(published(rows()))).success
    assert project.zones() == before


def test_a_mirror_may_have_another_number_of_zones_if_the_setting_says_so(
    project: ZonesProject, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("TAXI_ZONE_COUNT", "263")
    assert "has 265 zones instead of 263: nothing was loaded; fetch it again, or set TAXI_ZONE_COUNT to 265" in failure(
        project.load(published(rows()))
    )
    result = project.load(published(rows(263)))
    assert [check.passed for check in result.get_asset_check_evaluations()] == [True]
    assert len(project.zones()) == 263
    monkeypatch.setenv("TAXI_ZONE_COUNT", "many")
    assert "TAXI_ZONE_COUNT is “many”: set it to a whole number" in failure(project.load(published(rows(263))))


def test_the_values_are_those_of_the_file(project: ZonesProject):
    lines = rows()
    lines[6] = '7,"","Peñón ""the rock"" (N/A)",'
    assert project.load(published(lines)).success
    assert project.zones()[5:7] == [
        (6, "Borough 1", "Zone 6, St. John's", "Boro Zone"),
        (7, None, 'Peñón "the rock" (N/A)', None),
    ]
