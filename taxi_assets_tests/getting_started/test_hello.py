"""Hello: inputs with defaults, a value that is handed on, a pause, a schedule that is off, at most two at once."""

from __future__ import annotations

from pathlib import Path

import dagster as dg
import pytest

from taxi_assets.build import build_definitions
from taxi_assets.getting_started.assets.hello import HELLO_POOL
from taxi_assets_tests.getting_started.group import Group
from taxi_assets_tests.paths import PROJECT

NO_PAUSE = {"hello": {"seconds": 0}}


def test_it_greets_new_york_unless_told_otherwise(group: Group) -> None:
    outcome = group.run("greeting", "hello", config=NO_PAUSE)
    assert outcome.success
    assert "Hello, New York!" in outcome.log
    assert group.metadata(outcome, "hello")["said"] == "Hello, New York!"


def test_it_greets_whom_it_is_told_to(group: Group) -> None:
    outcome = group.run("greeting", "hello", config={"greeting": {"name": "Ada"}, **NO_PAUSE})
    assert "Hello, Ada!" in outcome.log


def test_the_greeting_is_handed_on_from_an_earlier_run(group: Group) -> None:
    assert group.run("greeting", config={"greeting": {"name": "Grace"}}).success
    outcome = group.run("hello", config=NO_PAUSE)
    assert group.metadata(outcome, "hello")["said"] == "Hello, Grace!"


def test_it_pauses_for_as_long_as_it_is_told_to(group: Group, monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []
    monkeypatch.setattr("time.sleep", slept.append)
    assert group.run("greeting", "hello", config={"hello": {"seconds": 4.5}}).success
    assert 4.5 in slept


def test_its_schedules_are_off_and_in_new_york_s_time() -> None:
    repository = build_definitions().get_repository_def()
    for name, cron in (("hello_daily", "0 9 * * *"), ("products_daily", "0 10 * * *")):
        schedule = repository.get_schedule_def(name)
        assert schedule.default_status == dg.DefaultScheduleStatus.STOPPED
        assert schedule.cron_schedule == cron
        assert schedule.execution_timezone == "America/New_York"


def test_a_third_one_at_once_has_to_wait(tmp_path: Path) -> None:
    (tmp_path / "dagster.yaml").write_text((PROJECT / "dagster.yaml").read_text("utf-8"), encoding="utf-8")
    hello = build_definitions().resolve_assets_def(dg.AssetKey(["getting_started", "hello"]))
    assert hello.op.pool == HELLO_POOL
    with dg.DagsterInstance.from_config(str(tmp_path)) as instance:
        storage = instance.event_log_storage
        storage.initialize_concurrency_limit_to_default(HELLO_POOL)
        claims = [storage.claim_concurrency_slot(HELLO_POOL, f"run {number}", "hello") for number in range(3)]
        assert [claim.is_claimed for claim in claims] == [True, True, False]
