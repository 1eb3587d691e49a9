"""What the group adds to the project: assets, jobs, schedules and resources."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import dagster as dg

from taxi_assets import settings
from taxi_assets.getting_started.hello import greeting, hello, hello_job
from taxi_assets.getting_started.holidays import holidays_of_a_year
from taxi_assets.getting_started.isolated_python import IsolatedPython
from taxi_assets.getting_started.products import average_price_by_brand, chosen_products, products_job, raw_products
from taxi_assets.getting_started.products_source import ProductsSource


def getting_started_assets() -> Sequence[dg.AssetsDefinition]:
    """All assets of the group."""
    return [greeting, hello, holidays_of_a_year, raw_products, chosen_products, average_price_by_brand]


def getting_started_jobs() -> Sequence[Any]:
    """The jobs that the schedules start."""
    return [hello_job, products_job]


def getting_started_schedules() -> Sequence[dg.ScheduleDefinition]:
    """The schedules, which are off until somebody switches them on."""
    return [
        dg.ScheduleDefinition(
            name="hello_daily",
            job=hello_job,
            cron_schedule="0 9 * * *",
            execution_timezone="America/New_York",
            default_status=dg.DefaultScheduleStatus.STOPPED,
            description="Says hello every morning at nine in New York.",
        ),
        dg.ScheduleDefinition(
            name="products_daily",
            job=products_job,
            cron_schedule="0 10 * * *",
            execution_timezone="America/New_York",
            default_status=dg.DefaultScheduleStatus.STOPPED,
            description="Fetches the products and their average prices every morning at ten in New York.",
        ),
    ]


def getting_started_resources(folder: Path) -> Mapping[str, Any]:
    """The resources, which keep what they have in that folder."""
    return {
        "values_io_manager": dg.FilesystemIOManager(base_dir=str(folder / "values")),
        "isolated_python": IsolatedPython(folder=str(folder / "isolated_python")),
        "pipes": dg.PipesSubprocessClient(),
        "products": ProductsSource(address=settings.products_source()),
    }
