"""What the sensor keeps from one evaluation to the next: a small JSON text, which Dagster stores as its cursor."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, field
from typing import Final

from taxi_assets.source.raw_files import FileVersion

_FORMAT: Final = 2
_DIGITS: Final = 12


@dataclass
class PolledFile:
    """What is kept of one file. Times are seconds since 1970.

    Attributes:
        asked_at: When the source was last asked about it; 0 for never.
        version: Digest of the version whose load was last requested.
        requested_at: When that was.
        requests: How often the load of that version was requested.
    """

    asked_at: int = 0
    version: str = ""
    requested_at: int = 0
    requests: int = 0


@dataclass
class SensorCursor:
    """All that is kept.

    Attributes:
        files: By the file's path below the source.
        unanswered: How many evaluations in a row the source did not answer.
        paused_until: When it is asked again, in seconds since 1970.
    """

    files: dict[str, PolledFile] = field(default_factory=dict)
    unanswered: int = 0
    paused_until: int = 0

    def file(self, path: str) -> PolledFile:
        """What is kept of a file; an empty entry is added where there is none."""
        return self.files.setdefault(path, PolledFile())

    def to_text(self) -> str:
        """The text to store. What is 0 or empty is left out."""
        files = {
            path: {name: value for name, value in asdict(file).items() if value} for path, file in self.files.items()
        }
        facts = {
            "format": _FORMAT,
            "files": files,
            "unanswered": self.unanswered,
            "paused_until": self.paused_until,
        }
        return json.dumps(facts, separators=(",", ":"))


def read_cursor(text: str | None) -> SensorCursor:
    """The cursor that a text holds; an empty one, which costs some questions, where its format is not this one."""
    try:
        facts = json.loads(text or "{}")
        if facts["format"] != _FORMAT:
            return SensorCursor()
        return SensorCursor(
            files={path: PolledFile(**file) for path, file in facts["files"].items()},
            unanswered=int(facts["unanswered"]),
            paused_until=int(facts["paused_until"]),
        )
    except (KeyError, TypeError, ValueError, AttributeError):
        return SensorCursor()


def digest(origin: str, version: FileVersion) -> str:
    """A few digits that stand for one version of a file from one origin."""
    facts = json.dumps([origin, version.size, version.etag, version.last_modified])
    return hashlib.sha256(facts.encode()).hexdigest()[:_DIGITS]
