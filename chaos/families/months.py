"""Small sound months, from the project's own sample: what faults are put into."""

from __future__ import annotations

import gzip
import io
from functools import cache

MONTH = "2019-01"
TAXIS = ("green", "yellow")
SIZES = (20, 45, 90, 200)


@cache
def sound_csv(taxi: str, rows: int, month: str = MONTH) -> bytes:
    """A sound month's CSV, with that many rows."""
    return gzip.decompress(sound_csv_gz(taxi, rows, month))


@cache
def sound_csv_gz(taxi: str, rows: int, month: str = MONTH) -> bytes:
    """A sound month's file as it is published."""
    from taxi_assets.months import Month  # noqa: PLC0415 - only the input comes from the project, never a judgement
    from taxi_assets.source.sample.origin import write_trips  # noqa: PLC0415
    from taxi_assets.taxis import get_taxi  # noqa: PLC0415

    made = io.BytesIO()
    write_trips(get_taxi(taxi), Month.parse(month), made, rows=rows, compress_level=1)
    return made.getvalue()
