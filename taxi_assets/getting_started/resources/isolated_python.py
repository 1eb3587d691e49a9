"""Python environments with packages of their own, made when they are first needed."""

import hashlib
import logging
import shutil
import subprocess
import sys
import venv
from importlib.metadata import version
from pathlib import Path
from typing import Final

import dagster as dg
import dagster_pipes
from filelock import FileLock
from pydantic import Field

from taxi_assets.errors import IsolatedPythonError
from taxi_assets.files import make_private_folder

_DONE: Final = "installed.txt"


class IsolatedPython(dg.ConfigurableResource):  # type: ignore[type-arg]
    """Makes Python environments and keeps them, one for each list of requirements."""

    folder: str = Field(description="Folder of all environments.")

    def with_packages(self, requirements: Path, log: logging.Logger) -> Path:
        """The Python of an environment that has these packages and dagster-pipes, and nothing else.

        Args:
            requirements: A file of names and versions, as pip reads it.
            log: Gets a line when the environment has to be made, which takes some seconds.

        Returns:
            Path of the program ``python``.

        Raises:
            IsolatedPythonError: The environment can't be made.
        """
        wanted = requirements.read_text(encoding="utf-8")
        name = hashlib.sha256(f"{sys.version}\n{version('dagster-pipes')}\n{wanted}".encode()).hexdigest()[:12]
        environment = Path(self.folder).absolute() / name
        try:
            make_private_folder(environment.parent)
            # Where two runs need it at the same time, the second waits and finds it made.
            with FileLock(f"{environment}.lock"):
                if not (environment / _DONE).is_file():
                    log.info(f"Making an environment for {requirements.name} in {environment}")
                    _make(environment, requirements)
                    # Written last, so that an environment whose making was interrupted is made again.
                    (environment / _DONE).write_text(wanted, encoding="utf-8")
        except OSError as error:
            raise IsolatedPythonError(
                f"The environment {environment} can't be made ({error.strerror}): free space there, or set TAXI_HOME "
                "to a folder that can be written."
            ) from error
        return environment / "bin" / "python"


def _make(environment: Path, requirements: Path) -> None:
    venv.create(environment, clear=True, symlinks=True, with_pip=False)
    python = environment / "bin" / "python"
    # The pip of this Python installs into the other one, so that pip need not be installed there.
    pip = [sys.executable, "-m", "pip", "--python", str(python), "--disable-pip-version-check", "--no-input"]
    done = subprocess.run(  # noqa: S603 - our own requirements
        [*pip, "install", "--quiet", "--no-deps", "--requirement", str(requirements)],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        errors = [line for line in done.stderr.splitlines() if line.startswith("ERROR:")]
        cause = errors[-1].removeprefix("ERROR: ") if errors else f"pip ended with {done.returncode}"
        raise IsolatedPythonError(
            f"The packages of {requirements} can't be installed ({cause.rstrip('.')}): connect this machine to a "
            "package index, or name one in PIP_INDEX_URL, then run again."
        )
    # Both ends of Pipes must have the same version. The package has no dependencies.
    (packages,) = environment.glob("lib/python*/site-packages")
    shutil.copytree(Path(dagster_pipes.__file__).parent, packages / "dagster_pipes")
