"""The landing zone: the folder where verified raw files lie, each with a manifest beside it."""

from __future__ import annotations

import errno
import logging
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Final

from filelock import FileLock, Timeout

from taxi_assets.errors import (
    DamagedFileError,
    LandingError,
    NotPublishedError,
    UnexpectedContentError,
)
from taxi_assets.source.files import FileVersion, LandedFile, RawFile
from taxi_assets.source.manifest import (
    flush_to_disk,
    manifest_path,
    read_manifest,
    read_manifest_of_file_as_noted,
    write_manifest,
)
from taxi_assets.source.origin import Origin
from taxi_assets.source.part import discard_part, discard_part_of_others
from taxi_assets.source.progress import mib
from taxi_assets.source.verify import verify

_SWAP_SECONDS: Final = 1.0
_HASH_DIGITS: Final = 12


class LandingZone:
    """A folder of verified files, laid out as their source: ``<folder>/<taxi>/<file>`` with ``<file>.json`` beside it.

    Only a file that agrees with its manifest counts as landed. Several threads and processes may use the same folder.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder.absolute()

    def land(self, file: RawFile, origin: Origin, log: logging.Logger) -> LandedFile:
        """Make sure that the source's current version of the file lies here, verified.

        What had landed before stays until the new file is verified; it is returned, without any transfer, only if the
        source says that it is still current.

        Raises:
            NotPublishedError: The source does not offer the file.
            SourceUnavailableError: The source does not answer or broke off too often, even if an older file lies here.
            DamagedFileError: What arrived is not the whole file, or differs from the published one.
            UnexpectedContentError: Its columns are not those of the definition.
            LandingError: The folder can't be written, or is full.
        """
        started = time.perf_counter()
        with self._writing(file), self._alone(file, log):
            version = origin.version(file)
            kept = self._as_landed(file)
            if kept is not None and kept.origin == origin.name and kept.version.is_same_as(version):
                log.info("%s is unchanged at %s: nothing to fetch.", file.name, origin.name)
                return replace(kept, seconds=time.perf_counter() - started)
            log.info("%s: fetching from %s.", file.name, origin.name)
            landed = self._fetch(file, origin, log)
            seconds = time.perf_counter() - started
            log.info(
                "%s: %s MiB, %s rows, verified in %.1f s.", file.name, mib(landed.size), f"{landed.rows:,}", seconds
            )
            return replace(landed, seconds=seconds)

    def landed(self, file: RawFile) -> LandedFile:
        """The file that lies here.

        Raises:
            LandingError: It never landed, was purged, or is no longer what was verified.
        """
        landed = self._as_landed(file) or self._as_landed_after_swap(file)
        if landed is not None:
            return landed
        path = self._path(file)
        what = "was changed after it was verified" if path.exists() else "does not lie"
        raise LandingError(
            f"{file.name} {what} in the landing zone {self._folder}: materialize {file.landed_by} first."
        )

    def known(self, file: RawFile) -> LandedFile | None:
        """What the manifest says of the file, even when the file itself was purged; None if it never landed."""
        return read_manifest(self._path(file))

    def purge(self, file: RawFile) -> bool:
        """Delete the file and keep its manifest; True if there was a file.

        Raises:
            LandingError: The folder can't be written.
        """
        path = self._path(file)
        if not path.exists():
            return False
        with self._writing(file), self._alone(file, logging.getLogger(__name__)):
            there_was_one = path.exists()
            path.unlink(missing_ok=True)
            return there_was_one

    def _path(self, file: RawFile) -> Path:
        return self._folder / file.path

    def _lock(self, file: RawFile) -> FileLock:
        path = self._path(file)
        return FileLock(path.with_name(f".{path.name}.lock"))

    def _as_landed(self, file: RawFile) -> LandedFile | None:
        """The file as noted, if it is still so and still has the columns that are asked for."""
        noted = read_manifest_of_file_as_noted(self._path(file))
        return noted if noted is not None and set(noted.header) == set(file.header) else None

    def _as_landed_after_swap(self, file: RawFile) -> LandedFile | None:
        """The file, where a newer one was just taking its place: file and manifest disagree for that moment only."""
        path = self._path(file)
        if not path.exists() or not manifest_path(path).exists():
            return None
        with suppress(Timeout, OSError), self._lock(file).acquire(timeout=_SWAP_SECONDS):
            return self._as_landed(file)
        return None

    def _fetch(self, file: RawFile, origin: Origin, log: logging.Logger) -> LandedFile:
        path = self._path(file)
        part = path.with_name(f"{path.name}.part")
        discard_part_of_others(part, origin.name)
        try:
            version = origin.fetch(file, part, log)
            landed = _verified(part, path, file, origin, version)
            flush_to_disk(part)
        except (NotPublishedError, DamagedFileError, UnexpectedContentError, OSError):
            # A part that stays would be continued; only a broken connection leaves one that is worth it.
            discard_part(part)
            raise
        part.replace(path)
        discard_part(part)
        write_manifest(landed)
        _flush_folder(path.parent)
        return landed

    @contextmanager
    def _alone(self, file: RawFile, log: logging.Logger) -> Iterator[None]:
        """Keep other threads and processes from landing the same file; whoever dies lets go of it."""
        self._path(file).parent.mkdir(parents=True, exist_ok=True)
        lock = self._lock(file)
        try:
            lock.acquire(blocking=False)
        except Timeout:
            log.info("%s: waiting for another run that is landing it (%s).", file.name, lock.lock_file)
            lock.acquire(poll_interval=0.1)
        try:
            yield
        finally:
            lock.release()

    @contextmanager
    def _writing(self, file: RawFile) -> Iterator[None]:
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


def _verified(part: Path, path: Path, file: RawFile, origin: Origin, version: FileVersion) -> LandedFile:
    contents = verify(part, file, source=origin.name, announced_size=version.size)
    return LandedFile(
        path=path,
        origin=origin.name,
        version=version,
        size=contents.size,
        sha256=contents.sha256,
        csv_size=contents.csv_size,
        rows=contents.rows,
        header=contents.header,
        is_plain=contents.is_plain,
        notes=_compared_with_published(contents.sha256, file, origin),
    )


def _compared_with_published(sha256: str, file: RawFile, origin: Origin) -> tuple[str, ...]:
    """Notes on how the bytes compare with those that are known to have been published.

    Raises:
        DamagedFileError: They come from the release itself and are others.
    """
    known = file.published.gz_sha256 if file.published is not None else None
    if known is None or known == sha256:
        return ()
    got, expected = sha256[:_HASH_DIGITS], known[:_HASH_DIGITS]
    if origin.is_release:
        raise DamagedFileError(
            f"{file.name} from {origin.name} is not the published file (sha256 {got}… instead of {expected}…): nothing "
            "of it was kept, so fetch it again, and if it stays so, find out why the release was changed."
        )
    return (f"differs from the published file (sha256 {got}… instead of {expected}…): a sample or a mirror.",)


def _reason(error: OSError) -> str:
    return error.strerror or type(error).__name__


def _remedy(error: OSError) -> str:
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return "make room there, or choose a folder on another disk"
    return "check that it is a folder you may write to, or choose another one"


def _flush_folder(folder: Path) -> None:
    """Wait until renames in the folder are on the disk, where the system can do that."""
    if os.name != "posix":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
