"""Lets a failed command of Dagster end with the sentence that says why.

Dagster writes a failure into the middle of its log, with stack traces, and its command ends with “Materialization
failed.” So the sentence is written once more, to standard error, when the process ends. Only commands that a person
runs in a terminal do so: servers and their runs show failures in the UI.
"""

from __future__ import annotations

import atexit
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from taxi_assets.errors import TaxiAssetsError
from taxi_assets.words import without_repetitions

_PROGRAMS: Final = frozenset({"dagster", "dg"})
_COMMANDS: Final = frozenset({"asset", "job", "launch", "definitions", "check"})

_sentences: dict[str, None] = {}


def end_with(sentence: str) -> None:
    """Let the process end with this sentence, after those that it is to end with already; each is written once."""
    if not is_command_of_a_person():
        return
    if not _sentences:
        # Unregistered first, so that it is written once, however often sentences were taken back.
        atexit.unregister(_write)
        atexit.register(_write)
    _sentences[sentence] = None


def take_back(sentence: str) -> None:
    """Let the process not end with this sentence, because what failed is tried again."""
    _sentences.pop(sentence, None)


@contextmanager
def ends_a_command() -> Iterator[None]:
    """Let the process end with the sentence of a TaxiAssetsError that leaves the block.

    Raises:
        TaxiAssetsError: It leaves the block.
    """
    try:
        yield
    except TaxiAssetsError as error:
        end_with(str(error))
        raise


def _write() -> None:
    for sentence in without_repetitions(_sentences):
        print(f"\n{sentence}", file=sys.stderr)


def is_command_of_a_person() -> bool:
    """Whether this process is one of Dagster's commands that run something: ``dagster asset …``, ``dg launch …``."""
    program, *arguments = sys.argv
    # With “python -m dagster” the program is …/dagster/__main__.py.
    names = {Path(program).stem, Path(program).parent.name}
    command = next((argument for argument in arguments if not argument.startswith("-")), "")
    return not names.isdisjoint(_PROGRAMS) and command in _COMMANDS
