"""Disks that are full, turn read-only or vanish, as file systems of their own that root can mount.

Mounts are made in a mount namespace of the suite's own, so that nothing is left of them when it ends, however it ends.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import shutil
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final, Literal

_CLONE_NEWNS: Final = 0x00020000
_EXT4_SHUTDOWN: Final = 0x8004587D
_NO_LOG_FLUSH: Final = 2
_MIB: Final = 1024 * 1024

FileSystem = Literal["tmpfs", "ext4", "btrfs", "thin"]
SIZES: Final = {"tmpfs": 24 * _MIB, "ext4": 32 * _MIB, "btrfs": 48 * _MIB, "thin": 32 * _MIB}


class _Namespace:
    """Whether this process has a mount namespace of its own.

    Attributes:
        why_not: Why it has none, or empty.
    """

    why_not = "the process has no mount namespace of its own"


def enter_namespace() -> None:
    """Give this process a mount namespace of its own, if it may have one.

    It must have neither threads nor children yet: those that there are would not see what is mounted later.
    """
    _Namespace.why_not = _enter_namespace()


def _enter_namespace() -> str:
    if os.geteuid() != 0:
        return "only root may mount"
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(_CLONE_NEWNS) != 0:
        return f"no mount namespace: {os.strerror(ctypes.get_errno())}"
    tried = _run(["mount", "--make-rprivate", "/"])
    return tried and f"no private mounts: {tried}"


def why_not(kind: FileSystem) -> str:
    """Why a file system of that kind can't be made here, or empty."""
    if _Namespace.why_not or kind == "tmpfs":
        return _Namespace.why_not
    program = {"ext4": "mkfs.ext4", "btrfs": "mkfs.btrfs", "thin": "mkfs.ext4"}[kind]
    if shutil.which(program) is None:
        return f"{program} is not installed"
    if not Path("/dev/loop-control").exists():
        return "no loop devices"
    known = Path("/proc/filesystems").read_text(encoding="utf-8").split()
    name = "btrfs" if kind == "btrfs" else "ext4"
    return "" if name in known else f"the kernel has no {name}"


class Disk:
    """A file system that is mounted for the length of a ``with`` block.

    Attributes:
        folder: Where it is mounted.
    """

    def __init__(self, kind: FileSystem, parent: Path) -> None:
        """Choose the kind, and a folder that doesn't exist yet for the disk and what it is made of.

        ``thin`` is ext4 on a disk that promises more room than the one below it has.
        """
        self._kind, self._parent = kind, parent
        self.folder = parent / "mounted"
        self._below = parent / "below"
        self._image = (self._below if kind == "thin" else parent) / "image"
        self._loop = ""

    def __enter__(self) -> Disk:
        self.folder.mkdir(parents=True)
        if self._kind == "tmpfs":
            _must(["mount", "-t", "tmpfs", "-o", f"size={SIZES['tmpfs']}", "chaos", str(self.folder)])
            return self
        if self._kind == "thin":
            self._below.mkdir()
            _must(["mount", "-t", "tmpfs", "-o", f"size={SIZES['thin']}", "chaos", str(self._below)])
        with self._image.open("wb") as image:
            image.truncate(SIZES[self._kind])
        make = ["mkfs.btrfs", "-q", "--mixed"] if self._kind == "btrfs" else ["mkfs.ext4", "-q", "-F", "-m", "0"]
        _must([*make, str(self._image)])
        self._loop = subprocess.run(  # noqa: S603
            ["losetup", "--find", "--show", str(self._image)],  # noqa: S607
            check=True,
            capture_output=True,
            text=True,
        ).stdout.strip()
        self.mount()
        return self

    def __exit__(self, *_: object) -> None:
        self.unmount()
        if self._loop:
            _run(["losetup", "--detach", self._loop])
        if self._kind == "thin":
            _run(["umount", "--lazy", str(self._below)])
        shutil.rmtree(self._parent, ignore_errors=True)

    def mount(self) -> None:
        """Mount it, again if it was unmounted."""
        name = "btrfs" if self._kind == "btrfs" else "ext4"
        options = [] if name == "btrfs" else ["-o", "errors=remount-ro"]
        _must(["mount", "-t", name, *options, self._loop, str(self.folder)])

    def unmount(self) -> None:
        """Unmount it, whoever still uses it."""
        if _run(["umount", str(self.folder)]):
            _run(["umount", "--lazy", str(self.folder)])

    def repair(self) -> None:
        """Do what is done after a disk was in trouble: unmount, check, mount."""
        if self._kind == "tmpfs":
            return
        self.unmount()
        if self._kind in ("ext4", "thin"):
            # What lies in the journal is replayed first, as at the start of a machine.
            subprocess.run(["e2fsck", "-fy", self._loop], check=False, capture_output=True)  # noqa: S603, S607
        self.mount()

    def fill(self, left: int) -> None:
        """Fill it up to so many bytes."""
        # File systems say little of what room there is: so that much is taken, the rest filled, and it is freed.
        kept, filler = self.folder / "kept", self.folder / "filler"
        kept.write_bytes(bytes(left))
        self.synchronize()
        piece = bytes(256 * 1024)
        with filler.open("ab", buffering=0) as stream:
            while piece:
                try:
                    stream.write(piece)
                    os.fsync(stream.fileno())
                except OSError:
                    piece = piece[: len(piece) // 4]
        kept.unlink()
        self.synchronize()

    def synchronize(self) -> None:
        """Wait until everything is on the disk, and not, as ``os.sync``, for all disks of the machine."""
        descriptor = os.open(self.folder, os.O_RDONLY)
        try:
            ctypes.CDLL(None).syncfs(descriptor)
        finally:
            os.close(descriptor)

    def fill_below(self, left: int) -> None:
        """Fill the disk below a thin one up to so many bytes, so that what is written here has nowhere to go."""
        status = os.statvfs(self._below)
        with (self._below / "filler").open("wb") as stream, suppress(OSError):
            stream.write(bytes(max(status.f_bavail * status.f_frsize - left, 0)))

    def empty(self) -> None:
        """Make room again."""
        (self.folder / "filler").unlink(missing_ok=True)
        (self._below / "filler").unlink(missing_ok=True)

    def turn_read_only(self) -> None:
        """Have the file system meet an error, at which it turns read-only."""
        name = Path(self._loop).name
        Path(f"/sys/fs/ext4/{name}/trigger_fs_error").write_text("1", encoding="utf-8")

    def lose_power(self) -> None:
        """Shut the file system down at once: what was not synchronized is lost, and every call fails from now on."""
        descriptor = os.open(self.folder, os.O_RDONLY)
        try:
            fcntl.ioctl(descriptor, _EXT4_SHUTDOWN, _NO_LOG_FLUSH.to_bytes(4, "little"))
        finally:
            os.close(descriptor)


def _run(command: Sequence[str]) -> str:
    """Run a command, and return what it complains about, or empty."""
    done = subprocess.run(command, check=False, capture_output=True, text=True)  # noqa: S603
    return "" if done.returncode == 0 else (done.stderr.strip() or f"exit code {done.returncode}")


def _must(command: Sequence[str]) -> None:
    complaint = _run(command)
    if complaint:
        raise OSError(f"{' '.join(command)}: {complaint}")
