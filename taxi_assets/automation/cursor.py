"""What the sensor keeps from one evaluation to the next: a short text, which Dagster stores and shows as its cursor."""

from __future__ import annotations

import base64
import json
import zlib
from dataclasses import asdict, dataclass, field
from typing import Any, Final

_FORMAT: Final = 3
_PREFIX: Final = f"{_FORMAT}:"
_UNCOMPRESSED_FORMAT: Final = 2


@dataclass
class PolledFile:
    """What is kept of one file. Times are seconds since 1970.

    Attributes:
        asked_at: When the source was last asked about it; 0 for never.
        version: Digest of the version whose load was last requested; empty where none is waited for.
        requested_at: When that was.
        requests: How often the load of that version was requested.
    """

    asked_at: int = 0
    version: str = ""
    requested_at: int = 0
    requests: int = 0

    def forget_request(self) -> None:
        """Keep nothing of a request that is done."""
        self.version, self.requested_at, self.requests = "", 0, 0


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
        """The text to store. It is compressed, because Dagster's page of the sensor shows it as a whole."""
        files = {
            path: {name: value for name, value in asdict(file).items() if value}
            for path, file in sorted(self.files.items())
        }
        facts = {"files": files, "unanswered": self.unanswered, "paused_until": self.paused_until}
        packed = zlib.compress(json.dumps(facts, separators=(",", ":")).encode(), 9)
        return _PREFIX + base64.urlsafe_b64encode(packed).decode("ascii")


def read_cursor(text: str | None) -> SensorCursor:
    """The cursor that a text holds; an empty one, which costs some questions, where its format is not known."""
    try:
        facts = _facts(text or "")
        return SensorCursor(
            files={path: PolledFile(**file) for path, file in facts["files"].items()},
            unanswered=int(facts["unanswered"]),
            paused_until=int(facts["paused_until"]),
        )
    except (KeyError, TypeError, ValueError, AttributeError, zlib.error):
        return SensorCursor()


def _facts(text: str) -> dict[str, Any]:
    if text.startswith(_PREFIX):
        return dict(json.loads(zlib.decompress(base64.urlsafe_b64decode(text.removeprefix(_PREFIX)))))
    facts = dict(json.loads(text))
    if facts["format"] != _UNCOMPRESSED_FORMAT:
        raise ValueError(f"a cursor of the format {facts['format']}")
    return facts
