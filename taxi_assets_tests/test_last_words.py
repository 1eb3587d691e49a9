"""A failed command ends with one sentence that says why; the traces of libraries are in the log, at level debug."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from taxi_assets.words import without_repetitions
from taxi_assets_tests.test_commands import demo, run

NOWHERE = "http://127.0.0.1:1"
"""Nothing may listen at this port, so that a connection is refused."""

UNREACHABLE = (
    f"{NOWHERE} can't be reached: no connection ([Errno 111] Connection refused); check the network and the address in "
    "TAXI_SOURCE, or set TAXI_SOURCE=sample to load sample months without a network."
)
OF_A_MONTH = ("--select", '+key:"duckdb/green_tripdata"', "--partition", "2019-01")


def errors_before_the_end(text: str) -> list[str]:
    """The classes of errors whose traces the output has, apart from what the log says at level debug."""
    without_debug = re.sub(r"(?ms)^[^\n]* - DEBUG - .*?(?=^\d{4}-\d\d-\d\d )", "", text)
    return re.findall(r"^(\w+\.[\w.]+(?:Error|Failure|Fault|Refused)): ", without_debug, flags=re.MULTILINE)


@pytest.mark.parametrize(
    "command",
    [
        ("dagster", "asset", "materialize", "-m", "taxi_assets.definitions", *OF_A_MONTH),
        (
            *("dagster", "job", "execute", "-m", "taxi_assets.definitions", "--job", "load_duckdb"),
            *("--tags", '{"dagster/partition": "2019-01"}'),
        ),
    ],
    ids=["asset materialize", "job execute"],
)
def test_a_command_without_a_network_ends_with_one_sentence(tmp_path: Path, command: tuple[str, ...]) -> None:
    result = run(tmp_path, *command, TAXI_SOURCE=NOWHERE)
    assert result.returncode == 1
    assert result.stderr.splitlines()[-1].endswith(UNREACHABLE)
    assert result.stderr.splitlines()[-2] == ""
    assert set(errors_before_the_end(result.stderr)) == {"dagster._core.definitions.events.Failure"}
    assert "httpx2.ConnectError" in result.stderr, "the cause is in the log"


def test_a_wrong_setting_ends_a_command_with_its_sentence(tmp_path: Path) -> None:
    command = ("dagster", "asset", "materialize", "-m", "taxi_assets.definitions", *OF_A_MONTH)
    result = run(tmp_path, *command, TAXI_MONTHS_PER_RUN="many")
    assert result.returncode == 1
    assert result.stderr.splitlines()[-1].startswith("TAXI_MONTHS_PER_RUN is “many”")


def test_a_command_that_succeeds_has_no_last_words(tmp_path: Path) -> None:
    command = ("dagster", "asset", "materialize", "-m", "taxi_assets.definitions", "--select", 'key:"raw/taxi_zones"')
    result = run(tmp_path, *command, TAXI_SOURCE="sample")
    assert result.returncode == 0
    assert "RUN_SUCCESS" in result.stderr.splitlines()[-1]


def test_the_demo_without_a_network_says_one_sentence_and_shows_no_table(tmp_path: Path) -> None:
    result = demo(tmp_path, "--source", NOWHERE, "--months", "2019-01...2019-03")
    assert result.returncode == 1
    first, *_, last = result.stdout.splitlines()
    assert first.startswith("Loading 2019-01 to 2019-03 of ")
    assert last == UNREACHABLE
    assert result.stdout.count(UNREACHABLE) == 1
    assert "│" not in result.stdout
    assert result.stderr == ""


def test_failures_with_one_cause_are_told_once() -> None:
    general = "The server is away."
    of_months = "2 of 3 months failed, the others are done:\n2019-01...2019-02, raw/green_tripdata: The server is away."
    other = f"{of_months}\n2019-03, raw/green_tripdata: The file is damaged."
    assert without_repetitions([of_months, general, general]) == [general]
    assert without_repetitions([other, general]) == [other, general]
    assert without_repetitions([of_months]) == [of_months]
    assert without_repetitions([]) == []
