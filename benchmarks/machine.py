"""Describes the machine and the versions that figures depend on, without anything that identifies its owner."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

_BYTES_PER_GIB = 2**30


def machine() -> Mapping[str, str]:
    """Return the facts about the machine by their names."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {
        "date": str(datetime.now(UTC).date()),
        "processor": f"{_processor()}, {os.cpu_count()} cores",
        "memory": f"{memory / _BYTES_PER_GIB:.0f} GiB",
        "system": f"{platform.system()}, {platform.machine()}",
        "Python": platform.python_version(),
        **{title: version(package) for title, package in (("DuckDB", "duckdb"), ("Dagster", "dagster"))},
    }


def _processor() -> str:
    """The processor's model, as far as the system reports it."""
    facts = Path("/proc/cpuinfo")
    if facts.is_file():
        for line in facts.read_text(encoding="utf-8").splitlines():
            name, _, value = line.partition(":")
            if name.strip() == "model name":
                return value.strip()
    return platform.processor() or "unknown processor"
