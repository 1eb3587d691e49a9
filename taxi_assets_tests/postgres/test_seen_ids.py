"""The filter that finds possible repeats while a month is streamed to PostgreSQL."""

from __future__ import annotations

from hashlib import md5

import numpy as np
import pyarrow as pa
import pytest

from taxi_assets.warehouses.postgres.seen_ids import ID_TYPE, SeenIds


def ids(numbers) -> pa.FixedSizeBinaryArray:
    return pa.array([md5(str(number).encode()).digest() for number in numbers], type=ID_TYPE)


@pytest.mark.parametrize("expected", [0, 100, 20_000], ids=["too few", "still too few", "as announced"])
def test_it_knows_every_id_again(expected: int):
    seen = SeenIds(expected)
    for start in range(0, 20_000, 1_000):
        seen.add(ids(range(start, start + 1_000)))
    assert seen.add(ids(range(20_000))).all()


def test_it_takes_few_new_ids_for_known():
    seen = SeenIds(20_000)
    taken = sum(int(seen.add(ids(range(start, start + 1_000))).sum()) for start in range(0, 20_000, 1_000))
    assert taken < 60


def test_of_repeats_in_one_batch_only_the_first_is_new():
    assert seen_in(SeenIds(10), [1, 2, 1, 3, 2, 1]) == [False, False, True, False, True, True]


def test_a_part_of_an_array_is_added_alone():
    seen = SeenIds(10)
    seen.add(ids([1, 2, 3, 4]).slice(1, 2))
    assert seen_in(seen, [1, 2, 3, 4]) == [False, True, True, False]


def test_its_memory_is_bounded():
    assert SeenIds(10**12)._bytes.nbytes == 128 * 1024**2


def seen_in(seen: SeenIds, numbers: list[int]) -> list[bool]:
    return np.asarray(seen.add(ids(numbers))).tolist()
