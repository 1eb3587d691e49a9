"""First steps as a part of the project: assets, jobs, schedules and resources."""

import dagster as dg

from taxi_assets import settings
from taxi_assets.getting_started.assets.hello import greeting, hello
from taxi_assets.getting_started.assets.holidays import holidays_of_a_year
from taxi_assets.getting_started.assets.products import average_price_by_brand, chosen_products, raw_products
from taxi_assets.getting_started.jobs import hello_job, products_job
from taxi_assets.getting_started.names import VALUES
from taxi_assets.getting_started.resources.isolated_python import IsolatedPython
from taxi_assets.getting_started.resources.products_source import ProductsSource
from taxi_assets.getting_started.schedules import hello_daily, products_daily


def getting_started_definitions() -> dg.Definitions:
    """All of the group. Its resources keep their files in a folder of the project's home."""
    folder = settings.home() / "getting_started"
    return dg.Definitions(
        assets=[greeting, hello, holidays_of_a_year, raw_products, chosen_products, average_price_by_brand],
        jobs=[hello_job, products_job],
        schedules=[hello_daily, products_daily],
        resources={
            VALUES: dg.FilesystemIOManager(base_dir=str(folder / "values")),
            "isolated_python": IsolatedPython(folder=str(folder / "isolated_python")),
            "pipes": dg.PipesSubprocessClient(),
            "products": ProductsSource(address=settings.products_source()),
        },
    )
