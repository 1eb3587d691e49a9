"""deploy/helm/values.yaml, as far as it can be judged without the chart, which is on no package index."""

from __future__ import annotations

import re
from typing import Any

import yaml
from dagster_k8s import K8sRunLauncher
from dagster_k8s.job import UserDefinedDagsterK8sConfig

from taxi_assets_tests.paths import PROJECT

TEXT = (PROJECT / "deploy" / "helm" / "values.yaml").read_text()
VALUES: dict[str, Any] = yaml.safe_load(TEXT)
(DEPLOYMENT,) = VALUES["dagster-user-deployments"]["deployments"]
LAUNCHER = VALUES["runLauncher"]["config"]["k8sRunLauncher"]


def snake_case(name: str) -> str:
    return re.sub(r"([A-Z])", lambda match: "_" + match.group(1).lower(), name)


def test_runs_are_jobs_of_kubernetes():
    assert VALUES["runLauncher"]["type"] == K8sRunLauncher.__name__


def test_the_launcher_knows_every_setting_that_it_is_given():
    known = K8sRunLauncher.config_type()
    assert {snake_case(name) for name in LAUNCHER} <= set(known)


def test_kubernetes_knows_every_setting_of_a_run_s_pod():
    config = {snake_case(name): part for name, part in LAUNCHER["runK8sConfig"].items()}
    parsed = UserDefinedDagsterK8sConfig.from_dict(config)
    assert parsed.pod_spec_config["volumes"][0]["name"] == "home"
    (mount,) = parsed.container_config["volume_mounts"]
    assert mount["mount_path"] in [variable["value"] for variable in DEPLOYMENT["env"]]


def test_runs_have_the_settings_and_secrets_of_the_code_location():
    assert DEPLOYMENT["includeConfigInLaunchedRuns"] == {"enabled": True}
    assert DEPLOYMENT["envSecrets"]


def test_files_land_in_the_bucket_and_tables_in_bigquery():
    variables = {variable["name"] for variable in DEPLOYMENT["env"]}
    assert {"GCP_PROJECT_ID", "GCP_LOCATION", "GCP_BUCKET_NAME", "GCP_DATASET"} <= variables


def test_no_secret_is_written_down():
    assert not re.findall(r"(?i)^\s*\w*(password|key|token|webhook):", TEXT, flags=re.MULTILINE)
    assert VALUES["generatePostgresqlPasswordSecret"] is False
    assert VALUES["global"]["postgresqlSecretName"]


def test_the_password_stands_in_one_secret_whose_name_the_chart_does_not_use():
    assert VALUES["global"]["postgresqlSecretName"] not in ("dagster-postgresql", "taxi-assets-postgresql")
    assert VALUES["postgresql"]["enabled"] is False
    deployment = (PROJECT / "docs" / "deployment.md").read_text()
    assert f"kubectl create secret generic {VALUES['global']['postgresqlSecretName']} " in deployment


def test_pods_use_a_service_account_that_google_knows():
    assert VALUES["serviceAccount"]["create"] is True
    assert VALUES["serviceAccount"]["name"] == VALUES["global"]["serviceAccountName"]
    assert "iam.gke.io/gcp-service-account" in VALUES["serviceAccount"]["annotations"]


def test_runs_that_are_lost_begin_again_as_elsewhere():
    elsewhere = yaml.safe_load((PROJECT / "deploy" / "dagster.yaml").read_text())
    retries = VALUES["dagsterDaemon"]["runRetries"]
    assert {snake_case(name): value for name, value in retries.items()} == elsewhere["run_retries"]


def test_backfills_wait_for_the_code_as_elsewhere():
    compose = yaml.safe_load((PROJECT / "docker-compose.yml").read_text())
    variables = {variable["name"]: variable["value"] for variable in VALUES["dagsterDaemon"]["env"]}
    assert variables.items() <= compose["services"]["daemon"]["environment"].items()
    assert variables


def test_the_image_has_what_the_launcher_needs():
    pyproject = (PROJECT / "pyproject.toml").read_text()
    assert "kubernetes = [" in pyproject
    assert "EXTRAS=ui,server,kubernetes" in (PROJECT / "Dockerfile").read_text()
