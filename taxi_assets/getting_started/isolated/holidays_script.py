"""Runs in an environment of its own, which has the packages in requirements.txt and nothing from the project."""

import sys
from importlib.metadata import version

import holidays
from dagster_pipes import open_dagster_pipes

with open_dagster_pipes() as pipes:
    year = pipes.get_extra("year")
    pipes.log.info(f"Looking up {year} with holidays {version('holidays')} on Python {sys.version.split()[0]}")
    found = holidays.country_holidays("US", subdiv="NY", years=year)
    by_date = {day.isoformat(): name for day, name in sorted(found.items())}
    pipes.report_custom_message(by_date)
    pipes.report_asset_materialization(
        metadata={
            "year": year,
            "holidays": len(by_date),
            "package": f"holidays {version('holidays')}",
            "environment": {"raw_value": sys.prefix, "type": "path"},
        }
    )
