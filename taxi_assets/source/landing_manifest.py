"""What is noted of a landed file: JSON that people can read, and that tells whether the file is still the same."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from taxi_assets.errors import LandingError
from taxi_assets.files import write_whole
from taxi_assets.source.raw_files import FileVersion, LandedFile

_RULES: Final = 2
"""Raise it with every change to what a plain file is, so that files that landed before are read with care."""


def manifest_path(path: Path) -> Path:
    """Where the manifest of the landed file at ``path`` lies."""
    return path.with_name(f"{path.name}.json")


def manifest_of(landed: LandedFile) -> dict[str, Any]:
    """What is noted of a landed file, as values that JSON can hold."""
    facts = asdict(landed)
    for of_the_call_only in ("path", "fetched", "seconds"):
        del facts[of_the_call_only]
    facts["rules"] = _RULES
    facts["landed_at"] = datetime.now(UTC).isoformat(timespec="seconds")
    return facts


def landed_file(path: Path, facts: Mapping[str, Any]) -> LandedFile | None:
    """The file at ``path`` as it was noted, or None where the note can't be read."""
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
            is_plain=facts["is_plain"] and facts.get("rules") == _RULES,
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
    """What was noted of the landed file at ``path``, or None if the note is missing or is not one of this project's.

    Raises:
        LandingError: The disk or its permissions keep it from being read.
    """
    return landed_file(path, _facts(path))


def read_manifest_of_file_as_noted(path: Path) -> LandedFile | None:
    """The same, if the file is there and has the length and time of change that were noted; else None.

    Raises:
        LandingError: The disk or its permissions keep the note or the file from being looked at.
    """
    facts = _facts(path)
    try:
        status = path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise _cannot_read(path, error) from error
    if (status.st_size, status.st_mtime_ns) != (facts.get("size"), facts.get("mtime_ns")):
        return None
    return landed_file(path, facts)


def _facts(path: Path) -> Mapping[str, Any]:
    try:
        facts = json.loads(manifest_path(path).read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return {}
    except OSError as error:
        raise _cannot_read(manifest_path(path), error) from error
    return facts if isinstance(facts, dict) else {}


def _cannot_read(path: Path, error: OSError) -> LandingError:
    cause = error.strerror or type(error).__name__
    return LandingError(
        f"{path} can't be read ({cause}): nothing was changed; check the disk and the permissions of the landing zone, "
        "then run again."
    )
