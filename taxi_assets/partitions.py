"""The partitions definition of all taxis' assets: months, written as ``2020-10``.

All assets of a taxi share it and the policy that divides a range of months into runs. So a backfill over any selection
of them shares its runs.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from functools import cache
from typing import Final

import dagster as dg

from taxi_assets import settings
from taxi_assets.errors import UnknownTaxiOrMonthError
from taxi_assets.months import Month
from taxi_assets.taxis import Taxi, all_taxis


def months_partitions() -> dg.MonthlyPartitionsDefinition:
    """Every month for which the source may have a file of any taxi.

    Without the feed, these are the months of the release. With the feed, they are all months that have ended: a month
    is added on the first day of the next one, some weeks before its file is published.
    """
    return _months_partitions(continues=settings.source_continues())


@cache
def _months_partitions(*, continues: bool) -> dg.MonthlyPartitionsDefinition:
    first = min(taxi.first_month for taxi in all_taxis().values())
    last = max(taxi.last_month for taxi in all_taxis().values())
    end = None if continues else str(last.next())
    return dg.MonthlyPartitionsDefinition(start_date=str(first), end_date=end, fmt="%Y-%m")


TRIPS_POOL: Final = "trips"
"""Pool of the steps that load trips. Its limit is how many of them use the source and the warehouses at a time."""


def runs_of_a_range() -> dg.BackfillPolicy:
    """The policy that divides a backfill over a range of months into runs: one run, unless the settings say otherwise.

    Assets with the same policy share their runs.

    Raises:
        SettingsError: TAXI_MONTHS_PER_RUN is not a positive whole number.
    """
    months = settings.months_per_run()
    return dg.BackfillPolicy.single_run() if months is None else dg.BackfillPolicy.multi_run(months)


def months_of_taxi(taxi: Taxi, at: datetime) -> Sequence[Month]:
    """The months of a taxi that are partitions at that moment, in order."""
    months = [Month.parse(key) for key in months_partitions().get_partition_keys(current_time=at)]
    last = months[-1] if months and settings.source_continues() else None
    return [month for month in months if taxi.has_month(month, last=last)]


def months_of_run(context: dg.AssetExecutionContext) -> Sequence[Month]:
    """The months of a run's partitions, in order.

    Raises:
        UnknownTaxiOrMonthError: No month is given, or the range is reversed and therefore empty, which Dagster accepts.
    """
    if not context.has_partition_key and not context.has_partition_key_range:
        raise UnknownTaxiOrMonthError(
            "No months were chosen for this run: choose a partition or a range of partitions, such as --partition "
            "2020-10 or --partition-range 2019-01...2019-12; for a job, set the run's tags, such as "
            '--tags \'{"dagster/partition": "2020-10"}\'.'
        )
    if not context.partition_keys:
        raise UnknownTaxiOrMonthError(
            "The range of months is empty: write the earlier month first, for example 2019-01...2019-12."
        )
    return [Month.parse(key) for key in context.partition_keys]
