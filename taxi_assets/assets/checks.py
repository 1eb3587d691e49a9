"""The checks of a month, as pure functions of numbers that the warehouse has measured.

A check judges one month at a time. Dagster accepts one result per check and run. So the result of a run over several
months names the months that failed, and shows the numbers of all months.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Final

import dagster as dg

from taxi_assets.months import Month
from taxi_assets.published import PublishedMonth
from taxi_assets.source.origin import RELEASE_ADDRESS
from taxi_assets.source.raw_files import LandedFile
from taxi_assets.warehouses.kind import TableRole
from taxi_assets.warehouses.measures import MonthProfile

OUTSIDE_MONTH_LIMIT: Final = 0.01
"""Share of pickups outside the month above which a check warns; published months are far below it."""

IMPLAUSIBLE_LIMIT: Final = Decimal("0.01")
"""Share of rows with the same kind of implausible value above which a check warns, unless the taxi's definition states
another for files of the feed. In the release, and in green months of the feed, refunds are up to 0.6 %."""

Number = int | float | str


@dataclass(frozen=True)
class Evidence:
    """The facts by which checks judge one month in one table.

    Attributes:
        profile: The numbers that the warehouse has measured.
        landed: The raw file that the rows come from, if it has landed here.
        published: The known figures of the published files.
        limits_in_feed: The share of a feed file's rows with an implausible value above which a check warns, by the
            rule's name, where it is not ``IMPLAUSIBLE_LIMIT``.
        elsewhere: The profile of the same month in the main table of each other warehouse, by the warehouse's name, or
            the reason why there is none.
    """

    profile: MonthProfile
    landed: LandedFile | None
    published: PublishedMonth
    limits_in_feed: Mapping[str, Decimal] = field(default_factory=dict)
    elsewhere: Mapping[str, MonthProfile | str] = field(default_factory=dict)


@dataclass(frozen=True)
class Verdict:
    """The result of a check for one month.

    Attributes:
        passed: Whether the month passes the check.
        numbers: The numbers that decide it, by their names.
        is_error: Whether a failure is an error rather than a warning.
        note: An explanation, where numbers are not enough.
    """

    passed: bool
    numbers: Mapping[str, Number]
    is_error: bool = True
    note: str = ""

    @property
    def stops(self) -> bool:
        """Whether a blocking check with this verdict stops the month before the next stage."""
        return not self.passed and self.is_error


@dataclass(frozen=True)
class MonthCheck:
    """A check of one month.

    Attributes:
        name: Its name in Dagster.
        description: What is true of a month that passes.
        blocking: Whether a failure that is an error stops the month before the next stage.
        judge: Returns the verdict for the evidence.
    """

    name: str
    description: str
    blocking: bool
    judge: Callable[[Evidence], Verdict]


def _rows_match_file(evidence: Evidence) -> Verdict:
    rows = evidence.profile.rows
    if evidence.landed is None:
        return Verdict(
            passed=False, is_error=False, numbers={"rows": rows}, note="no raw file of this month has landed here"
        )
    in_file = evidence.landed.rows
    return Verdict(rows == in_file, {"rows": rows, "rows in file": in_file, "difference": rows - in_file})


def _rows_match_published(evidence: Evidence) -> Verdict:
    rows, landed, published = evidence.profile.rows, evidence.landed, evidence.published
    if landed is not None and landed.is_sample:
        return Verdict(passed=True, numbers={"rows": rows}, note="not compared: a month of the sample")
    is_feed = landed is not None and landed.is_parquet
    expected, other = (published.feed, published.release) if is_feed else (published.release, published.feed)
    name, other_name = ("feed", "release") if is_feed else ("release", "feed")
    in_other = {} if other is None else {f"rows in the {other_name}": other.rows}
    if expected is None:
        note = f"skipped: the {name}'s published count is not known"
        return Verdict(passed=True, numbers={"rows": rows, **in_other}, note=note)
    is_release = landed is not None and landed.origin == RELEASE_ADDRESS
    return Verdict(
        passed=rows == expected.rows,
        # A mirror may have samples, and the feed publishes corrected months again.
        is_error=is_release and expected.is_sure,
        numbers={"rows": rows, "published rows": expected.rows, "difference": rows - expected.rows, **in_other},
        note=f"published count of the {name}: {expected.explanation}",
    )


def _columns_are_known(evidence: Evidence) -> Verdict:
    unknown = evidence.landed.unknown_columns if evidence.landed is not None else {}
    return Verdict(
        passed=not unknown,
        is_error=False,
        numbers={"unknown columns": len(unknown), **{f"values of {name}": count for name, count in unknown.items()}},
        note=f"not loaded, because they are not in the taxi's definition: {', '.join(unknown)}" if unknown else "",
    )


def _ids_are_unique(evidence: Evidence) -> Verdict:
    repeated = evidence.profile.repeated_ids
    return Verdict(repeated == 0, {"rows": evidence.profile.rows, "repeated ids": repeated})


def _required_values_are_there(evidence: Evidence) -> Verdict:
    missing = evidence.profile.odd_rows.get("missing", {})
    return Verdict(not any(missing.values()), missing)


def _pickups_are_in_month(evidence: Evidence) -> Verdict:
    outside, rows = evidence.profile.odd_rows["outside"], evidence.profile.rows
    share = sum(outside.values()) / rows if rows else 0.0
    return Verdict(passed=share <= OUTSIDE_MONTH_LIMIT, is_error=False, numbers={**outside, "share": round(share, 6)})


def _values_are_plausible(evidence: Evidence) -> Verdict:
    profile, landed = evidence.profile, evidence.landed
    limits = evidence.limits_in_feed if landed is not None and landed.is_parquet else {}
    found = {name: count for name, count in profile.odd_rows["implausible"].items() if count}
    frequent = [
        f"{name} in {count / profile.rows:.1%} of the rows (up to {limit:.0%} is usual)"
        for name, count in found.items()
        if count > (limit := limits.get(name, IMPLAUSIBLE_LIMIT)) * profile.rows
    ]
    return Verdict(
        passed=not frequent,
        is_error=False,
        numbers={"rows": profile.rows, **found},
        note=f"more often than usual: {', '.join(frequent)}" if frequent else "",
    )


def _same_in_all_warehouses(evidence: Evidence) -> Verdict:
    here = evidence.profile
    numbers: dict[str, Number] = {"rows": here.rows}
    different: list[str] = []
    unknown: list[str] = []
    for name, there in evidence.elsewhere.items():
        if isinstance(there, str):
            unknown.append(f"not compared with {name}: {there}")
            continue
        numbers[f"rows in {name}"] = there.rows
        if there.rows == 0:
            unknown.append(f"not compared with {name}, which does not have the month")
            continue
        different += [f"{what} differ from {name}" for what in _differences(here, there)]
    return Verdict(passed=not different, numbers=numbers, note="; ".join(different + unknown))


def _differences(here: MonthProfile, there: MonthProfile) -> Iterator[str]:
    if here.rows != there.rows:
        yield "rows"
    if here.id_digest != there.id_digest:
        yield "ids"
    for column, total in here.sums.items():
        if total != there.sums[column]:
            yield f"sums of {column}"


_ROWS_MATCH_FILE: Final = MonthCheck(
    "rows_match_file",
    "The table has exactly as many rows of the month as the raw file.",
    blocking=True,
    judge=_rows_match_file,
)
_IDS_ARE_UNIQUE: Final = MonthCheck(
    "ids_are_unique",
    "No two rows of the month have the same unique_row_id.",
    blocking=True,
    judge=_ids_are_unique,
)

CHECKS: Final[Mapping[TableRole, Sequence[MonthCheck]]] = {
    "month": (
        _ROWS_MATCH_FILE,
        _IDS_ARE_UNIQUE,
        MonthCheck(
            "rows_match_published",
            "The month has as many rows as the published file. A difference is an error if the file comes from the "
            "release and its count is certain. Otherwise it is a warning, because a mirror may have samples, and the "
            "feed publishes corrected months.",
            blocking=True,
            judge=_rows_match_published,
        ),
        MonthCheck(
            "columns_are_known",
            "All columns of the file are in the taxi's definition. An unknown column is not loaded: its values are "
            "counted and stay in the raw file. Once the definition has the column, the next run loads it.",
            blocking=False,
            judge=_columns_are_known,
        ),
        MonthCheck(
            "required_values_are_there",
            "No required column has an empty value.",
            blocking=False,
            judge=_required_values_are_there,
        ),
        MonthCheck(
            "pickups_are_in_month",
            f"At most {OUTSIDE_MONTH_LIMIT:.0%} of the pickups are outside the file's month. These trips are counted "
            "and kept with their file.",
            blocking=False,
            judge=_pickups_are_in_month,
        ),
        MonthCheck(
            "values_are_plausible",
            "No kind of implausible value is more frequent than in published months: a negative or impossible amount, "
            f"distance, zone or duration. At most {IMPLAUSIBLE_LIMIT:.0%} of the rows may have the same kind, or, in "
            "files of the feed, the share that the taxi's definition states. Published months have some, mostly "
            "refunds. These trips are counted and kept.",
            blocking=False,
            judge=_values_are_plausible,
        ),
    ),
    "main": (_ROWS_MATCH_FILE, _IDS_ARE_UNIQUE),
}

SAME_IN_ALL_WAREHOUSES: Final = MonthCheck(
    "same_in_all_warehouses",
    "The month has the same number of rows, the same set of ids and the same sums as in the other warehouses that "
    "have it.",
    blocking=False,
    judge=_same_in_all_warehouses,
)


def check_spec(check: MonthCheck, key: dg.AssetKey, partitions: dg.PartitionsDefinition[str]) -> dg.AssetCheckSpec:
    """The check of one asset, as Dagster defines it."""
    return dg.AssetCheckSpec(
        check.name, asset=key, description=check.description, blocking=check.blocking, partitions_def=partitions
    )


def results(
    check: MonthCheck, key: dg.AssetKey, verdicts: Mapping[Month, Verdict], *, each: bool
) -> Iterator[dg.AssetCheckEvaluation | dg.AssetCheckResult]:
    """The results of one check that a run reports to Dagster.

    Args:
        check: The check.
        key: The asset that it is about.
        verdicts: Its verdict on each month.
        each: Whether the run is over a range. Then each month has an evaluation of its own, which its partition shows,
            beside the result over all months. A run over one partition does not need it: its result is shown there.
    """
    if each:
        for month, verdict in verdicts.items():
            yield dg.AssetCheckEvaluation(
                asset_key=key,
                check_name=check.name,
                passed=verdict.passed,
                severity=_severity([verdict]),
                metadata={**verdict.numbers, **({"note": verdict.note} if verdict.note else {})},
                # The result over all months blocks; if the evaluation did too, the check would be named twice.
                blocking=False,
                partition=str(month),
            )
    yield _result(check, key, verdicts)


def _result(check: MonthCheck, key: dg.AssetKey, verdicts: Mapping[Month, Verdict]) -> dg.AssetCheckResult:
    failed = [month for month, verdict in verdicts.items() if not verdict.passed]
    metadata: dict[str, dg.RawMetadataValue] = {"months": _table(verdicts)}
    if failed:
        metadata["failed months"] = ", ".join(map(str, failed))
    if len(verdicts) == 1:
        (verdict,) = verdicts.values()
        metadata |= verdict.numbers
    return dg.AssetCheckResult(
        asset_key=key,
        check_name=check.name,
        passed=not failed,
        severity=_severity(verdicts.values()),
        metadata=metadata,
        description=f"Failed: {', '.join(map(str, failed))}" if failed else None,
    )


def _severity(verdicts: Iterable[Verdict]) -> dg.AssetCheckSeverity:
    only_warnings = not any(verdict.stops for verdict in verdicts)
    return dg.AssetCheckSeverity.WARN if only_warnings else dg.AssetCheckSeverity.ERROR


def _table(verdicts: Mapping[Month, Verdict]) -> dg.TableMetadataValue:
    """A row per month. All rows have all columns, as Dagster's tables require."""
    names = list(dict.fromkeys(name for verdict in verdicts.values() for name in verdict.numbers))
    return dg.MetadataValue.table(
        [
            dg.TableRecord(
                {
                    "month": str(month),
                    "passed": "yes" if verdict.passed else "no",
                    **{name: str(verdict.numbers.get(name, "")) for name in names},
                    "note": verdict.note,
                }
            )
            for month, verdict in verdicts.items()
        ]
    )
