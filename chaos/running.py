"""Runs the cases of a family in several lanes at once, and tells how far it is."""

from __future__ import annotations

import itertools
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Protocol

from chaos.lanes import Lane, Servers
from chaos.outcomes import Outcome, Result

_SECONDS_BETWEEN_MESSAGES = 15.0


class Family(Protocol):
    """Cases of one kind.

    Attributes:
        name: The family's name.
        title: What its table is headed.
    """

    name: str
    title: str

    def skipped(self) -> Mapping[str, str]:
        """Why a kind of fault can't be made here, by its name."""
        ...

    def lane(self, folder: Path, servers: Servers) -> Lane:
        """A lane for its cases."""
        ...

    def run(self, number: int, seed: str, lane: Lane) -> Result:
        """Do the case of that number."""
        ...


def run_family(
    family: Family,
    numbers: Sequence[int],
    seed: str,
    *,
    folder: Path,
    servers: Servers,
    lanes: int,
    say: Callable[[str], None],
    tell: Callable[[Result], Any],
) -> list[Result]:
    """Do all cases, and return what became of them in the order of their numbers.

    Args:
        family: The family.
        numbers: Numbers of the cases.
        seed: What the cases are made from.
        folder: Where lanes have their folders.
        servers: What lanes share.
        lanes: How many work at once.
        say: Where a line about the progress goes.
        tell: What is called with each result as it comes.
    """
    progress = _Progress(family.name, len(numbers), say)
    left = _Shared(numbers)
    results: list[Result] = []
    guard = threading.Lock()

    def work(lane_number: int) -> None:
        lane = family.lane(folder / f"{family.name}-{lane_number}", servers)
        try:
            for number in left:
                result = family.run(number, seed, lane)
                with guard:
                    results.append(result)
                    tell(result)
                    progress.add(result)
        finally:
            lane.close()

    with ThreadPoolExecutor(lanes) as pool:
        for future in [pool.submit(work, number) for number in range(lanes)]:
            future.result()
    return sorted(results, key=lambda result: result.case.number)


class _Shared:
    """Numbers that threads share out among themselves."""

    def __init__(self, numbers: Sequence[int]) -> None:
        self._numbers = iter(numbers)
        self._guard = threading.Lock()

    def __iter__(self) -> Iterator[int]:
        for _ in itertools.count():
            with self._guard:
                number = next(self._numbers, None)
            if number is None:
                return
            yield number


class _Progress:
    """Tells now and then how far it is."""

    def __init__(self, name: str, count: int, say: Callable[[str], None]) -> None:
        self._name, self._count, self._say = name, count, say
        self._tally: Counter[Outcome] = Counter()
        self._start = self._last = time.monotonic()

    def add(self, result: Result) -> None:
        self._tally[result.outcome] += 1
        done = self._tally.total()
        now = time.monotonic()
        if now - self._last >= _SECONDS_BETWEEN_MESSAGES or done == self._count:
            self._last = now
            left = (now - self._start) / done * (self._count - done)
            tally = ", ".join(f"{self._tally[outcome]} {outcome.value}" for outcome in Outcome if self._tally[outcome])
            self._say(f"{self._name}: {done} of {self._count}, {tally}; {left:,.0f} s left")
