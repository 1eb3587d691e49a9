"""What the project offers those who carry it on: dev container, workflows, forms, changelog, instructions for agents.

GitHub's machines are not here. So each file is held to its schema, and the commands that it names are looked up.
"""

from __future__ import annotations

import datetime as dt
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.specifiers import SpecifierSet

from taxi_assets.settings import CONTINUING_SOURCES, RELEASE_NAME, SAMPLE_NAME
from taxi_assets.warehouses import all_warehouses
from taxi_assets_tests.paths import PROJECT

PYPROJECT = tomllib.loads((PROJECT / "pyproject.toml").read_text("utf-8"))["project"]
FORMS_SETTINGS = PROJECT / ".github" / "ISSUE_TEMPLATE" / "config.yml"
WORKFLOWS = sorted((PROJECT / ".github" / "workflows").glob("*.yml"))
FORMS = sorted({*(PROJECT / ".github" / "ISSUE_TEMPLATE").glob("*.yml")} - {FORMS_SETTINGS})
DEV_CONTAINER: dict[str, Any] = json.loads((PROJECT / ".devcontainer" / "devcontainer.json").read_text("utf-8"))
FIELDS_OF_A_DEV_CONTAINER = {
    "customizations",
    "forwardPorts",
    "hostRequirements",
    "image",
    "name",
    "otherPortsAttributes",
    "portsAttributes",
    "postCreateCommand",
    "waitFor",
}
"""Those of the specification (containers.dev) that are used here."""

OF_THE_MACHINE = {"cd", "cp", "apt-get"}
"""Commands that are not the project's own."""

each_workflow = pytest.mark.parametrize("file", WORKFLOWS, ids=lambda file: file.stem)


def is_valid(schema: str, file: Path) -> None:
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", schema, str(file)]
    checked = subprocess.run(command, capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stdout


def read(file: Path) -> Any:
    return yaml.safe_load(file.read_text("utf-8"))


def steps(workflow: Any) -> Iterator[dict[str, Any]]:
    for job in workflow["jobs"].values():
        yield from job["steps"]


def run_by_workflows() -> set[str]:
    return {step["run"] for file in WORKFLOWS for step in steps(read(file)) if "run" in step}


def commands(script: str) -> Iterator[list[str]]:
    """Each command of a script with its arguments, without variables before it and without sudo."""
    for line in re.split(r"&&|\n", script):
        words = [word for word in shlex.split(line, comments=True) if word != "sudo"]
        while words and re.match(r"[A-Z_]+=", words[0]):
            del words[0]
        if words:
            yield words


def of_agents() -> set[str]:
    text = (PROJECT / "AGENTS.md").read_text("utf-8")
    (block,) = re.findall(r"```sh\n(.*?)```", text, re.DOTALL)
    return {block, *re.findall(r"`((?:\S+=\S+ )*make [^`]*)`", re.sub(r"\$\([^)]*\)", "folder", text))}


SCRIPTS = sorted({*run_by_workflows(), *DEV_CONTAINER["postCreateCommand"].values(), *of_agents()})


@pytest.mark.parametrize("script", SCRIPTS)
def test_a_command_that_they_name_is_there(script: str):
    for name, *arguments in commands(script):
        if name == "make":
            made = subprocess.run(["make", "-n", *arguments], cwd=PROJECT, capture_output=True, text=True, check=False)
            assert made.returncode == 0, made.stderr
        elif "/" in name:
            # A virtual environment is there after `make install`.
            assert os.access(sys.executable if name == ".venv/bin/python" else PROJECT / name, os.X_OK), name
            assert all((PROJECT / argument).exists() for argument in arguments if "/" in argument), arguments
        else:
            assert name in OF_THE_MACHINE


def test_continuous_integration_checks_and_tests_and_stops_at_the_first_failure(tmp_path: Path):
    log = tmp_path / "log"
    for name, script in {"make": f'echo "$1" >> {log}; test "$1" != "$FAILS"', "chromium": ":"}.items():
        (tmp_path / name).write_text(f"#!/bin/sh\n{script}\n")
        (tmp_path / name).chmod(0o755)

    def run(fails: str) -> tuple[int, list[str]]:
        log.unlink(missing_ok=True)
        environment = {"PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}", "FAILS": fails}
        ended = subprocess.run([PROJECT / ".ci" / "run"], cwd=tmp_path, env=environment, check=False)
        return ended.returncode, log.read_text().split()

    assert run(fails="nothing") == (0, ["check", "test"])
    assert run(fails="check") == (1, ["check"])
    assert run(fails="test") == (1, ["check", "test"])


@each_workflow
def test_a_workflow_is_what_github_documents(file: Path):
    is_valid("vendor.github-workflows", file)
    is_valid("custom.github-workflows-require-timeout", file)


@each_workflow
def test_a_workflow_may_only_read_and_ends_when_a_newer_one_starts(file: Path):
    workflow = read(file)
    assert workflow["permissions"] == {"contents": "read"}
    assert "${{ github." in workflow["concurrency"]["group"]
    assert not any("permissions" in job for job in workflow["jobs"].values())
    for step in steps(workflow):
        if step.get("uses", "").startswith("actions/checkout@"):
            assert step["with"]["persist-credentials"] is False


@each_workflow
def test_an_action_is_pinned_to_a_major_version(file: Path):
    used = [step["uses"] for step in steps(read(file)) if "uses" in step]
    assert used
    assert all(re.fullmatch(r"[\w-]+/[\w-]+@v\d+", action) for action in used), used


def test_an_action_has_one_version_in_all_workflows():
    used = {step["uses"] for file in WORKFLOWS for step in steps(read(file)) if "uses" in step}
    assert len(used) == len({action.partition("@")[0] for action in used}), used


@each_workflow
def test_a_cache_is_renewed_with_files_that_exist(file: Path):
    setups = [step["with"] for step in steps(read(file)) if step.get("uses", "").startswith("actions/setup-python@")]
    assert setups
    for setup in setups:
        assert setup["cache"] == "pip"
        for pattern in setup["cache-dependency-path"].split():
            assert list(PROJECT.glob(pattern)), pattern


def test_continuous_integration_runs_on_linux_and_the_demo_on_macos_and_windows():
    machines = {file.stem: [job["runs-on"] for job in read(file)["jobs"].values()] for file in WORKFLOWS}
    assert [re.sub(r"-[\d.]+", "", machine) for machine in machines["ci"]] == ["ubuntu"]
    assert [re.sub(r"-[\d.]+", "", machine) for machine in machines["demo"]] == ["macos", "windows"]


def test_the_versions_of_python_are_allowed_and_the_oldest_and_the_newest_are_tested():
    allowed = SpecifierSet(PYPROJECT["requires-python"])
    tested = read(PROJECT / ".github" / "workflows" / "ci.yml")["jobs"]["test"]["strategy"]["matrix"]["python"]
    demo = [step.get("with", {}).get("python-version") for step in steps(read(PROJECT / ".github/workflows/demo.yml"))]
    (dev_container,) = re.findall(r"/python:\d+-([\d.]+)-", DEV_CONTAINER["image"])
    assert all(version in allowed for version in (*tested, *filter(None, demo), dev_container))
    supported = [f"3.{minor}" for minor in range(8, 30) if f"3.{minor}" in allowed]
    assert (tested[0], tested[-1]) == (supported[0], supported[-1])


def test_the_dev_container_has_only_fields_of_its_specification():
    assert set(DEV_CONTAINER) <= FIELDS_OF_A_DEV_CONTAINER
    assert set(DEV_CONTAINER["hostRequirements"]) <= {"cpus", "memory", "storage"}
    assert all(re.fullmatch(r"\d+gb", DEV_CONTAINER["hostRequirements"][field]) for field in ("memory", "storage"))
    for attributes in (*DEV_CONTAINER["portsAttributes"].values(), DEV_CONTAINER["otherPortsAttributes"]):
        assert set(attributes) <= {"label", "onAutoForward"}
        assert attributes["onAutoForward"] in {"notify", "openBrowser", "openPreview", "silent", "ignore"}
    assert DEV_CONTAINER["waitFor"] in DEV_CONTAINER


def test_the_dev_container_is_an_official_image_and_forwards_the_port_of_the_ui_with_a_name():
    assert re.fullmatch(r"mcr\.microsoft\.com/devcontainers/python:\d+-3\.\d+-\w+", DEV_CONTAINER["image"])
    (port,) = re.findall(r"^PORT \?= (\d+)", (PROJECT / "Makefile").read_text("utf-8"), re.MULTILINE)
    assert DEV_CONTAINER["forwardPorts"] == [int(port)]
    assert DEV_CONTAINER["portsAttributes"][port]["label"] == "Dagster"


def test_make_install_leaves_nothing_to_install_for_any_other_target():
    rules = dict(
        re.findall(r"^([a-z-]+): ((?:\$\(\w+\)/\S+ ?)+)", (PROJECT / "Makefile").read_text("utf-8"), re.MULTILINE)
    )
    installed = set(rules.pop("install").split()) | {"$(VENV)/.installed"}
    assert {"demo", "up", "test", "check", "dbt"} <= set(rules)
    # Spark is large, and of no use without Java.
    assert set(rules.pop("test-spark").split()) - installed == {"$(SPARK)/.installed"}
    assert set(" ".join(rules.values()).split()) <= installed


@pytest.mark.parametrize("file", FORMS, ids=lambda file: file.stem)
def test_an_issue_form_is_what_github_documents(file: Path):
    is_valid("vendor.github-issue-forms", file)
    fields = [field for field in read(file)["body"] if field["type"] != "markdown"]
    assert len({field["id"] for field in fields}) == len(fields) > 0


def test_the_settings_of_the_issue_forms_are_what_github_documents():
    is_valid("vendor.github-issue-config", FORMS_SETTINGS)


def test_the_form_for_errors_offers_every_warehouse_and_source_and_commands_that_exist():
    body = read(PROJECT / ".github" / "ISSUE_TEMPLATE" / "bug.yml")["body"]
    options = {field["id"]: field["attributes"]["options"] for field in body if field["type"] == "dropdown"}
    assert set(options["warehouse"]) == {warehouse.title for warehouse in all_warehouses()}
    named = {RELEASE_NAME, SAMPLE_NAME, *CONTINUING_SOURCES}
    assert named < set(options["source"])
    makefile = (PROJECT / "Makefile").read_text("utf-8")
    for option in options["way"]:
        for target in re.findall(r"make (\w+)", option):
            assert f"\n{target}:" in makefile


def test_the_changelog_has_the_versions_newest_first_and_the_newest_is_that_of_the_package():
    text = (PROJECT / "CHANGELOG.md").read_text("utf-8")
    headings = re.findall(r"^## (.*)$", text, re.MULTILINE)
    versions = [re.fullmatch(r"(\d+\.\d+\.\d+) - (\d{4}-\d\d-\d\d)", heading) for heading in headings]
    assert all(versions), headings
    numbers = [tuple(map(int, match[1].split("."))) for match in versions if match]
    assert numbers == sorted(set(numbers), reverse=True)
    assert headings[0].startswith(f"{PYPROJECT['version']} - ")
    days = [dt.date.fromisoformat(match[2]) for match in versions if match]
    assert days == sorted(days, reverse=True)


def test_the_changelog_groups_changes_by_kind_and_each_kind_has_some():
    text = (PROJECT / "CHANGELOG.md").read_text("utf-8")
    kinds = re.findall(r"^### (.*)\n\n(- )?", text, re.MULTILINE)
    assert kinds
    for kind, item in kinds:
        assert kind in {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}
        assert item, kind


def test_text_keeps_its_line_endings_where_git_is_set_to_change_them(tmp_path: Path):
    """As Git for Windows is."""

    def git(*arguments: str) -> None:
        subprocess.run(["git", "-c", "core.autocrlf=true", *arguments], cwd=tmp_path, check=True, capture_output=True)

    git("init")
    for name in (".gitattributes", "Makefile", "docs/asset-graph.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(PROJECT / name, tmp_path / name)
    git("add", ".")
    for name in ("Makefile", "docs/asset-graph.png"):
        (tmp_path / name).unlink()
    git("checkout", ".")
    for name in ("Makefile", "docs/asset-graph.png"):
        assert (tmp_path / name).read_bytes() == (PROJECT / name).read_bytes(), name
