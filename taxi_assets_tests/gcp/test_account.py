"""A small month in an account of Google Cloud: ``make test-gcp`` with ``TAXI_TEST_GCP_PROJECT``, else on emulators."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from emulators.running import Emulators
from taxi_assets.months import Month
from taxi_assets_tests.csv_files import made_trips
from taxi_assets_tests.gcp.account import AccountProject, account, add_copies, bytes_of
from taxi_assets_tests.project import GREEN, JANUARY, Project

ROWS = 200
FEW, MANY = 2, 20


@pytest.fixture
def in_account(tmp_path: Path, faithful_emulators: Emulators) -> Iterator[AccountProject]:
    """A project with an empty bucket and dataset."""
    with account(tmp_path, faithful_emulators) as project:
        yield project


def test_a_month_is_loaded_checked_corrected_and_read(in_account: AccountProject, tmp_path: Path) -> None:
    trips = made_trips(GREEN, JANUARY, ROWS)
    in_account.put(trips)
    outcome = in_account.run()
    assert outcome.success, outcome.error
    assert in_account.changes() == [(0, 0, 0)]
    in_account.put(trips[1:])
    assert in_account.changes() == [(0, 0, 1)]
    (tmp_path / "embedded").mkdir()
    embedded = Project(tmp_path / "embedded", address=in_account.address)
    assert embedded.run(checks=False).success
    read = in_account.bigquery().read(GREEN.table, [JANUARY])
    expected = embedded.warehouse().read(GREEN.table, [JANUARY])
    assert sorted(read.select("unique_row_id").fetchall()) == sorted(expected.select("unique_row_id").fetchall())


def test_what_a_month_costs_does_not_grow_with_the_others(
    in_account: AccountProject, capsys: pytest.CaptureFixture[str]
) -> None:
    in_account.put(made_trips(GREEN, JANUARY, ROWS))
    assert in_account.run(checks=False, keep_tables=True).success
    add_copies(in_account, GREEN, JANUARY, Month(2019, 2), FEW)
    few = bytes_of(in_account, GREEN, JANUARY)
    add_copies(in_account, GREEN, JANUARY, Month(2019, 2 + FEW), MANY - FEW)
    many = bytes_of(in_account, GREEN, JANUARY)
    with capsys.disabled():
        print(f"\nbytes of a month of {ROWS} rows beside {FEW} and beside {MANY} others, by a dry run:")
        for name in few:
            print(f"  {name}: {few[name]:,} and {many[name]:,}")
    assert in_account.query(f"SELECT COUNT(DISTINCT file_month) FROM {GREEN.table}") == [(1 + MANY,)]
    if in_account.is_real:
        assert all(few.values())
        assert many == few


def test_nothing_is_left(tmp_path: Path, faithful_emulators: Emulators) -> None:
    with account(tmp_path, faithful_emulators) as project:
        project.put(made_trips(GREEN, JANUARY, ROWS))
        assert project.run(checks=False).success
        project.storage_client().bucket(project.bucket).blob("somebody-elses").upload_from_string(b"x")
    assert project.storage_client().lookup_bucket(project.bucket) is None
    with project.client() as client:
        assert project.dataset not in [item.dataset_id for item in client.list_datasets()]
