"""The sample's only source of randomness, which gives the same values for ever.

Everything is integer arithmetic on the raw bits of PCG64, which numpy promises never to change. The results of its
``Generator`` methods may differ between versions, and those of floating-point functions between platforms.
"""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256
from itertools import pairwise

import numpy as np
import numpy.typing as npt

Integers = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]
Text = npt.NDArray[np.bytes_]

_CURVE_STEPS = 10_000


class Draws:
    """A stream of columns of random integers, the same whenever its name and the columns' length are the same."""

    def __init__(self, name: str, size: int) -> None:
        self._bits = np.random.PCG64(int.from_bytes(sha256(name.encode()).digest()[:16], "big"))
        self._size = size

    def below(self, bound: int) -> Integers:
        """One integer per row, evenly from 0 to ``bound`` - 1; ``bound`` must lie below 2**31."""
        upper_half = (self._bits.random_raw(self._size) >> np.uint64(32)).astype(np.int64)
        return (upper_half * bound) >> 32

    def pick(self, table: Integers) -> Integers:
        """One value of the table per row, each entry as likely as any other."""
        return table[self.below(len(table))]

    def chance(self, per_mille: int) -> Mask:
        """True for that many rows in a thousand, on average."""
        return self.below(1000) < per_mille


def weighted(weights: Mapping[int, int]) -> Integers:
    """A table to ``pick`` from that has each value as many times as its weight says."""
    return np.repeat(np.array(list(weights), np.int64), list(weights.values()))


def curve(quantiles: Mapping[int, int]) -> Integers:
    """A table to ``pick`` from whose values follow the quantiles, with straight lines in between.

    Args:
        quantiles: From ten-thousandths to values, from 0 to 10,000, in ascending order.
    """
    table = np.empty(_CURVE_STEPS, np.int64)
    knots = list(quantiles.items())
    for (start, low), (end, high) in pairwise(knots):
        table[start:end] = low + (high - low) * np.arange(end - start) // (end - start)
    return table


def shuffled(name: str, values: list[int]) -> list[int]:
    """The values in an order that depends on nothing but the name and the values themselves."""
    return sorted(values, key=lambda value: sha256(f"{name}/{value}".encode()).digest())
