"""Remembers the ids of trips while they are streamed, in little memory, to find the trips that may be repeats."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

ID_TYPE: Final = pa.binary(16)
_BITS_PER_ID: Final = 64
_FEWEST_BITS: Final = 2**16
_MOST_BITS: Final = 2**30


class SeenIds:
    """A Bloom filter of ids: it knows every id that it has seen, and takes a few others for seen.

    An id is a hash already, so its two halves choose the two bits that stand for it. With 64 bits for each id, about
    one new id in a thousand is taken for seen; with the 128 MiB that the filter may use at most, one in six hundred of
    20 million.
    """

    def __init__(self, expected: int) -> None:
        """Make room for about so many ids."""
        wanted = min(max(expected * _BITS_PER_ID, _FEWEST_BITS), _MOST_BITS)
        bits = 1 << (wanted - 1).bit_length()
        self._mask = np.uint64(bits - 1)
        self._bytes = np.zeros(bits // 8, dtype=np.uint8)

    def add(self, ids: pa.FixedSizeBinaryArray) -> npt.NDArray[np.bool_]:
        """Add ids of sixteen bytes each, and return for each whether it may repeat an earlier one, of any call."""
        halves = _halves(ids)
        seen = np.ones(len(halves), dtype=np.bool_)
        places = []
        for half in (halves[:, 0], halves[:, 1]):
            bits = half & self._mask
            places.append(
                ((bits >> np.uint64(3)).astype(np.intp), np.uint8(1) << (bits & np.uint64(7)).astype(np.uint8))
            )
        for byte, bit in places:
            seen &= (self._bytes[byte] & bit) != 0
        for byte, bit in places:
            np.bitwise_or.at(self._bytes, byte, bit)
        return seen | _repeats_within(halves[:, 0])


def as_ids(count: int, data: pa.Buffer, *, offset: int = 0) -> pa.FixedSizeBinaryArray:
    """An array of ``count`` ids of sixteen bytes each, starting at the id ``offset`` of a buffer."""
    return pa.FixedSizeBinaryArray.from_buffers(ID_TYPE, count, [None, data], offset=offset)


def _repeats_within(numbers: npt.NDArray[np.uint64]) -> npt.NDArray[np.bool_]:
    """For each number, whether it stands further ahead already."""
    in_order = np.sort(numbers)
    repeats = np.zeros(len(numbers), dtype=np.bool_)
    # Most batches have none, and sorting without places is several times faster.
    if (in_order[1:] == in_order[:-1]).any():
        _, first = np.unique(numbers, return_index=True)
        repeats[:] = True
        repeats[first] = False
    return repeats


def _halves(ids: pa.FixedSizeBinaryArray) -> npt.NDArray[np.uint64]:
    numbers = np.frombuffer(ids.buffers()[1], dtype=np.uint64).reshape(-1, 2)
    return numbers[ids.offset : ids.offset + len(ids)]
