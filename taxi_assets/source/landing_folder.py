"""The landing zone as a folder of verified raw files, each with a manifest beside it."""

from __future__ import annotations

import errno
import hashlib
import logging
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Final

from filelock import FileLock, Timeout

from taxi_assets.errors import (
    DamagedFileError,
    LandingError,
    NotLandedError,
    SourceUnavailableError,
    TaxiAssetsError,
    UnexpectedContentError,
)
from taxi_assets.files import flush_to_disk, make_private_folder
from taxi_assets.progress import mib
from taxi_assets.source.landing_manifest import (
    manifest_path,
    read_manifest,
    read_manifest_of_file_as_noted,
    write_manifest,
)
from taxi_assets.source.origin import Origin
from taxi_assets.source.part import discard_part, discard_part_of_others, was_continued
from taxi_assets.source.raw_files import FileVersion, LandedFile, RawFile
from taxi_assets.source.verify import Contents, damaged, require_size, verify
from taxi_assets.waiting import InUse, wait_for

_PAUSE_SECONDS: Final = 0.1
_SWAP_SECONDS: Final = 1.0
_HASH_DIGITS: Final = 12


class _DamagedInPiecesError(DamagedFileError):
    """What arrived was refused, and came by several transfers, which may not have been of the same bytes."""


class FolderLandingZone:
    """A folder of verified files, laid out as their source: ``<folder>/<taxi>/<file>`` with ``<file>.json`` beside it.

    Only a file that agrees with its manifest counts as landed. Several threads and processes may use the same folder.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder.absolute()

    def land(self, file: RawFile, origin: Origin, log: logging.Logger) -> LandedFile:
        """See ``LandingZone.land``."""
        started = time.perf_counter()
        with self._translated_errors(file), self._exclusive(file, log):
            version = origin.version(file)
            kept = self._as_landed(file)
            if kept is not None and kept.origin == origin.name and kept.version.is_same_as(version):
                log.info("%s is unchanged at %s: nothing to fetch.", file.name, origin.name)
                return replace(kept, seconds=time.perf_counter() - started)
            log.info("%s: fetching from %s.", file.name, origin.name)
            landed = self._fetch(file, origin, version, log)
            seconds = time.perf_counter() - started
            log.info(
                "%s: %s MiB, %s rows, verified in %.1f s.", file.name, mib(landed.size), f"{landed.rows:,}", seconds
            )
            return replace(landed, seconds=seconds)

    def landed(self, file: RawFile) -> LandedFile:
        """See ``LandingZone.landed``."""
        landed = self._as_landed(file) or self._as_landed_after_swap(file)
        if landed is not None:
            return landed
        where = f"in the landing zone {self._folder}: materialize {file.landed_by} first."
        if not self.path_of(file).exists():
            raise NotLandedError(f"{file.name} is not {where}")
        raise LandingError(f"{file.name} was changed after it was verified {where}")

    def known(self, file: RawFile) -> LandedFile | None:
        """See ``LandingZone.known``."""
        return read_manifest(self.path_of(file))

    def purge(self, file: RawFile) -> bool:
        """See ``LandingZone.purge``."""
        path = self.path_of(file)
        if not path.exists():
            return False
        with self._translated_errors(file), self._exclusive(file, logging.getLogger(__name__)):
            there_was_one = path.exists()
            path.unlink(missing_ok=True)
            return there_was_one

    def forget(self, file: RawFile, *, origin: str) -> bool:
        """See ``LandingZone.forget``."""
        path = self.path_of(file)
        if not manifest_path(path).exists():
            return False
        with self._translated_errors(file), self._exclusive(file, logging.getLogger(__name__)):
            noted = read_manifest(path)
            if noted is None or noted.origin != origin:
                return False
            if path.exists() and read_manifest_of_file_as_noted(path) is None:
                return False
            # The note goes last: if this is interrupted, the next call finds it.
            path.unlink(missing_ok=True)
            manifest_path(path).unlink()
            return True

    def path_of(self, file: RawFile) -> Path:
        """Where the file lies, or would."""
        return self._folder / file.path

    def copy_of(self, file: RawFile, landed: LandedFile, fetch: Callable[[Path], None], log: logging.Logger) -> Path:
        """The path of a copy of a file that was verified elsewhere; it is fetched unless the same bytes are here.

        Args:
            file: The file.
            landed: What was noted of it when it was verified.
            fetch: Writes its bytes to a path.
            log: Where a message says that another run is fetching it.

        Raises:
            DamagedFileError: Other bytes were fetched than those that were verified.
            LandingError: The folder can't be written, or is full.
        """
        path = self.path_of(file)
        with self._translated_errors(file), self._exclusive(file, log):
            kept = self._as_landed(file)
            if kept is not None and kept.sha256 == landed.sha256:
                return path
            part = path.with_name(f"{path.name}.part")
            discard_part(part)
            try:
                fetch(part)
                _require_bytes(part, file, landed)
                flush_to_disk(part)
            except BaseException:
                discard_part(part)
                raise
            self._give_name(part, replace(landed, path=path))
        return path

    def _lock(self, file: RawFile) -> FileLock:
        path = self.path_of(file)
        return FileLock(path.with_name(f".{path.name}.lock"))

    def _as_landed(self, file: RawFile) -> LandedFile | None:
        """The file as noted, if it was not changed since and has the columns that are needed."""
        noted = read_manifest_of_file_as_noted(self.path_of(file))
        return noted if noted is not None and file.fits(noted) else None

    def _as_landed_after_swap(self, file: RawFile) -> LandedFile | None:
        """The same, if a newer file is just taking its place: for that moment file and manifest disagree."""
        path = self.path_of(file)
        if not path.exists() or not manifest_path(path).exists():
            return None
        with suppress(Timeout, OSError), self._lock(file).acquire(timeout=_SWAP_SECONDS):
            return self._as_landed(file)
        return None

    def _fetch(self, file: RawFile, origin: Origin, announced: FileVersion, log: logging.Logger) -> LandedFile:
        path = self.path_of(file)
        part = path.with_name(f"{path.name}.part")
        discard_part_of_others(part, origin.name)
        try:
            try:
                return self._fetch_into(part, file, origin, announced, log)
            except _DamagedInPiecesError as error:
                log.warning("%s came in several pieces: fetching it again as a whole, because %s", file.name, error)
                return self._fetch_into(part, file, origin, announced, log)
        except (DamagedFileError, UnexpectedContentError) as error:
            error.refused_version = announced.digest(origin.name)
            raise

    def _fetch_into(
        self, part: Path, file: RawFile, origin: Origin, announced: FileVersion, log: logging.Logger
    ) -> LandedFile:
        try:
            fetched = origin.fetch(file, part, log)
        except SourceUnavailableError:
            raise  # the part is continued next time, as it is after an interruption
        except Exception:
            discard_part(part)
            raise
        try:
            landed = _verified(part, file, origin, path=self.path_of(file), announced=announced, fetched=fetched)
            flush_to_disk(part)
        except (DamagedFileError, UnexpectedContentError) as error:
            is_in_pieces = was_continued(part)
            discard_part(part)
            if is_in_pieces:
                raise _DamagedInPiecesError(str(error)) from error
            raise
        except BaseException:
            discard_part(part)
            raise
        self._give_name(part, landed)
        return landed

    def _give_name(self, part: Path, landed: LandedFile) -> None:
        part.replace(landed.path)
        discard_part(part)
        write_manifest(landed)
        flush_to_disk(landed.path.parent)

    @contextmanager
    def _exclusive(self, file: RawFile, log: logging.Logger) -> Iterator[None]:
        """Keep other threads and processes from landing the same file; the lock ends with its process."""
        make_private_folder(self.path_of(file).parent)
        lock = self._lock(file)

        def acquire() -> None:
            try:
                lock.acquire(blocking=False)
            except Timeout as error:
                raise InUse(f"another run that is landing it ({lock.lock_file})") from error

        wait_for(acquire, what=file.name, log=log, pause_seconds=_PAUSE_SECONDS)
        try:
            yield
        finally:
            lock.release()

    @contextmanager
    def _translated_errors(self, file: RawFile) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise LandingError(
                f"{file.name} can't be written to the landing zone {self._folder} ({_reason(error)}; "
                f"{self._free()} free): {_remedy(error)}."
            ) from error

    def _free(self) -> str:
        for folder in (self._folder, *self._folder.parents):
            with suppress(OSError):
                return f"{mib(shutil.disk_usage(folder).free)} MiB"
        return "an unknown number of MiB"


def _verified(
    part: Path, file: RawFile, origin: Origin, *, path: Path, announced: FileVersion, fetched: FileVersion
) -> LandedFile:
    where = f"{file.name} from {origin.name}"
    try:
        contents = _contents(part, file, origin, fetched)
    except (TaxiAssetsError, OSError):
        raise
    except Exception as error:
        raise damaged(where, f"can't be verified ({type(error).__name__})") from error
    changed = replace(announced, size=None).contradicts(fetched)
    if not changed:
        # What was sent may state a shorter length, or none.
        require_size(part, where, announced.size)
    return LandedFile(
        path=path,
        origin=origin.name,
        version=fetched if changed else announced,
        size=contents.size,
        sha256=contents.sha256,
        csv_size=contents.csv_size,
        rows=contents.rows,
        header=contents.header,
        is_plain=contents.is_plain,
        notes=(*_compared_with_published(contents.sha256, file, origin), *_unknown_columns(contents)),
        unknown_columns=contents.unknown_columns,
    )


def _contents(part: Path, file: RawFile, origin: Origin, version: FileVersion) -> Contents:
    if not file.is_parquet:
        return verify(part, file, source=origin.name, announced_size=version.size)
    # Reading Parquet takes a library that the release's files don't need.
    from taxi_assets.source.verify_parquet import verify_parquet  # noqa: PLC0415

    return verify_parquet(part, file, source=origin.name, announced_size=version.size)


def _compared_with_published(sha256: str, file: RawFile, origin: Origin) -> tuple[str, ...]:
    """A note if the bytes are not those that are known to have been published.

    Raises:
        DamagedFileError: They are not, although they come from the release itself.
    """
    known = file.published.gz_sha256 if file.published is not None else None
    if known is None or known == sha256:
        return ()
    got, expected = sha256[:_HASH_DIGITS], known[:_HASH_DIGITS]
    if origin.is_release:
        raise DamagedFileError(
            f"{file.name} from {origin.name} is not the published file (sha256 {got}… instead of {expected}…): nothing "
            "of it was kept, so fetch it again, and if it happens again, find out why the release was changed."
        )
    return (f"differs from the published file (sha256 {got}… instead of {expected}…): a sample or a mirror.",)


def _unknown_columns(contents: Contents) -> tuple[str, ...]:
    if not contents.unknown_columns:
        return ()
    counted = ", ".join(f"{name} ({values:,} values)" for name, values in contents.unknown_columns.items())
    return (f"has columns that the definition doesn't describe: {counted}.",)


def _require_bytes(path: Path, file: RawFile, landed: LandedFile) -> None:
    with path.open("rb") as stream:
        found = hashlib.file_digest(stream, "sha256").hexdigest()
    if found != landed.sha256:
        raise DamagedFileError(
            f"The copy of {file.name} is not what was verified (sha256 {found[:_HASH_DIGITS]}… instead of "
            f"{landed.sha256[:_HASH_DIGITS]}…): run again, and if it happens again, materialize {file.landed_by} again."
        )


def _reason(error: OSError) -> str:
    return error.strerror or type(error).__name__


def _remedy(error: OSError) -> str:
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return "make room there, or choose a folder on another disk"
    return "check that it is a folder you may write to, or choose another one"
