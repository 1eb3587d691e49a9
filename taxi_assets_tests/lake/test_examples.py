"""The examples of docs/lake.md work on a lake; those for Spark are in ``test_spark``."""

from __future__ import annotations

import re

import pytest

from taxi_assets_tests.csv_files import made_trips
from taxi_assets_tests.lake.project import LakeProject
from taxi_assets_tests.paths import PROJECT
from taxi_assets_tests.project import GREEN, JANUARY

EXAMPLES = re.findall(r"```python\n(.*?)```", (PROJECT / "docs" / "lake.md").read_text("utf-8"), re.DOTALL)


def example(library: str, folder: str) -> str:
    """The example with that library, for a lake in another folder."""
    (found,) = [example for example in EXAMPLES if f"import {library}" in example or f"from {library}" in example]
    return found.replace(".taxi/lake", folder)


def test_there_is_an_example_for_each_reader() -> None:
    assert len(EXAMPLES) == 4


@pytest.mark.parametrize("library", ["duckdb", "polars", "pandas"])
def test_an_example_prints_what_is_in_the_lake(
    loaded: LakeProject, library: str, capsys: pytest.CaptureFixture[str]
) -> None:
    exec(example(library, str(loaded.root)), {})
    printed = capsys.readouterr().out
    january = sum(float(trip["total_amount"]) for trip in made_trips(GREEN, JANUARY, 60))
    assert "60" in printed
    assert "2019-02-01" in printed or f"{january:.2f}" in printed
