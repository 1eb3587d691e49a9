"""Judges what became of a file: what the warehouses hold, and what was said, against what the strict reader found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from chaos.outcomes import Outcome, worst
from chaos.product.held import Held, HeldRow, differences
from chaos.product.loading import Attempt
from chaos.sentences import why_unclear
from chaos.strict.columns import StrictTaxi
from chaos.strict.csv_files import Reading, Row
from chaos.strict.trip_ids import trip_ids

Judgement = tuple[Outcome, str]

UNPROVABLE = "damaged into a valid file with other values, which nothing in it tells"


@dataclass(frozen=True)
class FileCase:
    """A file that was loaded.

    Attributes:
        taxi: Whose trips it has.
        month: Of which month.
        file_name: Its name at the source.
        reading: What the strict reader found.
        sound: The rows of the file before it was damaged, where it was: to hold them is right whatever the reader says.
    """

    taxi: StrictTaxi
    month: str
    file_name: str
    reading: Reading
    sound: Sequence[Row] | None = None

    def expected(self) -> Sequence[HeldRow]:
        """What a warehouse must hold that has loaded it."""
        return expected_rows(self.reading.rows or (), self.taxi, self.file_name)


def expected_rows(rows: Sequence[Row], taxi: StrictTaxi, file_name: str) -> Sequence[HeldRow]:
    """The rows of a main table for the rows of a file, each with its id."""
    name = file_name.removesuffix(".gz")
    return [(id_, name, row) for id_, row in zip(trip_ids(rows, taxi), rows, strict=True)]


def judge_file(case: FileCase, attempt: Attempt, before: Mapping[str, Held], after: Mapping[str, Held]) -> Judgement:
    """What became of the file, which is the worst that became of it in any warehouse."""
    judgements = {name: _judge(case, attempt, name, before[name], after[name]) for name in after}
    outcome, note = worst([(outcome, f"{name}: {note}") for name, (outcome, note) in judgements.items()])
    compared = {outcome for name, (outcome, _) in judgements.items() if not _is_limit_of(name, attempt)}
    if outcome.is_promised and len(compared) > 1:
        return Outcome.WRONG, "warehouses differ: " + "; ".join(f"{n}: {o.value}" for n, (o, _) in judgements.items())
    return outcome, note


def _judge(case: FileCase, attempt: Attempt, warehouse: str, before: Held, after: Held) -> Judgement:
    problems = attempt.problems_in(warehouse)
    table = f"{case.taxi.name}_tripdata"
    month_table = f"{table}_{case.month.replace('-', '_')}"
    there, was = after.rows.get(case.month, ()), before.rows.get(case.month, ())
    if not problems:
        return _judge_loaded(case, there, after.has_only(table, month_table))
    said = problems[0].text
    changed = differences(was, there)
    if changed:
        return Outcome.WRONG, f"refused, but {changed}: {said}"
    # BigQuery's external table is an asset of its own, which is there before the month is typed.
    external = {f"{month_table}_ext"} if warehouse == "bigquery" else set()
    left = sorted(set(after.tables) - set(before.tables) - {table} - external)
    if left:
        return Outcome.WRONG, f"refused, but {', '.join(left)} was left behind: {said}"
    if _is_limit_of(warehouse, attempt):
        return Outcome.REFUSED, said
    # Bytes that were damaged may be refused, even where the strict readers get over them.
    if case.reading.is_sound and case.sound is None:
        return Outcome.NEEDLESS, said
    unclear = [
        why_unclear(problem, case.file_name, case.reading, is_damaged=case.sound is not None) for problem in problems
    ]
    found = next((why for why in unclear if why), "")
    return (Outcome.UNCLEAR, f"{found}: {said}") if found else (Outcome.REFUSED, said)


def _is_limit_of(warehouse: str, attempt: Attempt) -> bool:
    """Whether it refused the file for what only this warehouse can't read: BigQuery no times in nanoseconds."""
    problems = attempt.problems_in(warehouse)
    return warehouse == "bigquery" and bool(problems) and "has times in nanoseconds in column" in problems[0].text


def _judge_loaded(case: FileCase, there: Sequence[HeldRow], tables: str) -> Judgement:
    if case.sound is not None and not differences(expected_rows(case.sound, case.taxi, case.file_name), there):
        return (Outcome.WRONG, f"tables {tables}") if tables else (Outcome.EXACT, "")
    if case.reading.must_refuse:
        faults = [
            *case.reading.whole,
            *(f"{place.what} ({place.column})" for place in case.reading.places if place.must_refuse),
        ]
        return Outcome.WRONG, f"loaded although: {'; '.join(faults[:2])}"
    expected = case.expected()
    if not case.reading.empty_text_is_null:
        expected, there = _without_empty_texts(expected), _without_empty_texts(there)
    found = differences(expected, there)
    if found:
        return Outcome.WRONG, found
    if tables:
        return Outcome.WRONG, f"tables {tables}"
    return Outcome.EXACT, "" if case.sound is None else UNPROVABLE


def _without_empty_texts(rows: Sequence[HeldRow]) -> Sequence[HeldRow]:
    return [(id_, name, tuple(None if value == "" else value for value in row)) for id_, name, row in rows]
