"""What assets return becomes BigQuery's types as they are declared, or is refused by column."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from taxi_assets.errors import WarehouseError
from taxi_assets_tests.gcp.project import GcpProject


def written(project: GcpProject, rows: object) -> list[tuple[object, ...]]:
    """What BigQuery has of rows that were written."""
    project.bigquery().write("theirs", rows, None, description="Theirs.")
    return project.query("SELECT * FROM theirs ORDER BY 1")


def test_pandas_nanoseconds_and_columns_without_values_are_written(project: GcpProject) -> None:
    at = pd.Timestamp("2019-01-01 12:34:56.000001")
    frame = pd.DataFrame(
        {
            "number": [1, 2],
            "at": pd.Series([at, None], dtype="datetime64[ns]"),
            "nothing": [None, None],
            "empty": pd.Series([np.nan, np.nan]),
        }
    )
    assert written(project, frame) == [(1, at.to_pydatetime(), None, None), (2, None, None, None)]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (pa.array([1, 2], pa.uint8()), [1, 2]),
        (pa.array([1.5, 2.5], pa.float32()), [1.5, 2.5]),
        (pa.array([1.5, 2.5], pa.float16()), [1.5, 2.5]),
        (pa.array([Decimal("1.50"), Decimal("2.25")], pa.decimal128(9, 2)), [Decimal("1.5"), Decimal("2.25")]),
        (pa.array([date(2019, 1, 1), date(2019, 1, 2)], pa.date64()), [date(2019, 1, 1), date(2019, 1, 2)]),
        (pa.array(["a", "b"], pa.large_string()), ["a", "b"]),
        (pa.array(["a", "b"]).dictionary_encode(), ["a", "b"]),
        (
            pa.array([0, 3_600_000], pa.timestamp("ms", tz="America/New_York")),
            [datetime(1970, 1, 1, tzinfo=UTC), datetime(1970, 1, 1, 1, tzinfo=UTC)],
        ),
        (pa.array([0, 1], pa.timestamp("s")), [datetime(1970, 1, 1), datetime(1970, 1, 1, 0, 0, 1)]),  # noqa: DTZ001 - a DATETIME has no zone
    ],
    ids=lambda value: str(value.type) if isinstance(value, pa.Array) else "",
)
def test_a_column_of_any_simple_type_is_written(project: GcpProject, values: pa.Array, expected: list[object]) -> None:
    assert written(project, pa.table({"number": [1, 2], "value": values})) == list(zip([1, 2], expected, strict=True))


@pytest.mark.parametrize(
    "values",
    [
        pa.array([1], pa.timestamp("ns")),
        pa.array([2**63], pa.uint64()),
        pa.array([Decimal("1.0000000001")], pa.decimal128(20, 10)),
    ],
    ids=lambda values: str(values.type),
)
def test_a_value_that_bigquery_can_t_hold_is_refused_by_its_column(project: GcpProject, values: pa.Array) -> None:
    written(project, pa.table({"value": [1]}))
    with pytest.raises(WarehouseError, match="The column value of the rows for theirs has a value that BigQuery"):
        written(project, pa.table({"value": values}))
    assert project.query("SELECT * FROM theirs") == [(1,)]
    assert project.tables() == {"theirs": "TABLE"}
