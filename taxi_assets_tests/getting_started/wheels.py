"""Wheels of packages that are installed here, so that pip can install them elsewhere without a network."""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from importlib.metadata import distribution
from pathlib import Path


def put_wheels(folder: Path, requirements: Sequence[str]) -> None:
    """Write a wheel for each ``name==version``, which must be installed here in that version."""
    for requirement in requirements:
        name, _, version = requirement.partition("==")
        installed = distribution(name)
        assert installed.version == version, f"{name} {installed.version} is installed: bring {requirement} up to date"
        with zipfile.ZipFile(folder / f"{name.replace('-', '_')}-{version}-py3-none-any.whl", "w") as wheel:
            for file in installed.files or []:
                # Programs lie outside of site-packages, and compiled files are made anew.
                if ".." not in file.parts and file.suffix != ".pyc":
                    wheel.write(file.locate(), str(file))
