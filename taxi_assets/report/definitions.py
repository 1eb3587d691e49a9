"""The report as a part of the project: its assets, and the folder of its pages."""

from __future__ import annotations

from collections.abc import Sequence

import dagster as dg

from taxi_assets import settings
from taxi_assets.report.assets import report_assets
from taxi_assets.report.resources import ReportFolder
from taxi_assets.warehouses.kind import WarehouseKind


def report_definitions(warehouses: Sequence[WarehouseKind]) -> dg.Definitions:
    """The reports of these warehouses."""
    return dg.Definitions(
        assets=report_assets(warehouses),
        resources={"report_folder": ReportFolder(folder=str(settings.home() / "report"))},
    )
