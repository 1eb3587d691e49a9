"""Makes an environment, and installs into it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

from environments.errors import InstallationError
from environments.failures import sentence
from environments.installers import Command, Installer, installer, packages_in, python_of, uv_program
from environments.progress import Progress
from environments.running import run
from environments.versions import Version, refusal

LOCK: Final = ".making.lock"
"""A file in an environment's folder that stays when the environment is made anew; uv has its own `.lock` there."""

_LOG: Final = "install.log"


def make(
    folder: Path,
    arguments: Sequence[str],
    *,
    constraints: Path | None = None,
    python: Path | None = None,
    what: str = "packages",
    say: Callable[[str], None] | None = None,
) -> Path:
    """Install into an environment, and make the environment if it is missing or its Python does not run.

    Args:
        folder: The environment.
        arguments: Requirements as pip and uv both read them, for example ``--editable`` and ``.``.
        constraints: File with the versions to install.
        python: The Python of a new environment; without it, the one that runs this.
        what: What is installed, for the first line.
        say: Gets each line about the progress; without it, they are shown on the standard output.

    Returns:
        The environment's Python.

    Raises:
        InstallationError: It failed; the message is one sentence that says what to do.
    """
    with_what = installer(folder)
    work = _Work(folder, with_what, Progress(say))
    work.progress.say(f"Installing {what} into {work.shown} with {with_what.name}")
    try:
        if version_of(python_of(folder)) is None or not _is_supported(python_of(folder)):
            work.make(python or Path(sys.executable))
        work.install([*(["--constraint", str(constraints)] if constraints else []), *arguments])
    except OSError as error:
        raise InstallationError(
            f"{work.shown} can't be made ({error.strerror}): check that the project's folder can be written, then run "
            "the command again."
        ) from error
    finally:
        work.progress.clear()
    work.progress.say(f"{work.shown} is ready: {packages_in(folder)} packages after {work.seconds()} s")
    return python_of(folder)


def empty(folder: Path) -> None:
    """Delete all that is in an environment's folder, except for its lock."""
    for entry in folder.iterdir():
        if entry.name != LOCK:
            shutil.rmtree(entry) if entry.is_dir() and not entry.is_symlink() else entry.unlink()


def version_of(python: Path) -> Version | None:
    """The version of a Python, or None if it does not run."""
    said = _said(python, "import sys; print(*sys.version_info[:2])")
    if said is None:
        return None
    major, minor = said.split()
    return int(major), int(minor)


def can_make(python: Path) -> bool:
    """Whether an environment can be made with this Python: pip needs modules of it that uv does not need."""
    return uv_program() is not None or _said(python, "import ensurepip, venv") is not None


def _said(python: Path, code: str) -> str | None:
    try:
        done = subprocess.run([python, "-c", code], capture_output=True, text=True, check=True)  # noqa: S603
    except (OSError, subprocess.CalledProcessError):
        return None
    return done.stdout


def _is_supported(python: Path) -> bool:
    version = version_of(python)
    return version is not None and refusal(str(python), version) is None


class _Work:
    """What is done in one environment, and how far it is."""

    def __init__(self, folder: Path, with_what: Installer, progress: Progress) -> None:
        self.folder, self.progress = folder, progress
        self.shown = Path(os.path.relpath(folder)) if folder.absolute().is_relative_to(Path.cwd()) else folder
        self._installer = with_what
        self._start = time.monotonic()
        self._said: list[str] = []

    def make(self, python: Path) -> None:
        """Make the environment, in place of what is in the folder."""
        version = version_of(python)
        if version is None:
            raise InstallationError(f"{python} does not run: name another Python, for example make up PYTHON=python3.")
        if problem := refusal(str(python), version):
            raise InstallationError(problem)
        if not can_make(python):
            raise InstallationError(
                f"{python} can't make environments, because its module ensurepip is missing: install it (on Debian and "
                f"Ubuntu: apt-get install python{version[0]}.{version[1]}-venv), or install uv, then run the command "
                "again."
            )
        self.folder.mkdir(parents=True, exist_ok=True)
        empty(self.folder)
        self._run(self._installer.make(python), lambda: "making the environment")

    def install(self, arguments: Sequence[str]) -> None:
        """Install into the environment."""
        python = python_of(self.folder)
        if uv_program() is None and _said(python, "import pip") is None:
            self._run([str(python), "-m", "ensurepip", "--upgrade"], lambda: "adding pip")
        self._run(self._installer.install(arguments), self._installer.doing)

    def seconds(self) -> int:
        """Whole seconds since the start."""
        return int(time.monotonic() - self._start)

    def _run(self, command: Command, doing: Callable[[], str]) -> None:
        def tick() -> None:
            self.progress.show(f"{self.shown}: {doing()}, {self.seconds()} s")

        def hear(line: str) -> None:
            self._said.append(line)
            self._installer.hear(line)

        code = run(command, self._installer.variables, hear=hear, tick=tick)
        if code != 0:
            with suppress(OSError):  # if the disk is full, the sentence is about that
                (self.folder / _LOG).write_text("\n".join(self._said) + "\n", encoding="utf-8")
            raise InstallationError(sentence(self._said, self.shown, self._installer.name, self.shown / _LOG))
