"""Google's own SQL engine accepts each of dbt's models and tests, as dbt compiles them for BigQuery."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from taxi_assets import settings
from taxi_assets.months import Month
from taxi_assets.taxis import all_taxis
from taxi_assets_tests.dbt.project import FHV_MODELS, MODELS
from taxi_assets_tests.paths import PROJECT
from taxi_assets_tests.zetasql.catalog import DATASET, tables_of
from taxi_assets_tests.zetasql.running import ZetaSQL

_SEED = "SELECT 1 AS payment_type, 'Credit card' AS payment_type_description"
"""What dbt loads from a file."""

pytestmark = pytest.mark.xdist_group("zetasql")


@pytest.fixture(scope="module")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The queries of all models and tests for one month, by their names. Nothing is asked of BigQuery."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("TAXI_DBT", raising=False)
        dbt = settings.dbt_executable()
    if not list(dbt.parents[1].glob("lib/python*/site-packages/dbt/adapters/bigquery")):
        pytest.skip("dbt with its adapter of BigQuery is not installed: run “make dbt”")
    project, _, dataset = DATASET.partition(".")
    folder = tmp_path_factory.mktemp("dbt")
    variables = {
        "TAXI_DBT_TARGET": "bigquery",
        "TAXI_DBT_BIGQUERY_PROJECT": project,
        "TAXI_DBT_BIGQUERY_DATASET": dataset,
        "TAXI_DBT_BIGQUERY_METHOD": "oauth-secrets",
        "TAXI_DBT_BIGQUERY_TOKEN_URI": "http://127.0.0.1:1",
        "TAXI_DBT_BIGQUERY_CLIENT_ID": "nobody",
        "DBT_ENV_SECRET_BIGQUERY_CLIENT_SECRET": "nothing",
        "DBT_ENV_SECRET_BIGQUERY_REFRESH_TOKEN": "nothing",
        "TAXI_TAXIS": "green,yellow,fhv",
        "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
    }
    options = ["--no-introspect", "--no-populate-cache", "--target-path", folder / "target", "--log-path", folder]
    done = subprocess.run(
        [dbt, "compile", *options, "--profiles-dir", ".", "--vars", '{"months": ["2019-01"]}'],
        cwd=PROJECT / "dbt",
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    # A table's name in one pair of quotes means the same in BigQuery.
    return {
        path.stem: path.read_text().replace("`.`", ".") for path in Path(folder, "target", "compiled").rglob("*.sql")
    }


def test_zetasql_accepts_all_models_and_tests_of_dbt(zetasql: ZetaSQL, compiled: dict[str, str]):
    month = Month(2019, 1)
    tables = {name: columns for taxi in all_taxis().values() for name, columns in tables_of(taxi, month, {}).items()}
    queries = {"payment_types": _SEED, **compiled}
    names = [*MODELS, *FHV_MODELS]
    models = ",\n".join(f"`{DATASET}.{name}` AS (\n{queries[name]}\n)" for name in names)
    tests = compiled.keys() - set(names)
    assert tests
    for name in sorted(tests):
        zetasql.analyze(f"WITH {models} SELECT * FROM (\n{compiled[name]}\n)", tables)
