"""docker-compose.yml and what belongs to it: valid, pinned, closed to other machines, and in step with `make up`."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
import yaml
from dagster._core.instance.ref import InstanceRef
from dotenv import dotenv_values

from local_services.compose import COMPOSE_FILE, filled_in, read_services
from local_services.machine import Machine
from taxi_assets.errors import SettingsError
from taxi_assets.settings import SETTINGS
from taxi_assets_tests.paths import PROJECT

COMPOSE: Mapping[str, Any] = yaml.safe_load(COMPOSE_FILE.read_text())
SERVICES: Mapping[str, Mapping[str, Any]] = COMPOSE["services"]
BUILDERS = [name for name, service in SERVICES.items() if "build" in service]
BUILT = [name for name, service in SERVICES.items() if service["image"] == SERVICES["code"]["image"]]
OVERRIDE = PROJECT / "deploy" / "compose.override.yml"
USED_VARIABLES = set(re.findall(r"\$\{(\w+)", COMPOSE_FILE.read_text()))

each_service = pytest.mark.parametrize("name", SERVICES)


@pytest.mark.parametrize("file", [COMPOSE_FILE, OVERRIDE], ids=["compose", "override"])
def test_the_file_is_what_the_compose_specification_describes(file: Path):
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec", str(file)]
    checked = subprocess.run(command, capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stdout


def test_it_has_the_orchestrator_with_its_database_and_the_data_database_with_pgadmin():
    assert set(SERVICES) == {"metadata", "data", "code", "webserver", "daemon", "pgadmin"}


@each_service
def test_an_image_is_pinned_to_a_version(name: str):
    _, _, tag = SERVICES[name]["image"].partition(":")
    assert re.match(r"\d+\.\d+", tag)


def test_the_image_is_built_by_one_service_and_used_by_all_programs_of_dagster():
    assert BUILDERS == ["code"]
    assert BUILT == ["code", "webserver", "daemon"]


@pytest.mark.parametrize(
    "folder", re.findall(r"^COPY (?:--\S+ )*(.+) \S+$", (PROJECT / "Dockerfile").read_text(), re.MULTILINE)
)
def test_the_image_copies_only_what_is_sent_to_the_builder(folder: str):
    sent = (PROJECT / ".dockerignore").read_text().splitlines()
    for path in folder.split():
        assert (PROJECT / path).exists()
        assert f"!{path.split('/')[0]}" in sent


@each_service
def test_the_logs_of_a_service_have_a_size_limit(name: str):
    assert {"max-size", "max-file"} <= set(SERVICES[name]["logging"]["options"])


def test_the_example_of_an_override_sets_what_the_project_knows_in_services_that_exist():
    known = {setting.name for of_subject in SETTINGS.values() for setting in of_subject}
    for name, fields in yaml.safe_load(OVERRIDE.read_text())["services"].items():
        assert name in SERVICES
        assert set(fields["environment"]) <= known
        targets = [volume["target"] for volume in fields["volumes"]]
        assert {fields["environment"]["TAXI_SOURCE"], fields["environment"]["GCP_CREDS"]} == set(targets)


def test_a_path_of_the_override_that_does_not_exist_is_an_error_and_not_an_empty_folder():
    (code,) = yaml.safe_load(OVERRIDE.read_text())["services"].values()
    for volume in code["volumes"]:
        assert volume["read_only"] is True
        assert volume["bind"] == {"create_host_path": False}


def test_the_image_of_our_own_starts_from_a_pinned_one():
    (base,) = re.findall(r"^FROM (\S+)", (PROJECT / "Dockerfile").read_text(), flags=re.MULTILINE)
    assert re.search(r":3\.11\.\d+-", base)


@each_service
def test_ports_are_published_on_this_machine_only_and_can_be_changed(name: str):
    for port in SERVICES[name].get("ports", []):
        assert re.match(r"127\.0\.0\.1:\$\{TAXI_\w+_PORT:-\d+\}:", port)


@each_service
def test_a_service_has_a_health_check_and_is_started_again_after_a_crash(name: str):
    assert SERVICES[name]["healthcheck"]["test"][0] in ("CMD", "CMD-SHELL")
    assert SERVICES[name]["restart"] == "unless-stopped"


@each_service
def test_a_service_waits_until_those_that_it_needs_are_healthy(name: str):
    for needed, how in SERVICES[name].get("depends_on", {}).items():
        assert needed in SERVICES
        assert how == {"condition": "service_healthy"}


def test_dagster_waits_for_its_code_and_the_code_for_the_databases():
    assert set(SERVICES["webserver"]["depends_on"]) == set(SERVICES["daemon"]["depends_on"]) == {"code"}
    assert set(SERVICES["code"]["depends_on"]) == {"metadata", "data"}
    assert set(SERVICES["pgadmin"]["depends_on"]) == {"data"}


def test_nothing_runs_as_root():
    assert SERVICES["metadata"]["user"] == SERVICES["data"]["user"] == "postgres"
    lines = (PROJECT / "Dockerfile").read_text().splitlines()
    assert [line for line in lines if line.startswith("USER ")] == ["USER taxi"]
    assert not any("user" in SERVICES[name] for name in BUILT)


@each_service
def test_a_service_has_no_rights_that_it_does_not_need(name: str):
    assert SERVICES[name]["cap_drop"] == ["ALL"]
    assert "privileged" not in SERVICES[name]
    assert "docker.sock" not in json.dumps(SERVICES[name])


@each_service
def test_passwords_come_from_variables_whose_defaults_are_for_this_machine(name: str):
    for variable, value in SERVICES[name].get("environment", {}).items():
        if "PASSWORD" in variable and not variable.startswith("PGADMIN_CONFIG_"):
            assert re.fullmatch(r"\$\{\w+_PASSWORD:-(taxi|dagster)\}", value)


def test_every_variable_has_a_default_so_that_no_env_file_is_needed():
    assert not re.findall(r"\$\{\w+\}", COMPOSE_FILE.read_text())
    assert all(SERVICES[name]["env_file"] == [{"path": ".env", "required": False}] for name in BUILT)


def test_the_example_of_an_env_file_lists_every_variable_with_its_default():
    commented = (PROJECT / ".env.example").read_text()
    listed = dict(re.findall(r"^#(\w+)=(.*)$", commented, flags=re.MULTILINE))
    defaults = dict(re.findall(r"\$\{(\w+):-([^}]*)\}", COMPOSE_FILE.read_text()))
    assert listed == defaults
    assert dotenv_values(PROJECT / ".env.example") == {}


@pytest.mark.parametrize("name", BUILT)
def test_dagster_s_services_have_settings_that_the_project_knows(name: str):
    known = {setting.name for of_subject in SETTINGS.values() for setting in of_subject}
    for path in (PROJECT / "deploy").glob("*.yaml"):
        known |= set(re.findall(r"env: (\w+)", path.read_text()))
    for path in (PROJECT / "local_services").glob("*.py"):
        known |= set(re.findall(r"environment\[\"(\w+)\"\]", path.read_text()))
    of_dagster = {
        "DAGSTER_BACKFILL_RETRY_DEFINITION_CHANGED_ERROR",
        "DAGSTER_GRPC_HOST",
        "DAGSTER_GRPC_PORT",
        "DAGSTER_WEBSERVER_HOST",
        "DAGSTER_WEBSERVER_PORT",
    }
    assert set(SERVICES[name]["environment"]) <= known | of_dagster


def test_volumes_are_named_and_all_of_them_used():
    mounts = {volume for service in SERVICES.values() for volume in service.get("volumes", [])}
    read_only = {mount for mount in mounts if mount.endswith(":ro")}
    assert {mount.split(":")[0] for mount in mounts - read_only} == set(COMPOSE["volumes"])
    assert all((PROJECT / mount.split(":")[0]).exists() for mount in read_only)


def test_the_databases_are_owned_by_a_role_that_is_not_the_superuser():
    for name in ("metadata", "data"):
        environment = SERVICES[name]["environment"]
        assert environment["DATABASE_OWNER"] != environment["POSTGRES_USER"] == "postgres"
        assert "./deploy/postgres:/docker-entrypoint-initdb.d:ro" in SERVICES[name]["volumes"]
    script = (PROJECT / "deploy" / "postgres" / "create_owner.sh").read_text("utf-8")
    assert "ALTER ROLE CURRENT_USER PASSWORD NULL" in script


def test_pgadmin_has_the_entry_of_the_data_database():
    variables = {"TAXI_POSTGRES_PORT": "5555"}
    (server,) = json.loads(filled_in(COMPOSE["configs"]["servers"]["content"], variables))["Servers"].values()
    data = read_services(variables)["data"]
    assert (server["Host"], server["Port"]) == ("data", data.port) == ("data", 5555)
    assert server["Username"] == data.environment["DATABASE_OWNER"]
    assert server["MaintenanceDB"] == data.environment["DATABASE_NAME"]
    assert server["PassFile"] == SERVICES["pgadmin"]["environment"]["PGPASSFILE"]
    assert SERVICES["pgadmin"]["environment"]["PGADMIN_REPLACE_SERVERS_ON_STARTUP"] == "True"


@pytest.mark.parametrize(("password", "written"), [("taxi", "taxi"), ("a:b\\c d'", "a\\:b\\\\c d'")])
def test_pgadmin_gets_the_password_of_today_at_each_start(tmp_path: Path, password: str, written: str):
    shell, options, script = SERVICES["pgadmin"]["entrypoint"]
    assert script.rstrip().endswith("exec /entrypoint.sh")
    script = script.replace("$$", "$").replace("exec /entrypoint.sh", "exec true")
    file = tmp_path / "pgpass"
    file.write_text("data:*:*:taxi:of yesterday\n")
    settings = {"DATABASE_PASSWORD": password, "PGPASSFILE": str(file), "PATH": os.environ["PATH"]}
    subprocess.run([shell, options, script], env=settings, check=True)
    assert file.read_text() == f"data:*:*:taxi:{written}\n"


@pytest.mark.parametrize("variable", sorted(USED_VARIABLES))
def test_a_variable_changes_what_it_is_about_everywhere(variable: str):
    before, after = COMPOSE_FILE.read_text(), filled_in(COMPOSE_FILE.read_text(), {variable: "23456"})
    assert filled_in(before, {}).count("23456") == 0
    assert after.count("23456") == before.count(f"${{{variable}:-")


def test_without_containers_only_hosts_and_folders_are_others(tmp_path: Path):
    machine = Machine(tmp_path, {"TAXI_UI_PORT": "3456"})
    for name, service in machine.services.items():
        described = read_services({"TAXI_UI_PORT": "3456"})[name].environment
        changed = {key for key, value in described.items() if service.environment[key] != value}
        assert changed <= {key for key in described if key.endswith(("_HOST", "_HOME"))}
        assert all(service.environment[key] == "127.0.0.1" for key in changed if key.endswith("_HOST"))


def test_without_containers_a_service_starts_after_those_that_it_needs(tmp_path: Path):
    order = list(Machine(tmp_path, {}).services)
    assert max(order.index("metadata"), order.index("data")) < order.index("code")
    assert order.index("code") < min(order.index("webserver"), order.index("daemon"))


def test_a_port_that_is_none_is_named_with_its_variable():
    with pytest.raises(SettingsError, match="TAXI_CODE_PORT is “70000”: set it to the number of a port"):
        read_services({"TAXI_CODE_PORT": "70000"})


def test_the_instance_settings_are_those_of_make_dev_and_more():
    plain = yaml.safe_load((PROJECT / "dagster.yaml").read_text())
    deployed = yaml.safe_load((PROJECT / "deploy" / "dagster.yaml").read_text())
    assert plain.items() <= {**deployed, "concurrency": _limits(deployed, plain)}.items()


def _limits(deployed: Mapping[str, Any], plain: Mapping[str, Any]) -> Mapping[str, Any]:
    return {name: deployed["concurrency"][name] for name in plain["concurrency"]}


def test_dagster_understands_the_instance_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    for variable, value in COMPOSE["x-settings"].items():
        monkeypatch.setenv(variable, filled_in(value, {}))
    (tmp_path / "dagster.yaml").write_bytes((PROJECT / "deploy" / "dagster.yaml").read_bytes())
    ref = InstanceRef.from_dir(str(tmp_path))
    assert type(ref.run_launcher).__name__ == "WatchedRunLauncher"
    assert ref.run_launcher.supports_check_run_worker_health
    assert ref.settings["run_monitoring"]["enabled"]
    queue = ref.run_coordinator.get_run_queue_config()
    assert queue.max_user_code_failure_retries * queue.user_code_failure_retry_delay > 24 * 60 * 60
    assert isinstance(ref.run_launcher, dg.DefaultRunLauncher)
