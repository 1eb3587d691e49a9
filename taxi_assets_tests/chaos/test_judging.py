"""What became of a file or of a crash is judged rightly: each outcome is told from the others."""

from __future__ import annotations

import csv
import gzip
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from chaos.families.crashes import FEBRUARY, JANUARY, CrashFault
from chaos.families.crashes_duckdb import CrashesInDuckDB
from chaos.families.judging import FileCase, judge_file
from chaos.families.malformed_csv import MalformedCsv
from chaos.lanes import Servers
from chaos.outcomes import Outcome
from chaos.product.held import Held, HeldRow
from chaos.product.loading import Attempt, Problem, Project
from chaos.strict.columns import strict_taxi
from chaos.strict.csv_files import Row, read_csv
from chaos.strict.trip_ids import trip_ids
from taxi_assets_tests.csv_files import csv_bytes, made_trips
from taxi_assets_tests.project import GREEN
from taxi_assets_tests.project import JANUARY as MONTH

TAXI = strict_taxi("green")
NAME = "green_tripdata_2019-01.csv.gz"
TABLES = {"green_tripdata": "TABLE", "green_tripdata_2019_01": "VIEW"}
DONE = Attempt({"2019-01": ()})


def case_of(**changes: str) -> FileCase:
    """A file of three trips, in whose second these fields are changed."""
    trips = made_trips(GREEN, MONTH, 3)
    trips[1] |= changes
    return FileCase(TAXI, "2019-01", NAME, read_csv(csv_bytes(GREEN.header, trips), TAXI))


def held(rows: Sequence[HeldRow], **more: str) -> Held:
    return Held({**TABLES, **more}, {"2019-01": rows})


def refused(text: str, *, is_ours: bool = True) -> Attempt:
    return Attempt({"2019-01": [Problem("duckdb/green_tripdata_month", "SomeError", is_ours, text)]})


def judged(case: FileCase, attempt: Attempt, after: Held, before: Held | None = None) -> Outcome:
    return judge_file(case, attempt, {"duckdb": before or Held()}, {"duckdb": after})[0]


def test_a_sound_file_that_is_held_as_it_is_is_exact():
    case = case_of()
    assert judged(case, DONE, held(case.expected())) is Outcome.EXACT


@pytest.mark.parametrize(
    "bend",
    [
        lambda rows: rows[:-1],
        lambda rows: [*rows, rows[0]],
        lambda rows: [*rows[:-1], (rows[-1][0], rows[-1][1], (None, *rows[-1][2][1:]))],
        lambda rows: [*rows[:-1], ("0" * 32, *rows[-1][1:])],
        lambda rows: [*rows[:-1], (rows[-1][0], "other.csv", rows[-1][2])],
    ],
    ids=["row lost", "row doubled", "value lost", "other id", "other filename"],
)
def test_rows_that_differ_in_anything_are_wrong(bend):
    case = case_of()
    assert judged(case, DONE, held(bend(list(case.expected())))) is Outcome.WRONG


def test_a_file_without_a_single_meaning_that_is_loaded_is_wrong():
    case = case_of(fare_amount="5.12345")
    assert judged(case, DONE, held(case_of(fare_amount="5.1235").expected())) is Outcome.WRONG


def test_a_table_that_is_left_is_wrong():
    case = case_of()
    assert judged(case, DONE, held(case.expected(), green_tripdata_2019_01_staging="TABLE")) is Outcome.WRONG
    bad = case_of(fare_amount="x")
    said = f"{NAME} has a fault: line 3, column fare_amount: “x” is not a number."
    assert judged(bad, refused(said), Held({"green_tripdata_2019_01_staging": "TABLE"})) is Outcome.WRONG


def test_a_refusal_that_changes_the_table_is_wrong():
    old, bad = case_of(), case_of(fare_amount="x")
    said = f"{NAME} has a fault: line 3, column fare_amount: “x” is not a number."
    assert judged(bad, refused(said), held(old.expected()), held(old.expected())) is Outcome.REFUSED
    assert judged(bad, refused(said), held([]), held(old.expected())) is Outcome.WRONG


def test_refusing_a_sound_file_is_needless():
    assert judged(case_of(), refused(f"{NAME}: line 3, column fare_amount: “5” is odd."), Held()) is Outcome.NEEDLESS


@pytest.mark.parametrize(
    "text",
    [
        "The file has a fault: line 3, column fare_amount: “x” is not a number.",
        f"{NAME} has a fault.",
        f"{NAME} has a fault: line 4, column fare_amount: “x” is not a number.",
        f"{NAME} has a fault: line 3, column tip_amount: “x” is not a number.",
        f"{NAME} has a fault: line 3 is odd.",
        f"{NAME} has a fault: line 3, column fare_amount: “x”.\nTraceback",
        f"{NAME} has a fault (CSV Error on Line: 3): line 3, column fare_amount: “x” is not a number.",
        f"{NAME} has a fault: line 3, column fare_amount: “x” is not a number {'!' * 1000}",
    ],
    ids=["no file", "no place", "other line", "other column", "no column", "traceback", "library's words", "too long"],
)
def test_a_sentence_without_file_and_right_place_is_unclear(text: str):
    assert judged(case_of(fare_amount="x"), refused(text), Held()) is Outcome.UNCLEAR


def test_an_exception_of_a_library_is_unclear():
    said = f"{NAME} has a fault: line 3, column fare_amount: “x” is not a number."
    assert judged(case_of(fare_amount="x"), refused(said, is_ours=False), Held()) is Outcome.UNCLEAR


def test_warehouses_that_differ_about_a_file_are_wrong():
    case = case_of(fare_amount=" 5")
    attempt = refused(f"{NAME} has a fault: line 3, column fare_amount: “ 5” is not a number.")
    outcome, note = judge_file(
        case, attempt, {"duckdb": Held(), "postgres": Held()}, {"duckdb": Held(), "postgres": held(case.expected())}
    )
    assert outcome is Outcome.WRONG
    assert "differ" in note


def test_rows_from_before_the_damage_are_right_whatever_a_reader_says():
    case = case_of()
    damaged = replace(case, reading=replace(case.reading, rows=None, whole=["damaged"]), sound=case.reading.rows)
    assert judged(damaged, DONE, held(case.expected())) is Outcome.EXACT


@pytest.mark.parametrize(
    ("attempt", "january", "february", "is_killed", "outcome"),
    [
        (DONE, "new", "other", False, Outcome.EXACT),
        (DONE, "old", "other", False, Outcome.WRONG),
        (DONE, "mixed", "other", False, Outcome.WRONG),
        ("SIGKILL", "old", "other", True, Outcome.EXACT),
        ("SIGKILL", "new", "other", True, Outcome.EXACT),
        ("SIGKILL", "mixed", "other", True, Outcome.WRONG),
        ("SIGKILL", "old", "", True, Outcome.WRONG),
        ("SIGABRT", "old", "other", False, Outcome.CRASHED),
        (refused("DuckDB could not load green_tripdata_2019_01: make room."), "old", "other", False, Outcome.REFUSED),
        (refused("No room."), "old", "other", False, Outcome.UNCLEAR),
        (refused("OSError(5)", is_ours=False), "old", "other", False, Outcome.UNCLEAR),
    ],
)
def test_after_a_crash_it_is_the_old_month_or_the_new_one(
    attempt: Attempt | str, january: str, february: str, is_killed: bool, outcome: Outcome
):
    fault = CrashFault("a fault", 1, lambda scene: None, is_killed=is_killed)
    found = Held(TABLES, {}, {JANUARY: january, FEBRUARY: february})
    assert (
        CrashesInDuckDB().judge(fault, attempt, found, old="old", new="new", february="other", where="/home")[0]
        is outcome
    )


@pytest.mark.parametrize(
    ("attempt", "january", "tables", "left", "outcome"),
    [
        (DONE, "new", {}, "", Outcome.EXACT),
        (refused("It can't."), "new", {}, "", Outcome.WRONG),
        (DONE, "old", {}, "", Outcome.WRONG),
        (DONE, "new", {"green_tripdata_2019_01_staging": "TABLE"}, "", Outcome.WRONG),
        (DONE, "new", {}, "left: x.part", Outcome.WRONG),
    ],
)
def test_the_next_load_must_lead_to_the_new_month_and_leave_nothing(
    attempt: Attempt, january: str, tables: Mapping[str, str], left: str, outcome: Outcome
):
    found = Held({**TABLES, "green_tripdata_2019_02": "VIEW", **tables}, {}, {JANUARY: january, FEBRUARY: "other"})
    assert CrashesInDuckDB().judge_again(attempt, found, new="new", february="other", left=left)[0] is outcome


def load_carelessly(
    project: Project, taxi: str, months: Sequence[str], places: Mapping[str, Mapping[str, Any]]
) -> tuple[Attempt, dict[str, Held]]:
    """A load as many a script does it: what can't be read is skipped, and numbers are floats."""
    path = Path(project.source["address"]) / taxi / f"{taxi}_tripdata_{months[0]}.csv.gz"
    definition = strict_taxi(taxi)
    try:
        text = gzip.decompress(path.read_bytes()).decode("utf-8", "replace")
    except (OSError, EOFError) as error:
        return refused(f"{path.name} can't be unpacked ({error})."), {name: Held() for name in places}
    rows: list[Row] = []
    for line in csv.reader(text.splitlines()[1:]):
        try:
            fields = [
                round(float(field), 4) if column.kind == "decimal" and field else field or None
                for column, field in zip(definition.release_columns, line, strict=True)
            ]
        except ValueError:
            continue
        rows.append((*fields, *[None] * (len(definition.columns) - len(fields))))  # type: ignore[arg-type]
    ids = trip_ids(rows, definition)
    kept = [(id_, path.name.removesuffix(".gz"), row) for id_, row in zip(ids, rows, strict=True)]
    tables = {f"{taxi}_tripdata": "TABLE", f"{taxi}_tripdata_2019_01": "VIEW"}
    return Attempt({months[0]: ()}), {name: Held(tables, {months[0]: kept}) for name in places}


class CarelessLoads(MalformedCsv):
    load = staticmethod(load_carelessly)


def test_careless_loads_are_found_out(tmp_path: Path):
    family = CarelessLoads(["duckdb"])
    lane = family.lane(tmp_path / "lane", Servers())
    try:
        outcomes = Counter(family.run(number, "careless", lane).outcome for number in range(12))
    finally:
        lane.close()
    assert outcomes[Outcome.WRONG] >= 6, outcomes
