"""Faults of a web server: what has landed is the file as an honest server has it, or nothing new, and one sentence."""

from __future__ import annotations

import io
import random
import shutil
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from chaos.families.judging import Judgement
from chaos.families.months import MONTH, TAXIS, sound_csv, sound_csv_gz
from chaos.faults.file_server import FaultyServer, Plan, ServedFile
from chaos.faults.source_faults import source_fault
from chaos.lanes import Lane, Servers
from chaos.outcomes import Case, Outcome, Result
from chaos.product.loading import Attempt, Project, land
from chaos.product.processes import CallFailedError, ProcessCrashedError, ProcessHungError
from chaos.sentences import why_no_sentence
from chaos.strict.columns import strict_taxi
from chaos.strict.csv_files import read_csv

_PATIENCE: Final = {"timeout_seconds": 1.0, "attempts": 3, "backoff_seconds": 0.01, "backoff_limit_seconds": 0.05}
_MOST_BYTES: Final = 40_000_000
"""Of files with some thousand bytes: a download beyond it would not have ended by itself."""


class SourceFaults:
    """Faults of a web server."""

    name = "source"
    title = "Faults of a web server"

    def __init__(self, *, limit_seconds: float = 90.0) -> None:
        self.limit_seconds = limit_seconds

    def skipped(self) -> Mapping[str, str]:
        """Nothing: a web server can be had everywhere."""
        return {}

    def lane(self, folder: Path, servers: Servers) -> Lane:
        """A lane for the family's cases; they land files, and load nothing."""
        return Lane(folder, servers, ())

    def run(self, number: int, seed: str, lane: Lane) -> Result:
        """Fetch from a server that misbehaves, and then from an honest one."""
        start = time.monotonic()
        choice = random.Random(f"{seed}/{self.name}/{number}")
        taxi, is_feed = choice.choice(TAXIS), choice.random() < 0.3
        file, other, old = (_served(taxi, is_feed=is_feed, version=version) for version in (1, 2, 0))
        kind, plan = source_fault(file, other, choice)
        case = Case(self.name, number, kind, "feed" if is_feed else "release")
        has_old = choice.random() < 0.5
        with FaultyServer(Plan(old)) as server:
            try:
                outcome, note = self._fetch(lane, server, plan, taxi, has_old=has_old, is_feed=is_feed)
            except (ProcessCrashedError, ProcessHungError, CallFailedError) as error:
                lane.replace_worker()
                found = {ProcessCrashedError: Outcome.CRASHED, ProcessHungError: Outcome.HUNG}
                outcome, note = found.get(type(error), Outcome.WRONG), str(error)
        shutil.rmtree(lane.home / "landing", ignore_errors=True)
        return Result(case, outcome, note, time.monotonic() - start)

    def _fetch(  # noqa: PLR0911 - a way to be wrong each
        self, lane: Lane, server: FaultyServer, plan: Plan, taxi: str, *, has_old: bool, is_feed: bool
    ) -> Judgement:
        project = Project(lane.home, _source(server, is_feed=is_feed), {}, lane.temporary)

        def attempt() -> Attempt:
            landed: Attempt = lane.worker.call(land, project, taxi, MONTH, seconds=self.limit_seconds)
            return landed

        name = f"{taxi}_tripdata_{MONTH}.{'parquet' if is_feed else 'csv.gz'}"
        path = project.landing / taxi / name
        old = server.plan.file.body if has_old else None
        if has_old:
            first = attempt()
            if not first.is_done or path.read_bytes() != old:
                return Outcome.NEEDLESS, f"an honest server: {_said(first)}"
        was_honest = {plan.file.body, *([plan.later[1].body] if plan.later else [])}
        server.plan = plan
        faulty = attempt()
        there = path.read_bytes() if path.exists() else None
        if plan.bytes_sent > _MOST_BYTES:
            return Outcome.WRONG, f"{plan.bytes_sent:,} bytes were fetched of a file of {len(plan.file.body):,}"
        if faulty.is_done and there not in was_honest:
            return Outcome.WRONG, f"landed {len(there or b''):,} bytes that no honest server has"
        if not faulty.is_done and there not in (old, *was_honest):
            return Outcome.WRONG, "what had landed before is gone"
        # A server with another version of the file, honest from now on.
        current = plan.later[1] if plan.later else plan.file
        server.plan = Plan(replace(current, has_md5=plan.file.has_md5))
        later = attempt()
        there = path.read_bytes() if path.exists() else None
        if not later.is_done:
            return Outcome.WRONG, f"an honest server afterwards: {_said(later)}"
        if there != current.body:
            return Outcome.WRONG, "the honest file was not fetched afterwards, as if it were unchanged"
        left = sorted(each.name for each in path.parent.iterdir() if not each.name.startswith("."))
        if left != [name, f"{name}.json"]:
            return Outcome.WRONG, f"left behind: {', '.join(left)}"
        return _judge_words(faulty, name)


def _judge_words(attempt: Attempt, name: str) -> Judgement:
    if attempt.is_done:
        return Outcome.EXACT, ""
    (problem,) = attempt.problems[MONTH]
    unclear = why_no_sentence(problem) or ("" if name in problem.text else "the file is not named")
    return (Outcome.UNCLEAR, f"{unclear}: {problem.text}") if unclear else (Outcome.REFUSED, problem.text)


def _said(attempt: Attempt) -> str:
    return "; ".join(problem.text for problems in attempt.problems.values() for problem in problems) or "other bytes"


def _source(server: FaultyServer, *, is_feed: bool) -> Mapping[str, Any]:
    address = {"address": "feed", "feed": server.address} if is_feed else {"address": server.address}
    return {**address, **_PATIENCE}


def _served(taxi: str, *, is_feed: bool, version: int) -> ServedFile:
    rows = 100 + 20 * version
    return ServedFile(_feed_file(taxi, rows) if is_feed else sound_csv_gz(taxi, rows), version)


def _feed_file(taxi: str, rows: int) -> bytes:
    """A sound month of the feed, whose pages have checksums as those of most writers don't."""
    definition = strict_taxi(taxi)
    values = read_csv(sound_csv(taxi, rows), definition).rows or ()
    types = {"integer": pa.int64(), "decimal": pa.float64(), "timestamp": pa.timestamp("us"), "text": pa.string()}
    columns = {}
    for place, column in enumerate(definition.columns):
        cells: list[Any] = [row[place] for row in values]
        if column.kind == "decimal":
            cells = [None if cell is None else float(cell) for cell in cells]
        columns[column.name] = pa.array(cells, types[column.kind])
    made = io.BytesIO()
    pq.write_table(pa.table(columns), made)
    return made.getvalue()
