"""Whether what arrived is a whole Parquet file of the feed, with the columns of the definition and types that fit."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from taxi_assets.errors import LandingError, LandingInterruptedError, UnexpectedContentError
from taxi_assets.source.header import defined_names
from taxi_assets.source.raw_files import RawFile
from taxi_assets.source.verify import Contents, damaged, is_web_page, require_size
from taxi_assets.taxis import Kind

_MAGIC: Final = b"PAR1"
_READER: Final = Path(__file__).with_name("read_parquet.py")
_SECONDS: Final = 600
_BYTES_PER_SECOND: Final = 1024 * 1024
_SIGNALS_OF_A_CRASH: Final = {
    signal.SIGABRT,
    signal.SIGSEGV,
    signal.SIGBUS,
    signal.SIGFPE,
    signal.SIGILL,
    signal.SIGTRAP,
}

_HOLDS: Final[Mapping[Kind, tuple[str, str]]] = {
    "integer": ("number", "a number"),
    "decimal": ("number", "a number"),
    "timestamp": ("timestamp", "a date and time without a time zone"),
    "text": ("text", "text"),
}
"""What a column of each kind must hold, in the reader's words and for messages."""


def verify_parquet(path: Path, file: RawFile, *, source: str, announced_size: int | None) -> Contents:
    """Read a whole Parquet file once, in bounded memory, and say what it holds.

    A process of its own reads it (``read_parquet.py``), so that a file which ends its reader does not end the run.

    A column may be missing if only the feed has it, may be spelt in any case, and may have any type from which its
    values can come unchanged; one without values may have no type. Columns that the definition doesn't know are
    counted.

    Args:
        path: Where the bytes are.
        file: What they should be.
        source: Name of the source, for messages.
        announced_size: Length that the source stated, in bytes.

    Raises:
        DamagedFileError: The bytes are not a whole Parquet file, or a page of it can't be read or is not as the footer
            says.
        UnexpectedContentError: Columns are missing, repeated or of another type, or the file has no rows.
        LandingInterruptedError: The reader was ended from outside, or took too long.
        LandingError: The file could not be read for a reason that is not in it.
        OSError: ``path`` can't be read.
    """
    where = f"{file.name} from {source}"
    size = require_size(path, where, announced_size)
    _require_both_ends(path, where)
    sha256, found = _read(path, where)
    if found["rows"] == 0:
        raise UnexpectedContentError(
            f"{where} holds columns but no rows: nothing of it was kept, choose another month or source."
        )
    columns = found["columns"]
    names = defined_names([column["name"] for column in columns], file, where, misfits=_misfits(columns, file))
    return Contents(
        size=size,
        sha256=sha256,
        csv_size=None,
        rows=found["rows"],
        header=tuple(names.values()),
        # Nothing separates the fields of a row here that a reader could misread.
        is_plain=True,
        unknown_columns={column["name"]: column["values"] for column in columns if column["name"] not in names},
    )


def _require_both_ends(path: Path, where: str) -> None:
    with path.open("rb") as stream:
        start = stream.read(256)
        stream.seek(-min(len(_MAGIC), path.stat().st_size), 2)
        end = stream.read()
    if is_web_page(start):
        raise damaged(where, "is a web page, not a Parquet file")
    if not start.startswith(_MAGIC):
        raise damaged(where, "is not a Parquet file")
    if end != _MAGIC:
        raise damaged(where, "is truncated (it does not end as a Parquet file does)")


def _read(path: Path, where: str) -> tuple[str, Mapping[str, Any]]:
    """SHA-256 of the file, and what the reader found in it."""
    seconds = _SECONDS + path.stat().st_size / _BYTES_PER_SECOND
    # -P keeps the modules beside the reader from taking the place of Python's own.
    command = [sys.executable, "-P", str(_READER), str(path)]
    # The limit of the reader's memory counts what is used only with the system's allocator.
    environment = {**os.environ, "ARROW_DEFAULT_MEMORY_POOL": "system"}
    with subprocess.Popen(  # noqa: S603 - our own program
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment
    ) as reader:
        try:
            sha256 = _sha256(path)
            output, errors = reader.communicate(timeout=seconds)
        except subprocess.TimeoutExpired as error:
            raise LandingInterruptedError(
                f"{where} could not be verified within {seconds:,.0f} s: nothing of it was kept; run again when this "
                "machine has less to do, and if it happens again choose another source with TAXI_SOURCE."
            ) from error
        finally:
            reader.kill()
    found = _result(reader.returncode, output, errors.decode(errors="replace"), where)
    if "damage" in found:
        raise damaged(where, found["damage"])
    return sha256, found


def _result(status: int, output: bytes, errors: str, where: str) -> Mapping[str, Any]:
    """What the reader printed, if it ended well.

    Raises:
        DamagedFileError: The file made it crash.
        LandingInterruptedError: A user or the system ended it.
        LandingError: It could not start.
    """
    if status == 0:
        result: Mapping[str, Any] = json.loads(output)
        return result
    if -status in _SIGNALS_OF_A_CRASH:
        name = signal.Signals(-status).name
        raise damaged(where, f"can't be read as Parquet because it makes the reader crash ({name})")
    if status < 0:
        raise LandingInterruptedError(
            f"{where} could not be verified because the process that read it was ended from outside (signal "
            f"{-status}): nothing of it was kept; run again, and if it happens again look whether this machine is "
            "short of memory."
        )
    cause = errors.strip().rpartition("\n")[2] or f"exit status {status}"
    raise LandingError(
        f"{where} could not be verified because Parquet can't be read here ({cause}): nothing of it was kept; repair "
        "the installation of pyarrow, then run again."
    )


def _sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _misfits(found: Sequence[Mapping[str, Any]], file: RawFile) -> Sequence[str]:
    """The columns that can't hold the values that their definition wants, described for people."""
    defined = {column.name.lower(): column for column in file.columns}
    pairs = [(column, defined[column["name"].lower()]) for column in found if column["name"].lower() in defined]
    return [
        f"{column.name} ({there['type']} instead of {_HOLDS[column.kind][1]})"
        for there, column in pairs
        if there["holds"] not in ("nothing", _HOLDS[column.kind][0])
    ]
