"""Runs ZetaSQL as a process in its own environment, and asks it."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from environments.installers import python_of
from taxi_assets_tests.paths import PROJECT

FOLDER = PROJECT / ".venv-zetasql"
"""ZetaSQL's environment. It has other versions of libraries than Dagster can use."""

ENGINE = Path(__file__).with_name("engine.py")

TIME_ZONE = "America/Los_Angeles"
"""The default time zone of an organisation. No statement may depend on it."""

Columns = Mapping[str, str]
"""BigQuery's type of each column of a table by its name."""


class ZetaSQLError(Exception):
    """ZetaSQL refuses a statement, or fails while it evaluates it."""


class ZetaSQL:
    """A running engine."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def analyze(self, statement: str, tables: Mapping[str, Columns]) -> None:
        """Analyze a statement against a catalog.

        Raises:
            ZetaSQLError: It is not valid.
        """
        self._ask(statement=statement, tables=tables)

    def evaluate(
        self, query: str, table: str, columns: Columns, rows: Sequence[Sequence[Any]]
    ) -> list[tuple[str | None, ...]]:
        """Evaluate a query of texts on the rows of a table.

        A TIMESTAMP is given as microseconds since 1970 in UTC, a NUMERIC as text.

        Raises:
            ZetaSQLError: It is not valid, or fails.
        """
        found = self._ask(statement=query, tables={table: columns}, rows={table: list(rows)})["rows"]
        return [tuple(row) for row in found]

    def _ask(self, **request: Any) -> Mapping[str, Any]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        print(json.dumps({"time_zone": TIME_ZONE, **request}), file=self._process.stdin, flush=True)
        line = self._process.stdout.readline()
        assert line, "the engine has ended: its last words are above"
        answer = json.loads(line)
        if "error" in answer:
            raise ZetaSQLError(answer["error"])
        return answer


def missing() -> str | None:
    """Why there is no ZetaSQL here, or None if there is."""
    if python_of(FOLDER).exists() and (FOLDER / ".installed").exists():
        return None
    return f"ZetaSQL is not installed in {FOLDER.name}: run “make test-zetasql”, which says why it can't be"


@contextmanager
def running_zetasql() -> Iterator[ZetaSQL]:
    """Run the engine for the length of the block. It ends with this process, whose end closes its input."""
    with subprocess.Popen(
        [python_of(FOLDER), ENGINE], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        yield ZetaSQL(process)
