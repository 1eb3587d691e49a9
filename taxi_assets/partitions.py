"""The partitions definition of all taxis' assets: months, written as ``2020-10``.

All assets of a taxi share it and the policy that divides a range of months into runs. So a backfill over any selection
of them shares its runs.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from functools import cache
from typing import Final

import dagster as dg

from taxi_assets import settings
from taxi_assets.errors import SettingsError, UnknownTaxiOrMonthError
from taxi_assets.months import Month, last_ended_month
from taxi_assets.taxis import Taxi, chosen_taxis


def months_partitions() -> dg.MonthlyPartitionsDefinition:
    """Every month for which the source may have a file of any chosen taxi.

    Without the feed, these are the months of the release. With the feed, they are all months that have ended: a month
    is added on the first day of the next one, some weeks before its file is published.

    Raises:
        SettingsError: The source has no file of any chosen taxi.
    """
    return _months_partitions(settings.source_name(), tuple(chosen_taxis().values()))


@cache
def _months_partitions(source: str, taxis: Sequence[Taxi]) -> dg.MonthlyPartitionsDefinition:
    months = [month for taxi in taxis for month in taxi.months_in(source, last_ended_month(datetime.now(UTC)))]
    if not months:
        raise SettingsError(
            f"{settings.SOURCE} is {source}, which has no file of {', '.join(taxi.name for taxi in taxis)}: set it to "
            f"{settings.FEED_NAME} or {settings.RELEASE_AND_FEED_NAME}, or {settings.TAXIS} to other taxis."
        )
    end = None if source in settings.CONTINUING_SOURCES else str(max(months).next())
    return dg.MonthlyPartitionsDefinition(start_date=str(min(months)), end_date=end, fmt="%Y-%m")


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
    in_source = set(taxi.months_in(settings.source_name(), months[-1])) if months else set()
    return [month for month in months if month in in_source]


def watched_months(taxi: Taxi, at: datetime) -> Sequence[Month]:
    """Those of ``months_of_taxi`` that are loaded as soon as there is a file; earlier ones are loaded on request."""
    return [month for month in months_of_taxi(taxi, at) if month >= taxi.first_month]


def months_of_run(context: dg.AssetExecutionContext) -> Sequence[Month]:
    """The months of a run's partitions, in order.

    Raises:
        UnknownTaxiOrMonthError: No month is given, or the range is reversed and therefore empty, which Dagster accepts,
            or it begins or ends with a month that is not a partition.
    """
    if not context.has_partition_key and not context.has_partition_key_range:
        raise UnknownTaxiOrMonthError(
            "No months were chosen for this run: choose a partition or a range of partitions, such as --partition "
            "2020-10 or --partition-range 2019-01...2019-12; for a job, set the run's tags, such as "
            '--tags \'{"dagster/partition": "2020-10"}\'.'
        )
    if context.has_partition_key_range:
        _require_partitions(context.partition_key_range)
    if not context.partition_keys:
        raise UnknownTaxiOrMonthError(
            "The range of months is empty: write the earlier month first, for example 2019-01...2019-12."
        )
    return [Month.parse(key) for key in context.partition_keys]


def _require_partitions(months: dg.PartitionKeyRange) -> None:
    """Make sure that both ends of a range are partitions, since Dagster's own error shows neither."""
    keys = months_partitions().get_partition_keys()
    for month in (months.start, months.end):
        if month not in keys:
            raise UnknownTaxiOrMonthError(
                f"{month} is not a month of any chosen taxi at this source: choose from {keys[0]} to {keys[-1]}, or "
                f"set {settings.SOURCE} or {settings.TAXIS} to others."
            )
