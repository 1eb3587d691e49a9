"""The versions of Python that the project runs on, as `pyproject.toml` states them.

Written for older Pythons as well, which have no reader of TOML.
"""

import re
import shutil
import sys
from pathlib import Path
from typing import Optional, Tuple  # noqa: UP035 - an older Python can't subscript tuple

Version = Tuple[int, int]  # noqa: UP006
"""Major and minor version."""

_PROJECT = Path(__file__).resolve().parent.parent / "pyproject.toml"


def supported() -> Tuple[Version, Version]:  # noqa: UP006
    """The oldest and the newest version."""
    stated = re.search(r'^requires-python = ">=3\.(\d+),<3\.(\d+)"', _PROJECT.read_text(encoding="utf-8"), re.MULTILINE)
    assert stated, "pyproject.toml has another form of requires-python than this module reads"  # noqa: S101
    return (3, int(stated.group(1))), (3, int(stated.group(2)) - 1)


def refusal(python: str, version: Version) -> Optional[str]:  # noqa: UP045
    """The sentence that says why a Python can't be used, or None if it can.

    Args:
        python: Its path.
        version: Its version.
    """
    oldest, newest = supported()
    if oldest <= version <= newest:
        return None
    names = ["python3.{}".format(minor) for minor in range(newest[1], oldest[1] - 1, -1)]  # noqa: UP032
    example = next((name for name in names if shutil.which(name)), names[-2])
    return (
        "Python {}.{} to {}.{} is needed, and {} is {}.{}: name another one, for example make up PYTHON={}."
    ).format(*oldest, *newest, python, *version, example)


if __name__ == "__main__":
    # For the Makefile: whether this Python can be used.
    sys.exit(refusal(sys.executable, sys.version_info[:2]))
