"""Carries months through their stages, several at once, each on its own.

Dagster starts a step only after the step before it has succeeded for all months of a range. Here one step owns all
assets of a taxi (as dagster-dbt's step does for its models), and each month goes through them independently. So a bad
month does not stop the others, and the first month can be loaded before the last one is downloaded.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Mapping, Sequence, Set
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import ExitStack
from dataclasses import dataclass, field

import dagster as dg

from taxi_assets.assets.checks import MonthCheck, Verdict
from taxi_assets.assets.stages import CheckedStage, Metadata, MonthContext, RunContext, Stage, raw_key
from taxi_assets.dagster_errors import log_cause
from taxi_assets.errors import TaxiAssetsError, UnexpectedContentError
from taxi_assets.months import Month
from taxi_assets.taxis import Taxi
from taxi_assets.warehouses.kind import WarehouseKind


@dataclass(frozen=True)
class Selection:
    """The assets and checks that a run asks for.

    Attributes:
        taxi: The taxi.
        stages: All stages of the taxi, each after the one it needs.
        assets: Keys of the assets to materialize.
        checks: Keys of the checks to evaluate.
    """

    taxi: Taxi
    stages: Sequence[Stage]
    assets: Set[dg.AssetKey]
    checks: Set[dg.AssetCheckKey]

    def checks_of(self, stage: Stage) -> Mapping[dg.AssetCheckKey, MonthCheck]:
        """The checks of a stage that the run asks for."""
        keys = {dg.AssetCheckKey(stage.key, check.name): check for check in stage.checks}
        return {key: check for key, check in keys.items() if key in self.checks}

    def concerns(self, stage: Stage) -> bool:
        """Whether the run asks for the stage's asset or one of its checks."""
        return stage.key in self.assets or bool(self.checks_of(stage))


@dataclass
class MonthReport:
    """The outcome of one month.

    Attributes:
        month: The month.
        materialized: Metadata of each asset that was materialized.
        verdicts: The verdict of each check.
        errors: Why an asset was not materialized, or must not be used downstream.
    """

    month: Month
    materialized: dict[dg.AssetKey, Metadata] = field(default_factory=dict)
    verdicts: dict[dg.AssetCheckKey, Verdict] = field(default_factory=dict)
    errors: dict[dg.AssetKey, Exception] = field(default_factory=dict)

    @property
    def rows(self) -> int:
        """Rows of the month, as the last asset counted them."""
        counts = (metadata.get("dagster/partition_row_count") for metadata in reversed(self.materialized.values()))
        return next((count for count in counts if count is not None), 0)


def carry_months(
    months: Sequence[Month], selection: Selection, run: RunContext, *, at_once: int
) -> Iterator[MonthReport]:
    """Carry each month through its stages, and yield a report when a month is done.

    Args:
        months: The months, in the order in which they begin.
        selection: The assets and checks that the run asks for.
        run: The resources and the log of the run.
        at_once: How many months are in progress at a time.
    """
    progress = _Progress(len(months), run.log)
    with ThreadPoolExecutor(max_workers=at_once, thread_name_prefix="month") as pool:
        in_progress = [pool.submit(carry_month, month, selection, run) for month in months]
        try:
            for future in as_completed(in_progress):
                report = future.result()
                progress.add(report)
                yield report
        finally:
            # If the run is cancelled, no further month begins, and those in progress are finished.
            pool.shutdown(wait=True, cancel_futures=True)


def carry_month(month: Month, selection: Selection, run: RunContext) -> MonthReport:
    """Carry one month through its stages. If one fails, those after it are skipped."""
    report = MonthReport(month)
    context = MonthContext(selection.taxi, month, run)
    stopped: set[dg.AssetKey] = set()
    with ExitStack() as stack:
        session = _Session(run, stack)
        for stage in selection.stages:
            if stage.after in stopped:
                stopped.add(stage.key)
                continue
            if not selection.concerns(stage):
                continue
            try:
                session.switch_to(stage.warehouse)
                _do(stage, selection, context, report)
            except Exception as error:  # of whatever class, it must not stop the other months
                if isinstance(error, TaxiAssetsError):
                    log_cause(error, run.log)
                report.errors[stage.key] = error
                stopped.add(stage.key)
    is_merged = any(stage.is_last and stage.key in report.materialized for stage in selection.stages)
    if is_merged and not report.errors and not run.source.keep_raw_files:
        try:
            context.purge()
        except Exception as error:  # the month is merged nevertheless
            report.errors[raw_key(selection.taxi.table)] = error
    return report


def _do(stage: Stage, selection: Selection, context: MonthContext, report: MonthReport) -> None:
    """Materialize the stage's asset and evaluate its checks, as far as the run asks for them.

    Raises:
        UnexpectedContentError: A blocking check has failed.
        TaxiAssetsError: The stage has failed.
    """
    if stage.key in selection.assets:
        report.materialized[stage.key] = stage.run(context)
    wanted = selection.checks_of(stage)
    if not wanted or not isinstance(stage, CheckedStage):
        return
    evidence = stage.collect_evidence(context)
    report.verdicts |= {key: check.judge(evidence) for key, check in wanted.items()}
    failed = [key for key, check in wanted.items() if check.blocking and report.verdicts[key].stops]
    if failed:
        numbers = {name: value for key in failed for name, value in report.verdicts[key].numbers.items()}
        raise UnexpectedContentError(
            f"{stage.key.to_user_string()} failed {' and '.join(key.name for key in failed)} for {report.month} "
            f"({', '.join(f'{name} {value}' for name, value in numbers.items())}): "
            "nothing downstream of it was changed; look at the raw file, then run again."
        )


class _Session:
    """Keeps at most one warehouse open, so that the stages of a month in it open it only once."""

    def __init__(self, run: RunContext, stack: ExitStack) -> None:
        self._run = run
        self._stack = stack
        self._of: WarehouseKind | None = None

    def switch_to(self, warehouse: WarehouseKind | None) -> None:
        """Make this the open warehouse; None closes the one that is open."""
        if warehouse is self._of:
            return
        self._of = None
        self._stack.close()
        if warehouse is not None:
            self._stack.enter_context(self._run.warehouse(warehouse).session(self._run.log))
            self._of = warehouse


class _Progress:
    """Logs the progress of a range."""

    def __init__(self, months: int, log: logging.Logger) -> None:
        self._months, self._log = months, log
        self._done = self._rows = 0
        self._start = time.monotonic()

    def add(self, report: MonthReport) -> None:
        self._done += 1
        self._rows += report.rows
        seconds = time.monotonic() - self._start
        left = seconds / self._done * (self._months - self._done)
        outcome = "failed" if report.errors else "done"
        self._log.info(
            f"{report.month} {outcome}: {self._done} of {self._months} months ({self._done / self._months:.0%}), "
            f"{self._rows:,} rows, {self._rows / seconds:,.0f} rows/s, {left:,.0f} s left"
        )
