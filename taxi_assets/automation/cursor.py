"""What the sensor remembers from one evaluation to the next: a small JSON text, which Dagster keeps as its cursor."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, field
from typing import Final

from taxi_assets.source.files import FileVersion

_FORMAT: Final = 1
_DIGITS: Final = 12


@dataclass
class RecordedFile:
    """What is remembered of one file. Times are seconds since 1970.

    Attributes:
        asked: When the source was last asked about it; 0 for never.
        version: Digest of the version that was last requested to be loaded.
        requested: When that was.
        times: How often that version was requested.
    """

    asked: int = 0
    version: str = ""
    requested: int = 0
    times: int = 0


@dataclass
class SensorCursor:
    """All that is remembered.

    Attributes:
        files: By the file's path below the source.
        silent_times: How many evaluations in a row the source did not answer.
        silent_until: When it is asked again, in seconds since 1970.
    """

    files: dict[str, RecordedFile] = field(default_factory=dict)
    silent_times: int = 0
    silent_until: int = 0

    def of(self, path: str) -> RecordedFile:
        """What is remembered of a file; a memory of nothing is kept where there was none."""
        return self.files.setdefault(path, RecordedFile())

    def to_text(self) -> str:
        """The text to keep. What is 0 or empty is left out."""
        files = {
            path: {name: value for name, value in asdict(file).items() if value} for path, file in self.files.items()
        }
        facts = {
            "format": _FORMAT,
            "files": files,
            "silent_times": self.silent_times,
            "silent_until": self.silent_until,
        }
        return json.dumps(facts, separators=(",", ":"))


def read_cursor(cursor: str | None) -> SensorCursor:
    """What a text remembers; nothing where it is none of ours or of another format, which costs some questions."""
    try:
        facts = json.loads(cursor or "{}")
        if facts["format"] != _FORMAT:
            return SensorCursor()
        return SensorCursor(
            files={path: RecordedFile(**file) for path, file in facts["files"].items()},
            silent_times=int(facts["silent_times"]),
            silent_until=int(facts["silent_until"]),
        )
    except (KeyError, TypeError, ValueError, AttributeError):
        return SensorCursor()


def digest(origin: str, version: FileVersion) -> str:
    """A few digits that stand for one version of a file from one origin."""
    said = json.dumps([origin, version.size, version.etag, version.last_modified])
    return hashlib.sha256(said.encode()).hexdigest()[:_DIGITS]
