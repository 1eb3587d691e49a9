"""Several measurements of one thing as one figure: the median, with the spread around it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import median

from benchmarks.harness import Measurement

_BYTES_PER_MIB = 2**20


@dataclass(frozen=True)
class Figure:
    """A median and the range of the measured values, in any unit."""

    median: float
    lowest: float
    highest: float

    @classmethod
    def of(cls, values: Iterable[float]) -> Figure:
        """Return the figure of these values; there must be at least one."""
        known = list(values)
        return cls(median(known), min(known), max(known))

    def text(self, unit: str = "", digits: int = 2) -> str:
        """Format it: ``1.75 (1.70 to 1.92) s``."""
        spread = f" ({self.lowest:,.{digits}f} to {self.highest:,.{digits}f})" if self.lowest < self.highest else ""
        return f"{self.median:,.{digits}f}{spread}{unit}"


def seconds(measurements: Sequence[Measurement]) -> Figure:
    """Their times in seconds."""
    return Figure.of(measurement.seconds for measurement in measurements)


def peak_mib(measurements: Sequence[Measurement]) -> Figure:
    """Their memory peaks in MiB (2²⁰ bytes)."""
    return Figure.of(measurement.peak_bytes / _BYTES_PER_MIB for measurement in measurements)


def ratio(measured: Sequence[Measurement], reference: Sequence[Measurement]) -> Figure:
    """How many times as long one took as the other, by round."""
    return Figure.of(mine.seconds / other.seconds for mine, other in zip(measured, reference, strict=True))


def peak_ratio(measured: Sequence[Measurement], reference: Sequence[Measurement]) -> Figure:
    """How many times as much memory one used as the other, by round."""
    return Figure.of(mine.peak_bytes / other.peak_bytes for mine, other in zip(measured, reference, strict=True))
