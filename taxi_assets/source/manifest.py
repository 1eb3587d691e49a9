"""What is noted beside a landed file: a JSON file that people can read, and that says whether the file is still it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from taxi_assets.files import write_whole
from taxi_assets.source.files import FileVersion, LandedFile


def manifest_path(path: Path) -> Path:
    """Where the manifest of the landed file at ``path`` lies."""
    return path.with_name(f"{path.name}.json")


def manifest_of(landed: LandedFile) -> dict[str, Any]:
    """What is noted of a landed file, wherever it is kept, as values that JSON can hold."""
    facts = asdict(landed)
    for of_the_call_only in ("path", "fetched", "seconds"):
        del facts[of_the_call_only]
    facts["landed_at"] = datetime.now(UTC).isoformat(timespec="seconds")
    return facts


def landed_file(path: Path, facts: Mapping[str, Any]) -> LandedFile | None:
    """The file at ``path`` as it was noted, or None where what was noted is not readable."""
    try:
        return LandedFile(
            path=path,
            origin=facts["origin"],
            version=FileVersion(**facts["version"]),
            size=facts["size"],
            sha256=facts["sha256"],
            csv_size=facts["csv_size"],
            rows=facts["rows"],
            header=tuple(facts["header"]),
            is_plain=facts["is_plain"],
            notes=tuple(facts["notes"]),
            unknown_columns=facts.get("unknown_columns", {}),
            fetched=False,
        )
    except (KeyError, TypeError):
        return None


def write_manifest(landed: LandedFile) -> None:
    """Note what landed, in one step: a reader finds the old manifest or the new one.

    Raises:
        OSError: The folder can't be written.
    """
    facts = manifest_of(landed)
    facts["mtime_ns"] = landed.path.stat().st_mtime_ns
    write_whole(manifest_path(landed.path), json.dumps(facts, indent=2, ensure_ascii=False) + "\n", flush=True)


def read_manifest(path: Path) -> LandedFile | None:
    """What was noted of the landed file at ``path``, or None where nothing readable was."""
    return landed_file(path, _facts(path))


def read_manifest_of_file_as_noted(path: Path) -> LandedFile | None:
    """The same, if the file is there and still the one that was noted, by its length and time of change; else None."""
    facts = _facts(path)
    try:
        status = path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    if (status.st_size, status.st_mtime_ns) != (facts.get("size"), facts.get("mtime_ns")):
        return None
    return landed_file(path, facts)


def _facts(path: Path) -> Mapping[str, Any]:
    try:
        facts = json.loads(manifest_path(path).read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return {}
    return facts if isinstance(facts, dict) else {}
