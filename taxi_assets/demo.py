"""`make demo`: loads some months of all taxis with the real asset graph, prints a table, and draws the report."""

from __future__ import annotations

import argparse
import logging
import os
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from rich.console import Console
from rich.status import Status
from rich.table import Table

from taxi_assets import settings
from taxi_assets.dagster_home import dagster_home
from taxi_assets.errors import TaxiAssetsError
from taxi_assets.months import Month, last_ended_month, parse_month_range
from taxi_assets.taxis import Taxi, all_taxis, get_taxi
from taxi_assets.words import listed
from taxi_assets.zones import ZONES_TABLE

_WAREHOUSE = "duckdb"
_MONTHS = 6

# Wide enough for the table and for whole paths where the output is not a terminal, such as a CI log.
_console = Console(width=None if sys.stdout.isatty() else 160)


@dataclass(frozen=True)
class Line:
    """One month of one taxi in the table, from the metadata of its assets' materializations."""

    taxi: str
    month: str
    rows_in_file: int
    rows_in_main: int
    inserted: int
    updated: int
    deleted: int
    seconds: float


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the demo, and return the exit code: 0, or 1 if a month failed."""
    options = parsed_options(arguments, "python -m taxi_assets.demo", __doc__)
    code = run_demo(options, _WAREHOUSE, into=str(settings.home()))
    if code == 0:
        report = _report(_WAREHOUSE)
        _print_next_steps(_chosen_taxis(options))
        if report:
            _console.print(f"The report is in [bold]{report}[/bold]", highlight=False, soft_wrap=True)
    return code


def run_demo(options: argparse.Namespace, warehouse: str, *, into: str) -> int:
    """Load what the options ask for into a warehouse, and print what happened.

    Args:
        options: See ``parsed_options``.
        warehouse: Name of the warehouse.
        into: How to name the warehouse in the first message.

    Returns:
        The exit code: 0, or 1 if a month failed.
    """
    try:
        taxis = _chosen_taxis(options)
        os.environ[settings.SOURCE.name] = options.source
        months = _known_months(options.months, taxis)
        os.environ["DAGSTER_HOME"] = str(dagster_home())
        return _run(taxis, months, warehouse, into)
    except TaxiAssetsError as error:
        _console.print(str(error), style="red")
        return 1


def parsed_options(arguments: Sequence[str] | None, program: str, description: str | None) -> argparse.Namespace:
    """The options of a demo: source, months and taxis."""
    parser = argparse.ArgumentParser(prog=program, description=description)
    parser.add_argument("--source", default="sample", help="sample, release, feed, auto, a folder or a base URL")
    parser.add_argument(
        "--months", help="a month, or a range such as 2019-01...2019-03; by default the first half year of the taxis"
    )
    parser.add_argument(
        "--taxi", action="append", default=[], help="a taxi, may be given more than once; all of them by default"
    )
    return parser.parse_args(arguments)


def _chosen_taxis(options: argparse.Namespace) -> Sequence[Taxi]:
    return [get_taxi(name) for name in options.taxi] or list(all_taxis().values())


def _first_months(taxis: Sequence[Taxi], count: int) -> str:
    """The first months that all of the taxis have in the release, as a range: at most ``count``."""
    months = [max(taxi.first_month for taxi in taxis)]
    last = min(taxi.last_month for taxi in taxis)
    while len(months) < count and months[-1] < last:
        months.append(months[-1].next())
    return f"{months[0]}...{months[-1]}"


def _known_months(text: str | None, taxis: Sequence[Taxi]) -> Sequence[Month]:
    months = parse_month_range(text or _first_months(taxis, _MONTHS))
    last = last_ended_month(datetime.now(UTC)) if settings.source_continues() else None
    for taxi in taxis:
        taxi.require_month(months[0], last=last)
        taxi.require_month(months[-1], last=last)
    return months


def _run(taxis: Sequence[Taxi], months: Sequence[Month], warehouse: str, into: str) -> int:
    names = listed([taxi.name for taxi in taxis])
    _console.print(f"Loading {months[0]} to {months[-1]} of {names} from {_source_name()} into {into}")
    with _console.status("Starting Dagster") as status:
        # Dagster is imported only now, so that something can be read while that takes a second.
        result, seconds = _materialize(taxis, months, warehouse, status)
    materializations = [
        event.materialization for event in result.get_asset_materialization_events() if event.materialization.partition
    ]
    lines = _lines(taxis, months, warehouse, materializations)
    _console.print(_table(lines))
    _console.print(f"{sum(line.rows_in_main for line in lines):,} trips in {seconds:.1f} s")
    # A mirror may not have the zones: that is worth a message, but the months have not failed.
    is_complete = len(lines) == len(taxis) * len(months)
    _print_failures(result, style="yellow" if is_complete else "red")
    return 0 if is_complete else 1


def _materialize(taxis: Sequence[Taxi], months: Sequence[Month], warehouse: str, status: Status) -> tuple[Any, float]:
    """Materialize the taxis' assets and the zones in one run, as Dagster's own commands do with a range."""
    import dagster as dg  # noqa: PLC0415

    from taxi_assets.build import build_definitions  # noqa: PLC0415
    from taxi_assets.dagster_errors import NO_RETRIES  # noqa: PLC0415
    from taxi_assets.warehouses import all_warehouses  # noqa: PLC0415

    kind = next(kind for kind in all_warehouses() if kind.name == warehouse)
    definitions = build_definitions(warehouses=[kind], loggers={"status": _status_logger(status)}, retries=NO_RETRIES)
    wanted = [kind.key(table) for table in ["taxi_zones", *(taxi.table for taxi in taxis)]]
    selection = dg.AssetSelection.assets(*wanted).upstream().resolve(definitions.resolve_asset_graph())
    start = time.monotonic()
    with dg.DagsterInstance.get() as instance:
        result = definitions.resolve_implicit_global_asset_job_def().execute_in_process(
            instance=instance,
            asset_selection=sorted(selection),
            run_config={"loggers": {"status": {}}},
            tags={
                "dagster/asset_partition_range_start": str(months[0]),
                "dagster/asset_partition_range_end": str(months[-1]),
            },
            raise_on_error=False,
        )
    return result, time.monotonic() - start


def _report(warehouse: str) -> str | None:
    """Materialize the report of all months, and return the path of its page if it could be written."""
    import dagster as dg  # noqa: PLC0415

    from taxi_assets.build import build_definitions  # noqa: PLC0415
    from taxi_assets.report.assets import report_key  # noqa: PLC0415
    from taxi_assets.report.resources import ALL_MONTHS  # noqa: PLC0415
    from taxi_assets.warehouses import all_warehouses  # noqa: PLC0415

    kind = next(kind for kind in all_warehouses() if kind.name == warehouse)
    with _console.status("Drawing the report") as status, dg.DagsterInstance.get() as instance:
        definitions = build_definitions(warehouses=[kind], loggers={"status": _status_logger(status)})
        result = definitions.resolve_implicit_global_asset_job_def().execute_in_process(
            instance=instance,
            asset_selection=[report_key(kind, ALL_MONTHS)],
            run_config={"loggers": {"status": {}}},
            raise_on_error=False,
        )
    _print_failures(result, style="yellow")
    paths = [event.materialization.metadata["path"].value for event in result.get_asset_materialization_events()]
    return str(paths[0]) if paths else None


def _print_failures(result: Any, *, style: str) -> None:
    """Print the messages of the run's failed steps."""
    import dagster as dg  # noqa: PLC0415

    for event in result.all_events:
        if event.event_type == dg.DagsterEventType.STEP_FAILURE and event.step_failure_data.user_failure_data:
            _console.print(event.step_failure_data.user_failure_data.description, style=style)


def _status_logger(status: Status) -> Any:
    """A Dagster logger that shows the latest message of a step in one line."""
    import dagster as dg  # noqa: PLC0415

    class _ShowLatest(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            facts: Mapping[str, Any] = getattr(record, "dagster_meta", {})
            if not facts.get("dagster_event"):
                status.update(str(facts.get("orig_message", record.getMessage())))

    @dg.logger
    def status_logger(_: dg.InitLoggerContext) -> logging.Logger:
        logger = logging.getLogger("taxi_assets.demo.status")
        logger.setLevel(logging.INFO)
        logger.handlers = [_ShowLatest()]
        logger.propagate = False
        return logger

    return status_logger


def _lines(
    taxis: Sequence[Taxi], months: Sequence[Month], warehouse: str, materializations: Sequence[Any]
) -> Sequence[Line]:
    facts = {
        (event.asset_key.to_user_string(), event.partition): {
            name: value.value for name, value in event.metadata.items()
        }
        for event in materializations
    }
    lines = []
    for taxi in taxis:
        for month in map(str, months):
            raw = facts.get((f"raw/{taxi.table}", month))
            loaded = facts.get((f"{warehouse}/{taxi.month_asset}", month))
            merged = facts.get((f"{warehouse}/{taxi.table}", month))
            if raw and loaded and merged:
                lines.append(
                    Line(
                        taxi=taxi.name,
                        month=month,
                        rows_in_file=raw["dagster/row_count"],
                        rows_in_main=merged["dagster/partition_row_count"],
                        inserted=merged["inserted"],
                        updated=merged["updated"],
                        deleted=merged["deleted"],
                        seconds=sum(stage["seconds"] for stage in (raw, loaded, merged)),
                    )
                )
    return lines


def _table(lines: Sequence[Line]) -> Table:
    table = Table()
    table.add_column("taxi")
    table.add_column("month")
    for title in ("rows in file", "rows in main", "inserted", "updated", "deleted", "seconds"):
        table.add_column(title, justify="right")
    for line in lines:
        counts = (line.rows_in_file, line.rows_in_main, line.inserted, line.updated, line.deleted)
        table.add_row(line.taxi, line.month, *(f"{count:,}" for count in counts), f"{line.seconds:.2f}")
    return table


def _print_next_steps(taxis: Sequence[Taxi]) -> None:
    tables = listed([*(taxi.table for taxi in taxis), ZONES_TABLE])
    published = f"make demo SOURCE=release MONTHS={_first_months(taxis, 3)}"
    _console.print(
        f"""
The trips are in [bold]{settings.home() / "warehouse.duckdb"}[/bold] (tables {tables}). Next:
  make demo                                             load the same months again: nothing changes
  make dev                                              open Dagster's UI on http://127.0.0.1:3000
  {published:<53} load published files""",
        highlight=False,
        soft_wrap=True,
    )


def _source_name() -> str:
    from taxi_assets.source.resource import TripSource  # noqa: PLC0415

    source = TripSource(
        address=settings.SOURCE.read(), feed=settings.FEED.read(), landing=str(settings.landing_folder())
    )
    return source.name


if __name__ == "__main__":
    sys.exit(main())
