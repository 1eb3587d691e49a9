"""`make demo`: loads some months of the chosen taxis with the real asset graph, prints a table, draws the report."""

from __future__ import annotations

import argparse
import logging
import os
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from filelock import FileLock, Timeout
from rich.console import Console
from rich.status import Status
from rich.table import Table

from taxi_assets import settings
from taxi_assets.choices import chosen_months, first_months, taxis_named
from taxi_assets.dagster_home import dagster_home
from taxi_assets.errors import TaxiAssetsError
from taxi_assets.foreground import in_foreground
from taxi_assets.months import Month, title_of_range
from taxi_assets.source.address import require_source, source_in_words
from taxi_assets.taxis import Taxi, all_taxis, chosen_taxis
from taxi_assets.words import listed, without_repetitions
from taxi_assets.zones import ZONES_TABLE

_WAREHOUSE = "duckdb"
_MONTHS = 6
_STARTED_BY: Final = {"started by": "make demo"}

WHEN_INTERRUPTED: Final = (
    "Interrupted: each month is loaded as a whole or not at all, and the same command loads the rest."
)
"""What a demo says when Ctrl-C has ended it."""

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


@dataclass(frozen=True)
class Chosen:
    """What a demo is to load: which months of which taxis, from where."""

    source: str
    taxis: Sequence[Taxi]
    months: Sequence[Month]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the demo, and return the exit code: 0, 1 if a month failed, or 130 if it was interrupted."""
    options = parsed_options(arguments, "python -m taxi_assets.demo", __doc__)
    try:
        chosen = choose(options)
    except TaxiAssetsError as error:
        print_error(error)
        return 1
    return in_foreground(lambda: _load_and_report(chosen), when_interrupted=WHEN_INTERRUPTED)


def parsed_options(arguments: Sequence[str] | None, program: str, description: str | None) -> argparse.Namespace:
    """The options of a demo: source, months and taxis."""
    parser = argparse.ArgumentParser(prog=program, description=description)
    parser.add_argument("--source", default="sample", help="sample, release, feed, auto, a folder or a base URL")
    parser.add_argument(
        "--months", help="a month, or a range such as 2019-01...2019-03; by default the first half year of the taxis"
    )
    parser.add_argument(
        "--taxi",
        action="append",
        default=[],
        help="a taxi, may be given more than once; by default those of TAXI_TAXIS",
    )
    return parser.parse_args(arguments)


def choose(options: argparse.Namespace) -> Chosen:
    """What the options ask for.

    Their source becomes that of this process, and their taxis are added to those that the settings choose, so that the
    graph and the report have them.

    Raises:
        TaxiAssetsError: There is no such source, taxi or month.
    """
    require_source(options.source)
    os.environ[settings.SOURCE.name] = options.source
    taxis = taxis_named(options.taxi)
    os.environ[settings.TAXIS.name] = ",".join({**chosen_taxis(), **{taxi.name: taxi for taxi in taxis}})
    return Chosen(options.source, taxis, chosen_months(options.months, taxis, by_default=_MONTHS))


def run_demo(chosen: Chosen, warehouse: str, *, into: str) -> int:
    """Load the months into a warehouse, and print what happened.

    Args:
        chosen: What to load.
        warehouse: Name of the warehouse.
        into: How to name the warehouse in the first message.

    Returns:
        The exit code: 0, or 1 if a month failed.

    Raises:
        KeyboardInterrupt: It was interrupted.
    """
    try:
        home = dagster_home()
        os.environ["DAGSTER_HOME"] = str(home)
        return _run(chosen, warehouse, into, home)
    except TaxiAssetsError as error:
        print_error(error)
        return 1


def print_error(error: TaxiAssetsError) -> None:
    """Print the sentence of an error."""
    _console.print(str(error), style="red", markup=False, soft_wrap=True)


def _load_and_report(chosen: Chosen) -> int:
    code = run_demo(chosen, _WAREHOUSE, into=str(settings.home()))
    if code == 0:
        report = _report(_WAREHOUSE)
        _print_sample(chosen)
        _print_next_steps(chosen)
        if report:
            _console.print(f"The report is in [bold]{report}[/bold]", highlight=False, soft_wrap=True)
    return code


def _run(chosen: Chosen, warehouse: str, into: str, dagster_home: Path) -> int:
    taxis, months = chosen.taxis, chosen.months
    names = listed([taxi.name for taxi in taxis])
    _console.print(
        f"Loading {months[0]} to {months[-1]} of {names} from {source_in_words(chosen.source)} into {into}",
        markup=False,
        soft_wrap=True,
    )
    with _console.status("Starting Dagster") as status:
        # Dagster is imported only now, so that something can be read while that takes a second.
        result, seconds = _materialize(taxis, months, warehouse, status, dagster_home)
    materializations = [
        event.materialization for event in result.get_asset_materialization_events() if event.materialization.partition
    ]
    lines = _lines(taxis, months, warehouse, materializations)
    if lines:
        _console.print(_table(lines))
        _console.print(f"{sum(line.rows_in_main for line in lines):,} trips in {seconds:.1f} s")
    # A mirror may not have the zones: that is worth a message, but the months have not failed.
    is_complete = len(lines) == len(taxis) * len(months)
    _print_failures(result, style="yellow" if is_complete else "red")
    return 0 if is_complete else 1


def _materialize(
    taxis: Sequence[Taxi], months: Sequence[Month], warehouse: str, status: Status, dagster_home: Path
) -> tuple[Any, float]:
    """Materialize the taxis' assets and the zones in one run, as Dagster's own commands do with a range.

    Raises:
        KeyboardInterrupt: It was interrupted.
    """
    import dagster as dg  # noqa: PLC0415

    from taxi_assets.build import build_definitions  # noqa: PLC0415
    from taxi_assets.dagster_errors import NO_RETRIES  # noqa: PLC0415
    from taxi_assets.warehouses import warehouse_called  # noqa: PLC0415

    kind = warehouse_called(warehouse)
    definitions = build_definitions(warehouses=[kind], loggers={"status": _status_logger(status)}, retries=NO_RETRIES)
    wanted = [kind.key(table) for table in ["taxi_zones", *(taxi.table for taxi in taxis)]]
    selection = dg.AssetSelection.assets(*wanted).upstream().resolve(definitions.resolve_asset_graph())
    start = time.monotonic()
    with _only_demo(dagster_home) as is_only_one, dg.DagsterInstance.get() as instance:
        if is_only_one:
            _report_lost_runs(instance)
        result = definitions.resolve_implicit_global_asset_job_def().execute_in_process(
            instance=instance,
            asset_selection=sorted(selection),
            run_config={"loggers": {"status": {}}},
            tags={
                **_STARTED_BY,
                "dagster/asset_partition_range_start": str(months[0]),
                "dagster/asset_partition_range_end": str(months[-1]),
            },
            raise_on_error=False,
        )
    return result, time.monotonic() - start


@contextmanager
def _only_demo(dagster_home: Path) -> Iterator[bool]:
    """Whether no other demo runs on this folder of Dagster's state."""
    lock = FileLock(dagster_home / "demo.lock")
    try:
        lock.acquire(blocking=False)
    except Timeout:
        yield False
        return
    try:
        yield True
    finally:
        lock.release()


def _report_lost_runs(instance: Any) -> None:
    """Report the runs of earlier demos as failed that count as running, because their process was killed."""
    import dagster as dg  # noqa: PLC0415

    lost = [dg.DagsterRunStatus.STARTING, dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.CANCELING]
    for run in instance.get_runs(dg.RunsFilter(statuses=lost, tags=_STARTED_BY)):
        instance.report_run_failed(run, "`make demo` was ended while this run was in progress.")


def _report(warehouse: str) -> str | None:
    """Materialize the report of all months, and return the path of its page if it could be written."""
    import dagster as dg  # noqa: PLC0415

    from taxi_assets.build import build_definitions  # noqa: PLC0415
    from taxi_assets.report.assets import report_key  # noqa: PLC0415
    from taxi_assets.report.resources import ALL_MONTHS  # noqa: PLC0415
    from taxi_assets.warehouses import warehouse_called  # noqa: PLC0415

    kind = warehouse_called(warehouse)
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

    failures = [
        event.step_failure_data.user_failure_data
        for event in result.all_events
        if event.event_type == dg.DagsterEventType.STEP_FAILURE
    ]
    for description in without_repetitions(failure.description for failure in failures if failure):
        _console.print(description, style=style, markup=False, soft_wrap=True)


def _status_logger(status: Status) -> Any:
    """A Dagster logger that shows the latest message of a step in one line."""
    import dagster as dg  # noqa: PLC0415

    class _ShowLatest(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            facts: Mapping[str, Any] = getattr(record, "dagster_meta", {})
            # Errors are Dagster's own, about the steps after one that has failed; its message is printed at the end.
            if not facts.get("dagster_event") and record.levelno < logging.ERROR:
                line = str(facts.get("orig_message", record.getMessage()))
                status.update(line)
                if not _console.is_terminal:
                    # There, the status is not shown.
                    _console.print(line, markup=False, highlight=False, soft_wrap=True)

    # The project's modules log here too, and Python would write their warnings into the status.
    ours = logging.getLogger("taxi_assets")
    ours.setLevel(logging.INFO)
    ours.handlers = [_ShowLatest()]
    ours.propagate = False

    @dg.logger
    def status_logger(_: dg.InitLoggerContext) -> logging.Logger:
        return ours

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


def _print_sample(chosen: Chosen) -> None:
    """Print what becomes of the sample's months, if months of another source were loaded beside them."""
    import dagster as dg  # noqa: PLC0415

    from taxi_assets.assets.origins import sample_in_words  # noqa: PLC0415
    from taxi_assets.warehouses import warehouse_called  # noqa: PLC0415

    if _is_sample(chosen) or not _console.is_terminal:  # elsewhere, the run's own warning is in the output
        return
    kind = warehouse_called(_WAREHOUSE)
    with dg.DagsterInstance.get() as instance:
        sentence = sample_in_words(instance, kind, list(all_taxis().values()))
    if sentence:
        _console.print(f"\n{sentence}", style="yellow", markup=False, soft_wrap=True)


def _is_sample(chosen: Chosen) -> bool:
    return chosen.source.strip() == settings.SAMPLE_NAME


def _print_next_steps(chosen: Chosen) -> None:
    tables = listed([*(taxi.table for taxi in chosen.taxis), ZONES_TABLE])
    source = settings.RELEASE_NAME if all(taxi.in_release for taxi in chosen.taxis) else settings.RELEASE_AND_FEED_NAME
    published = f"make demo SOURCE={source} MONTHS={title_of_range(first_months(chosen.taxis, 3))}"
    remove = f"\n  {'make remove-sample':<53} remove the sample, now or later" if _is_sample(chosen) else ""
    _console.print(
        f"""
The trips are in [bold]{settings.home() / "warehouse.duckdb"}[/bold] (tables {tables}). Next:
  make demo                                             load the same months again: nothing changes
  make dev                                              open Dagster's UI on http://127.0.0.1:3000
  {published:<53} load published files{remove}""",
        highlight=False,
        soft_wrap=True,
    )


if __name__ == "__main__":
    sys.exit(main())
