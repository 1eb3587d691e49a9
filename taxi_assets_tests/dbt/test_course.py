"""A dbt project with its own names for the sources, as the course's is, runs as it is in its repository."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

import dagster as dg
import duckdb as engine
import pytest

from taxi_assets.dbt.definitions import dbt_definitions
from taxi_assets.errors import DbtError, SettingsError
from taxi_assets.warehouses import all_warehouses, duckdb, postgres
from taxi_assets.warehouses.duckdb.dbt import show_to_dbt
from taxi_assets.warehouses.kind import SourceTable
from taxi_assets.warehouses.postgres.dbt import show_to_dbt as show_in_postgres
from taxi_assets_tests.csv_files import made_trips
from taxi_assets_tests.dbt.project import duckdb_rows, run_selected
from taxi_assets_tests.dbt.test_git import git
from taxi_assets_tests.postgres.conftest import schema  # noqa: F401 - a fixture
from taxi_assets_tests.postgres.project import PostgresProject
from taxi_assets_tests.project import FEBRUARY, GREEN, JANUARY, Outcome, Project

FILES: Final[Mapping[str, str]] = {
    "project/dbt_project.yml": """
name: rides
profile: rides
vars:
  rounded_to: 0
models:
  rides:
    staging: {+materialized: view}
    marts: {+materialized: table}
""",
    "project/packages.yml": "packages:\n  - local: ../package\n",
    "project/seeds/payment_names.csv": "payment_type,payment_name\n1,Card\n2,Cash\n",
    "project/models/staging/sources.yml": """
sources:
  - name: raw
    database: |
      {%- if target.type == "bigquery" -%} {{ env_var("GCP_PROJECT_ID") }} {%- else -%} taxi_rides_ny {%- endif -%}
    schema: |
      {%- if target.type == "bigquery" -%} nytaxi {%- else -%} prod {%- endif -%}
    tables: [{name: green_tripdata}, {name: yellow_tripdata}, {name: weather}]
""",
    "project/models/staging/stg_rides.sql": """
select {{ keys.key_of(["vendorid", "lpep_pickup_datetime"]) }} as ride, * from {{ source("raw", "green_tripdata") }}
where vendorid is not null
""",
    "project/models/marts/fct_trips.sql": """
{{ config(materialized="incremental", unique_key="ride", incremental_strategy="merge") }}
select ride, lpep_pickup_datetime as picked_up_at, round(total_amount, {{ var("rounded_to") }}) as total, payment_name
from {{ ref("stg_rides") }} left join {{ ref("payment_names") }} using (payment_type)
{% if is_incremental() %} where lpep_pickup_datetime > (select max(picked_up_at) from {{ this }}) {% endif %}
qualify row_number() over (partition by ride order by total_amount) = 1
""",
    "project/models/marts/marts.yml": """
models:
  - name: fct_trips
    columns:
      - name: ride
        data_tests: [unique, not_null]
""",
    "package/dbt_project.yml": "name: keys\n",
    "package/macros/key_of.sql": """
{% macro key_of(columns) %} md5(cast(({{ columns | join(", ") }}) as varchar)) {% endmacro %}
""",
}
"""A project of the same shape, with a package, a seed and an incremental model."""

SOURCE: Final = SourceTable("taxi_rides_ny", "prod", GREEN.table)


@pytest.fixture(scope="module")
def course(home: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """A project with trips of February, and the dbt project of a repository, synced."""
    work = tmp_path_factory.mktemp("work")
    for name, text in FILES.items():
        (work / name).parent.mkdir(parents=True, exist_ok=True)
        (work / name).write_text(text)
    subprocess.run(["git", "init", "--quiet", work], check=True)
    git(work, "add", "--all")
    git(work, "commit", "--quiet", "--message", "Rides")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TAXI_DBT_GIT_URL", f"file://{work}")
        patch.setenv("TAXI_DBT_GIT_FOLDER", "project")
        patch.setenv("TAXI_DBT_VARS", '{"rounded_to": 1}')
        project = Project(tmp_path_factory.mktemp("project"))
        project.put(made_trips(GREEN, FEBRUARY, 30), FEBRUARY)
        assert project.run("2019-02", checks=False).success
        outcome = run_selected(project, dg.AssetSelection.assets("dbt_project"))
        assert outcome.success, outcome.error
        yield project


@pytest.mark.xdist_group("dbt of the course")
def test_it_runs_as_it_is_and_is_built_anew_from_all_months(course: Project) -> None:
    with course.warehouse().get_connection() as connection:
        connection.execute("CREATE TABLE fct_trips AS SELECT 'left by other models' AS other")
    course.put(made_trips(GREEN, JANUARY, 20))
    assert course.run("2019-01", checks=False).success
    outcome = run_selected(course, dg.AssetSelection.groups("dbt_duckdb"))

    assert outcome.success, outcome.error
    assert {check: e.passed for check, e in outcome.checks("duckdb/fct_trips").items()} == {
        "unique_fct_trips_ride": True,
        "not_null_fct_trips_ride": True,
    }
    trips = [row for row in course.rows(GREEN.table) if row["VendorID"] is not None]
    made = duckdb_rows(course, "fct_trips")
    keys = {(trip["VendorID"], trip["lpep_pickup_datetime"]) for trip in trips}
    assert len(made) == len(keys)
    assert {row["picked_up_at"].month for row in made} >= {1, 2}
    assert {row["total"] for row in made} <= {round(trip["total_amount"], 1) for trip in trips}
    assert "Card" in {row["payment_name"] for row in made}
    # A view of dbt's can be read by those who know nothing of the project's name for the database.
    assert len(duckdb_rows(course, "stg_rides")) == len(trips)


@pytest.mark.xdist_group("dbt of the course")
def test_its_models_are_made_from_all_months_and_follow_every_table_that_they_read(course: Project) -> None:
    graph = course.definitions().resolve_asset_graph()
    model = graph.get(duckdb.WAREHOUSE.key("fct_trips"))

    assert not model.is_partitioned
    assert duckdb.WAREHOUSE.key(GREEN.table) in graph.get_ancestor_asset_keys(model.key)
    assert model.automation_condition is not None
    assert model.automation_condition == graph.get(duckdb.WAREHOUSE.key("payment_names")).automation_condition


def test_dbt_works_in_those_warehouses_that_are_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TAXI_DBT_WAREHOUSES", "duckdb")
    assets = dbt_definitions([postgres.WAREHOUSE, duckdb.WAREHOUSE]).assets or ()
    found = {key.path[0] for step in assets if isinstance(step, dg.AssetsDefinition) for key in step.keys}
    assert found - {"dbt_project"} == {"duckdb"}

    monkeypatch.setenv("TAXI_DBT_WAREHOUSES", "duckdb,oracle")
    with pytest.raises(SettingsError, match="TAXI_DBT_WAREHOUSES names oracle, where dbt can't work: choose from"):
        dbt_definitions(all_warehouses())


def test_variables_that_are_no_json_object_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TAXI_DBT_VARS", "{is_test_run: false}")
    with pytest.raises(SettingsError, match=r"TAXI_DBT_VARS is “.*”: write it as a JSON object, such as"):
        dbt_definitions([duckdb.WAREHOUSE])


@pytest.mark.xdist_group("dbt of the course")
def test_variables_of_a_command_are_not_lost_without_a_word(course: Project) -> None:
    job = course.definitions().resolve_job_def("dbt_command")
    config = {"command": "build --vars '{\"rounded_to\": 2}'", "warehouse": "duckdb"}
    outcome = Outcome(
        job.execute_in_process(
            run_config={"ops": {"dbt": {"config": config}}}, instance=course.instance, raise_on_error=False
        ),
        course.instance,
    )
    assert "set TAXI_DBT_VARS to all variables, and leave --vars out of the command" in outcome.failure


# What a warehouse shows to dbt, without dbt


@pytest.fixture
def loaded(tmp_path: Path) -> Project:
    """A project with five trips in DuckDB."""
    project = Project(tmp_path)
    project.put(made_trips(GREEN, JANUARY, 5))
    assert project.run(checks=False).success
    return project


def test_views_on_names_of_another_database_are_given_those_of_the_main_tables(loaded: Project, tmp_path: Path) -> None:
    strange = SourceTable("my-project", "Trips of 2019", GREEN.table)
    with show_to_dbt(loaded.warehouse(), [SOURCE, strange], tmp_path), engine.connect(loaded.database) as connection:
        for number, name in enumerate(("taxi_rides_ny", '"my-project"')):
            connection.execute(f"ATTACH '{tmp_path}/sources_{1 - number}.duckdb' AS {name} (READ_ONLY)")
        connection.execute('CREATE VIEW one AS SELECT * FROM "taxi_rides_ny"."prod"."green_tripdata" AS "t"')
        connection.execute("CREATE SCHEMA marts")
        connection.execute("""
            CREATE VIEW marts.two AS
            WITH "t" AS (SELECT "VendorID" FROM "my-project"."Trips of 2019"."green_tripdata")
            SELECT "VendorID" AS "v", 'not taxi_rides_ny.production.green_tripdata' AS "text" FROM "t"
        """)

    with engine.connect(loaded.database, read_only=True) as connection:
        assert connection.execute("SELECT count(*) FROM one").fetchall() == [(5,)]
        ((count, text),) = connection.execute('SELECT count(*), any_value("text") FROM marts.two').fetchall()
    assert count == 5
    assert text == "not taxi_rides_ny.production.green_tripdata"


def test_names_of_another_schema_are_views_which_nothing_takes_for_the_main_table(
    loaded: Project, tmp_path: Path
) -> None:
    other, missing = SourceTable("", "prod", GREEN.table), SourceTable("", "prod", "fhv_tripdata")
    for _ in range(2):
        with show_to_dbt(loaded.warehouse(), [other, missing], tmp_path):
            pass
    with loaded.warehouse().get_connection() as connection:
        connection.execute("CREATE SCHEMA theirs")
        connection.execute("CREATE TABLE theirs.green_tripdata AS SELECT 1 AS their_own")
        with show_to_dbt(loaded.warehouse(), [SourceTable("warehouse", "theirs", GREEN.table)], tmp_path):
            pass
        assert connection.execute("FROM theirs.green_tripdata").fetchall() == [(1,)]
        assert connection.execute("SELECT count(*) FROM prod.green_tripdata").fetchall() == [(5,)]

    loaded.put(made_trips(GREEN, JANUARY, 7))
    assert loaded.run().success


def test_postgres_has_views_for_another_schema_and_refuses_another_database(
    tmp_path: Path,
    server_url: str,
    schema: str,  # noqa: F811
) -> None:
    project = PostgresProject(tmp_path, server_url, schema)
    project.put(made_trips(GREEN, JANUARY, 5))
    assert project.run(checks=False).success
    ((database,),) = project.query("SELECT current_database()")
    other = SourceTable(database, f"{schema} prod", GREEN.table)
    for _ in range(2):
        with show_in_postgres(project.postgres(), [other], tmp_path):
            assert project.query(f'SELECT count(*) FROM "{other.schema}".green_tripdata') == [(5,)]
    project.query(f'DROP SCHEMA "{other.schema}" CASCADE')

    with (
        pytest.raises(DbtError, match=rf"taxi_rides_ny.*can't read another database than {database} at .*: use a"),
        show_in_postgres(project.postgres(), [SOURCE], tmp_path),
    ):
        pass
