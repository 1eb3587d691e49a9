"""Puts the parts of the project together, for Dagster's entry point and for tests."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final

import dagster as dg

from taxi_assets import settings
from taxi_assets.assets.definitions import trip_definitions
from taxi_assets.automation.definitions import automation_definitions
from taxi_assets.dagster_errors import RETRIES
from taxi_assets.dbt.definitions import dbt_definitions
from taxi_assets.getting_started.definitions import getting_started_definitions
from taxi_assets.report.definitions import report_definitions
from taxi_assets.warehouses import configured_warehouses
from taxi_assets.warehouses.definitions import warehouse_definitions
from taxi_assets.warehouses.kind import WarehouseKind

_OWNERS: Final = ("team:taxi-data",)
_CODE_VERSION: Final = "1"
_OWN_FOLDER: Final = settings.PROJECT_FOLDER / "taxi_assets" / "defs"
_NO_GROUP: Final = "default"
"""Dagster's name for the group of an asset that names none."""


def build_definitions(
    *,
    warehouses: Sequence[WarehouseKind] | None = None,
    resources: Mapping[str, Any] | None = None,
    loggers: Mapping[str, dg.LoggerDefinition] | None = None,
    retries: dg.RetryPolicy = RETRIES,
) -> dg.Definitions:
    """All assets, checks, jobs, schedules, sensors and resources, with those in the folder ``defs``.

    Args:
        warehouses: The warehouses to include; unless given, those that are configured by settings.
        resources: Resources to use instead of those that the settings describe.
        loggers: Loggers that a run may name in its configuration, beside Dagster's own.
        retries: How often a step is tried again when its failure may be temporary.
    """
    included = configured_warehouses() if warehouses is None else warehouses
    with _without_labels():
        whole = dg.Definitions.merge(
            warehouse_definitions(included),
            trip_definitions(included, retries),
            automation_definitions(included),
            report_definitions(included),
            dbt_definitions(included),
            getting_started_definitions(),
            _own_definitions(),
        ).map_asset_specs(func=_with_defaults)
        return dg.Definitions(
            assets=whole.assets,
            asset_checks=whole.asset_checks,
            jobs=whole.jobs,
            schedules=whole.schedules,
            sensors=whole.sensors,
            resources={**(whole.resources or {}), **(resources or {})},
            loggers=loggers,
            # A step of these assets takes seconds, and a process of its own would cost as much again.
            executor=dg.in_process_executor,
            metadata=whole.metadata,
            component_tree=whole.component_tree,
        )


def _own_definitions() -> dg.Definitions:
    """What the user has put into the folder ``defs``."""
    files = {path.name for path in _OWN_FOLDER.glob("*")}
    if files <= {"__init__.py", "__pycache__"}:
        # Dagster would import every library that has components, which takes each command two seconds.
        return dg.Definitions()
    return dg.load_from_defs_folder(path_within_project=settings.PROJECT_FOLDER)


def _with_defaults(spec: dg.AssetSpec) -> dg.AssetSpec:
    """The owners, the version of the code, and the group that an asset has unless it names others.

    The group is the first part of the asset's key. A key of one part has none, and stays in Dagster's own group.
    """
    has_group = spec.group_name not in (None, _NO_GROUP)
    return spec.replace_attributes(
        owners=spec.owners or _OWNERS,
        code_version=spec.code_version or _CODE_VERSION,
        group_name=spec.group_name if has_group or len(spec.key.path) == 1 else spec.key.path[0],
    )


@contextmanager
def _without_labels() -> Iterator[None]:
    """Without the warnings that backfill policies are beta, and checks per month and mapped specs previews.

    They are tested here, and every command would show them to every user.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", dg.BetaWarning)
        warnings.simplefilter("ignore", dg.PreviewWarning)
        yield
