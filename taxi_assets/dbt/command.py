"""Runs a command of dbt against a warehouse: its environment, its turn, and how Dagster reads what it says."""

from __future__ import annotations

import json
import logging
import os
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from dagster_dbt import DagsterDbtTranslator, DbtCliInvocation
from filelock import FileLock, Timeout
from packaging.version import Version

from taxi_assets import settings
from taxi_assets.dbt import locations
from taxi_assets.errors import DbtError
from taxi_assets.months import Month
from taxi_assets.warehouses.kind import WarehouseKind

_OWN_ENVIRONMENT: Final = {
    "DBT_PROFILE": "taxi",
    "DBT_PROFILES_DIR": str(locations.PROFILES),
    "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
    "DBT_USE_COLORS": "false",
    "PYTHONUNBUFFERED": "1",
}
_RESULTS: Final = "run_results.json"
_FAILED: Final = ("error", "fail", "runtime error", "partial success")
_SHOWN_REASONS: Final = 5
_UNKNOWN_VERSION: Final = "1.11.0"


@contextmanager
def started(
    warehouse: WarehouseKind,
    resource: Any,
    arguments: Sequence[str],
    *,
    months: Sequence[Month],
    manifest: Mapping[str, Any],
    translator: DagsterDbtTranslator,
    context: Any,
) -> Iterator[DbtCliInvocation]:
    """Start a command of dbt, as the only one in that warehouse, and have ended it when the block ends.

    What it writes is in the folder ``<TAXI_HOME>/dbt/<warehouse>`` afterwards: compiled SQL, results and log.

    Args:
        warehouse: The warehouse to work in.
        resource: That warehouse's connected resource.
        arguments: The command and its options, such as ``["build", "--full-refresh"]``.
        months: The months to work on; none for all of them.
        manifest: The project, as dbt has parsed it.
        translator: What models are called in the graph.
        context: The context of the step, for the events that dbt's results become.

    Raises:
        TaxiAssetsError: The warehouse can't be reached, or dbt can't be started.
    """
    if warehouse.prepare_dbt is None:
        raise DbtError(f"dbt can't work in {warehouse.title}: choose another warehouse.")
    target = locations.state_folder() / warehouse.name
    with _exclusive(target, warehouse.title, context.log):
        environment = {
            **os.environ,
            **_OWN_ENVIRONMENT,
            **warehouse.prepare_dbt(resource),
            "DBT_TARGET": warehouse.name,
            "DBT_TARGET_PATH": str(target),
            "DBT_LOG_PATH": str(target),
            "DBT_LOG_FORMAT": "json",
        }
        (target / _RESULTS).unlink(missing_ok=True)
        variables = ["--vars", json.dumps({"months": [str(month) for month in months]})] if months else []
        invocation = DbtCliInvocation.run(
            args=[str(settings.dbt_executable()), *arguments, *variables],
            env=environment,
            manifest=manifest,
            dagster_dbt_translator=translator,
            project_dir=locations.project_folder(),
            target_path=target,
            raise_on_error=False,
            context=context,
            # The adapter would need dbt in this environment; it adds nothing that is wanted here.
            adapter=None,
            cli_version=Version(manifest.get("metadata", {}).get("dbt_version", _UNKNOWN_VERSION)),
        )
        try:
            yield invocation
        finally:
            _end(invocation.process)


def failure_of(invocation: DbtCliInvocation, warehouse: WarehouseKind, arguments: Sequence[str]) -> DbtError | None:
    """What a command that has ended came to, in words; None if it succeeded."""
    if invocation.process.wait() == 0:
        return None
    reasons = _failed_nodes(invocation.target_path) or _errors(invocation)
    more = f"; and {len(reasons) - _SHOWN_REASONS} more" if len(reasons) > _SHOWN_REASONS else ""
    return DbtError(
        f"dbt {arguments[0]} failed in {warehouse.title} ({'; '.join(reasons[:_SHOWN_REASONS])}{more}): "
        f"look at dbt.log and the compiled SQL in {invocation.target_path}."
    )


def _failed_nodes(target: Path) -> Sequence[str]:
    """Each model and test that failed, with what dbt says about it."""
    try:
        results = json.loads((target / _RESULTS).read_bytes())["results"]
    except FileNotFoundError:
        return []
    return [
        f"{result['unique_id'].split('.')[2]}: {' '.join(str(result['message']).split())}"
        for result in results
        if result["status"] in _FAILED
    ]


def _errors(invocation: DbtCliInvocation) -> Sequence[str]:
    """What a command said that has no results, such as debug."""
    said = str(invocation.get_error()).partition("Errors parsed from dbt logs:")[2]
    return [" ".join(said.split()) or "it gave no reason"]


def parse(project: Path, target: Path) -> None:
    """Let dbt read a project, and write ``manifest.json`` into the folder ``target``.

    Raises:
        DbtError: dbt can't be started or can't read the project.
    """
    _run(["parse", "--quiet"], project, target, "read the dbt project", "correct it, then reload the definitions")


def install_packages(project: Path, target: Path) -> None:
    """Install the packages that a project names, if it names any.

    Raises:
        DbtError: They can't be installed.
    """
    if any((project / name).is_file() for name in ("packages.yml", "dependencies.yml")):
        _run(["deps"], project, target, "install the packages of", "check its packages.yml and the network")


def _run(arguments: Sequence[str], project: Path, target: Path, action: str, remedy: str) -> None:
    environment = {
        **os.environ,
        **_OWN_ENVIRONMENT,
        # Nothing is connected to here; the embedded warehouse is the one that needs no settings.
        "DBT_TARGET": "duckdb",
        "TAXI_DBT_DUCKDB_PATH": ":memory:",
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


@contextmanager
def _exclusive(target: Path, title: str, log: logging.Logger) -> Iterator[None]:
    """Hold the warehouse for one command at a time: two would replace one another's views and files."""
    target.mkdir(parents=True, exist_ok=True)
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
    """End a command that nobody listens to any more; dbt stops its statements when it is interrupted."""
    if process.poll() is None and process.stdout and not process.stdout.closed:
        process.terminate()
    process.wait()
