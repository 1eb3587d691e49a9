"""What docs/from-kestra.md names is there, and its examples run."""

from __future__ import annotations

import re
import subprocess

import dagster as dg
import pytest

from local_services.postgres import wheel_programs
from taxi_assets.build import build_definitions
from taxi_assets.months import parse_month_range
from taxi_assets.settings import SETTINGS
from taxi_assets.warehouses import all_warehouses
from taxi_assets_tests.paths import PROJECT
from taxi_assets_tests.project import Project
from taxi_assets_tests.test_homework import LOAD, QUERY, answer

TEXT = (PROJECT / "docs" / "from-kestra.md").read_text("utf-8")

FLOWS = {
    "2026": {
        "01_hello_world",
        "02_python",
        "03_getting_started_data_pipeline",
        "04_postgres_taxi",
        "05_postgres_taxi_scheduled",
        "06_gcp_kv",
        "07_gcp_setup",
        "08_gcp_taxi",
        "09_gcp_taxi_scheduled",
        "10_chat_without_rag",
        "11_chat_with_rag",
    },
    "2025": {
        "01_getting_started_data_pipeline",
        "02_postgres_taxi",
        "02_postgres_taxi_scheduled",
        "03_postgres_dbt",
        "04_gcp_kv",
        "05_gcp_setup",
        "06_gcp_taxi",
        "06_gcp_taxi_scheduled",
        "07_gcp_dbt",
    },
}
"""The flows of module 2, by cohort."""

OF_DBT = {"dbt_command"}
"""The job that is there only where dbt is; taxi_assets_tests/dbt runs it."""


@pytest.fixture(scope="module")
def definitions() -> dg.Definitions:
    """The graph with every warehouse."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GCP_PROJECT_ID", "my-project")
        patch.setenv("GCP_BUCKET_NAME", "my-bucket")
        patch.setenv("GCP_DATASET", "taxis")
        patch.setenv("TAXI_POSTGRES_URL", "postgresql://me@localhost/taxis")
        return build_definitions(warehouses=all_warehouses())


@pytest.mark.parametrize("cohort", FLOWS)
def test_each_flow_of_the_course_has_a_heading(cohort: str) -> None:
    headings = " ".join(re.findall(r"^### (.*)$", TEXT, re.MULTILINE))
    assert FLOWS[cohort] <= set(re.findall(r"\d\d_\w+", headings))


def test_every_asset_is_in_the_graph(definitions: dg.Definitions) -> None:
    prefixes = "|".join(["raw", "gcs", "getting_started", *(warehouse.name for warehouse in all_warehouses())])
    named = set(re.findall(rf"`((?:{prefixes})/\w+)`", TEXT))
    models = {path.stem for path in (PROJECT / "dbt" / "models").rglob("*.sql")}
    assert len(named) > 10
    for name in named:
        key = dg.AssetKey.from_user_string(name)
        assert key in definitions.resolve_asset_graph().get_all_asset_keys() or key.path[-1] in models, name


def test_every_job_and_schedule_is_there(definitions: dg.Definitions) -> None:
    repository = definitions.get_repository_def()
    jobs = set(re.findall(r"-j (\w+)", TEXT)) | set(re.findall(r"\*Jobs\* → `(\w+)`", TEXT))
    assert len(jobs) > 5
    assert jobs - OF_DBT <= set(repository.job_names)
    schedules = set(re.findall(r"[Ss]chedule,? `(\w+)`", TEXT)) | set(re.findall(r"schedule start (\w+)", TEXT))
    assert {"monthly", "hello_daily"} <= schedules
    assert schedules <= {schedule.name for schedule in repository.schedule_defs}


def test_every_setting_is_one_of_the_package() -> None:
    known = {setting.name for settings in SETTINGS.values() for setting in settings}
    assert set(re.findall(r"\b(?:TAXI|GCP)_[A-Z_]+\b", TEXT)) <= known


def test_a_command_that_materializes_selects_assets_and_months(definitions: dg.Definitions) -> None:
    commands = re.findall(r"dg launch --assets '[^`\n]*", TEXT)
    assert len(commands) > 3
    for command in commands:
        match = LOAD.fullmatch(command)
        assert match, command
        assert dg.AssetSelection.from_string(match["select"]).resolve(definitions.resolve_asset_graph())
        if match["months"]:
            assert parse_month_range(match["months"])


def test_the_query_counts_trips_by_file(loaded: Project) -> None:
    (command,) = [block for block in re.findall(r"```sh\n(.*?)```", TEXT, re.DOTALL) if QUERY.fullmatch(block)]
    shown = answer(command, loaded.home)
    for month in ("2019-01", "2019-02"):
        assert re.search(rf"green_tripdata_{month}\.csv +│ +60 ", shown)


def test_psql_is_where_the_page_says() -> None:
    programs = wheel_programs()
    if programs is None:
        pytest.skip("no PostgreSQL from a wheel here")
    (path,) = re.findall(r"^\.venv/lib/python3\*/site-packages/(\S+/psql) ", TEXT, re.MULTILINE)
    psql = programs.parents[2] / path
    assert subprocess.run([psql, "--version"], capture_output=True, check=True, timeout=60).stdout


def test_a_script_of_the_user_s_becomes_a_table(loaded: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TAXI_HOME", str(loaded.home))
    (script,) = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)
    names: dict[str, object] = {}
    exec(script, names)  # the page's own example
    asset = names["average_tip_by_zone"]
    assert isinstance(asset, dg.AssetsDefinition)
    definitions = dg.Definitions.merge(build_definitions(), dg.Definitions(assets=[asset]))
    selection = dg.AssetSelection.from_string('key:"average_tip_by_zone"')
    job = dg.define_asset_job("tips", selection).resolve(asset_graph=definitions.resolve_asset_graph())
    assert job.execute_in_process(instance=loaded.instance, raise_on_error=False).success
    with loaded.warehouse().get_connection() as connection:
        ((trips,),) = connection.execute("SELECT sum(trips) FROM average_tip_by_zone").fetchall()
    assert trips == 120
