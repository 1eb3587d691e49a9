"""Which tests ``make quick`` runs: those that need nothing but this process, each with its first case only."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterator, Sequence
from types import ModuleType

import pytest

from taxi_assets_tests.paths import needs_real_data

NEED_MORE = frozenset({"a_year", "chaos", "dbt", "deployment", "environments", "gcp", "postgres", "zetasql"})
"""Folders and modules whose tests need servers or virtual environments of their own, or a minute."""

_PROGRAMS = "subprocess"
_CHILDREN = "processes"
"""The function of ``taxi_assets_tests.project`` for child processes."""


def quick(items: Sequence[pytest.Item]) -> Iterator[pytest.Item]:
    """The tests that are neither in ``NEED_MORE`` nor start processes nor read published files, one case of each."""
    seen = set()
    for item in items:
        function = (item.path, getattr(item, "originalname", item.name))
        if function in seen or _needs_more(item):
            continue
        seen.add(function)
        yield item


def _needs_more(item: pytest.Item) -> bool:
    names = {*item.path.parent.parts, item.path.stem.removeprefix("test_")}
    reads_published_files = any(mark == needs_real_data.mark for mark in item.iter_markers())
    return reads_published_files or not NEED_MORE.isdisjoint(names) or _starts_processes(inspect.getmodule(item.obj))


def _starts_processes(module: ModuleType | None) -> bool:
    """Whether a module, or one of the tests' modules that it imports from, starts processes."""
    imported = (sys.modules.get(getattr(value, "__module__", "") or "") for value in vars(module).values())
    ours = {each for each in imported if each and each.__name__.startswith("taxi_assets_tests.")}
    return any(_uses_processes(each) for each in {module, *ours})


def _uses_processes(module: ModuleType) -> bool:
    names = vars(module)
    return _PROGRAMS in names or (_CHILDREN in names and names[_CHILDREN].__module__ != module.__name__)
