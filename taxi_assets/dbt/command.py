"""Runs a command of dbt in a warehouse, one at a time, with the warehouse's settings in its environment."""

from __future__ import annotations

import json
import logging
import os
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Final

from dagster_dbt import DagsterDbtTranslator, DbtCliInvocation
from filelock import FileLock, Timeout
from packaging.version import Version

from taxi_assets import settings
from taxi_assets.dbt import locations
from taxi_assets.dbt.tables import OWN_DATABASE, sources_used
from taxi_assets.errors import DbtError, SettingsError
from taxi_assets.files import make_private_folder
from taxi_assets.months import Month
from taxi_assets.taxis import chosen_taxis
from taxi_assets.warehouses.kind import WarehouseKind

_RESULTS: Final = "run_results.json"
_FAILED: Final = ("error", "fail", "runtime error", "partial success")
_SHOWN_REASONS: Final = 5
_UNKNOWN_VERSION: Final = "1.11.0"
_PARSED_FOR: Final = {
    "DBT_TARGET": "duckdb",
    "TAXI_DBT_DUCKDB_PATH": ":memory:",
    settings.DBT_DATABASE.name: OWN_DATABASE,
    settings.DBT_SCHEMA.name: "main",
}
"""What a project is read with for the graph: dbt connects to nothing, and the embedded warehouse needs no settings."""


@contextmanager
def running_dbt(
    warehouse: WarehouseKind,
    resource: Any,
    arguments: Sequence[str],
    *,
    months: Sequence[Month],
    manifest: Mapping[str, Any],
    translator: DagsterDbtTranslator,
    context: Any,
) -> Iterator[DbtCliInvocation]:
    """Start a command of dbt, as the only one in that warehouse; it has ended when the block ends.

    Its compiled SQL, results and log are in the folder ``<TAXI_HOME>/dbt/<warehouse>`` afterwards.

    Args:
        warehouse: The warehouse to work in.
        resource: That warehouse's connected resource.
        arguments: The command and its options, such as ``["build", "--full-refresh"]``.
        months: The months to work on; empty for all of them.
        manifest: The project, as dbt has parsed it.
        translator: How models are named in the graph.
        context: The context of the step, for the events that dbt's results become.

    Yields:
        The running command. Read its events before the block ends.

    Raises:
        SettingsError: The arguments have variables where there are others already.
        TaxiAssetsError: The warehouse can't be reached, or dbt can't be started.
    """
    if warehouse.prepare_dbt is None or warehouse.show_to_dbt is None:
        raise DbtError(f"dbt can't work in {warehouse.title}: choose another warehouse.")
    variables = _variables(months)
    if variables and any(argument.partition("=")[0] == "--vars" for argument in arguments):
        raise SettingsError(
            f"dbt takes --vars only once, and {settings.DBT_VARS} or the months are passed by it: "
            f"set {settings.DBT_VARS} to all variables, and leave --vars out of the command."
        )
    project = locations.project_folder()
    target = locations.state_folder() / warehouse.name
    with _exclusive(target, warehouse.title, context.log), ExitStack() as stack:
        environment = {
            **os.environ,
            **_own_environment(),
            **_without_the_users_own(warehouse.prepare_dbt(resource)),
            "DBT_TARGET": warehouse.name,
            "DBT_TARGET_PATH": str(target),
            "DBT_LOG_PATH": str(target),
            "DBT_LOG_FORMAT": "json",
        }
        if project != locations.PROFILES:
            # The names of a project from git may depend on the warehouse.
            known = manifest if warehouse.name == _PARSED_FOR["DBT_TARGET"] else None
            tables = sources_used(known or _parse(project, target, environment))
            environment |= stack.enter_context(warehouse.show_to_dbt(resource, tables, target))
        (target / _RESULTS).unlink(missing_ok=True)
        invocation = DbtCliInvocation.run(
            args=[str(settings.dbt_executable()), *arguments, *variables],
            env=environment,
            manifest=manifest,
            dagster_dbt_translator=translator,
            project_dir=project,
            target_path=target,
            raise_on_error=False,
            context=context,
            # The adapter would need dbt in this environment, and adds nothing that is needed here.
            adapter=None,
            cli_version=Version(manifest.get("metadata", {}).get("dbt_version", _UNKNOWN_VERSION)),
        )
        try:
            yield invocation
        finally:
            _end(invocation.process)


def failure_of(invocation: DbtCliInvocation, warehouse: WarehouseKind, arguments: Sequence[str]) -> DbtError | None:
    """Why a command that has ended failed; None if it succeeded."""
    if invocation.process.wait() == 0:
        return None
    reasons = _failed_nodes(invocation.target_path) or _reported_errors(invocation)
    more = f"; and {len(reasons) - _SHOWN_REASONS} more" if len(reasons) > _SHOWN_REASONS else ""
    return DbtError(
        f"dbt {arguments[0]} failed in {warehouse.title} ({'; '.join(reasons[:_SHOWN_REASONS])}{more}): "
        f"see dbt.log and the compiled SQL in {invocation.target_path}."
    )


def _failed_nodes(target: Path) -> Sequence[str]:
    """Each model and test that failed, with dbt's message."""
    try:
        results = json.loads((target / _RESULTS).read_bytes())["results"]
    except FileNotFoundError:
        return []
    return [
        f"{result['unique_id'].split('.')[2]}: {' '.join(str(result['message']).split())}"
        for result in results
        if result["status"] in _FAILED
    ]


def _reported_errors(invocation: DbtCliInvocation) -> Sequence[str]:
    """The errors in the log of a command that writes no results, such as debug."""
    errors = str(invocation.get_error()).partition("Errors parsed from dbt logs:")[2]
    return [" ".join(errors.split()) or "it gave no reason"]


def _variables(months: Sequence[Month] = ()) -> Sequence[str]:
    """The option of dbt's command line for its variables."""
    variables = {**settings.dbt_variables(), **({"months": [str(month) for month in months]} if months else {})}
    return ["--vars", json.dumps(variables)] if variables else []


def _without_the_users_own(prepared: Mapping[str, str]) -> Mapping[str, str]:
    """What a warehouse sets, but for the names of sources if the user has set them."""
    users_own = {setting.name for setting in (settings.DBT_DATABASE, settings.DBT_SCHEMA) if setting.read()}
    return {name: value for name, value in prepared.items() if name not in users_own}


def parse(project: Path, target: Path) -> Mapping[str, Any]:
    """The manifest of a project, which dbt reads and writes into the folder ``target``.

    Raises:
        DbtError: dbt can't be started or can't read the project.
    """
    return _parse(project, target, _PARSED_FOR)


def _parse(project: Path, target: Path, environment: Mapping[str, str]) -> Mapping[str, Any]:
    arguments = ["parse", "--quiet", *_variables()]
    remedy = "correct it, then reload the definitions"
    _run(arguments, project, target, environment, action="read the dbt project", remedy=remedy)
    manifest: Mapping[str, Any] = json.loads((target / "manifest.json").read_bytes())
    return manifest


def install_packages(project: Path, target: Path) -> None:
    """Install the packages that a project needs, if it needs any.

    Raises:
        DbtError: A package can't be installed.
    """
    if any((project / name).is_file() for name in ("packages.yml", "dependencies.yml")):
        remedy = "check its packages.yml and the network"
        _run(["deps", *_variables()], project, target, _PARSED_FOR, action="install the packages of", remedy=remedy)


def _run(
    arguments: Sequence[str], project: Path, target: Path, environment: Mapping[str, str], *, action: str, remedy: str
) -> None:
    environment = {
        **os.environ,
        **_own_environment(),
        **_without_the_users_own(environment),
        "DBT_TARGET_PATH": str(target),
        "DBT_LOG_PATH": str(target),
        "DBT_LOG_FORMAT": "text",
    }
    try:
        done = subprocess.run(  # noqa: S603
            [settings.dbt_executable(), *arguments],
            cwd=project,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
    except OSError as error:
        raise DbtError(
            f"{settings.dbt_executable()} can't be started ({error.strerror}): run “make dbt” again, or set TAXI_DBT."
        ) from error
    if done.returncode:
        raise DbtError(f"dbt could not {action} {project} ({' '.join(done.stdout.split())[-500:]}): {remedy}.")


def _own_environment() -> Mapping[str, str]:
    return {
        "DBT_PROFILE": "taxi",
        "DBT_PROFILES_DIR": str(locations.PROFILES),
        "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
        "DBT_USE_COLORS": "false",
        "PYTHONUNBUFFERED": "1",
        settings.TAXIS.name: ",".join(chosen_taxis()),
    }


@contextmanager
def _exclusive(target: Path, title: str, log: logging.Logger) -> Iterator[None]:
    """Let one command at a time work in a warehouse: two would replace each other's views and files."""
    make_private_folder(target)
    lock = FileLock(target / ".lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        log.info(f"Waiting for another command of dbt in {title}")
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a command whose events are no longer read; dbt cancels its statements when it is interrupted."""
    if process.poll() is None and process.stdout and not process.stdout.closed:
        process.terminate()
    process.wait()
