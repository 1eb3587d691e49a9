"""Wording that messages and pages share."""

from __future__ import annotations

from collections.abc import Iterable, Sequence


def listed(names: Sequence[str]) -> str:
    """The names as a sentence lists them: ``a``, ``a and b``, ``a, b and c``."""
    *most, last = names
    return f"{', '.join(most)} and {last}" if most else last


def first_line(error: Exception) -> str:
    """The first line of an error's text, as a part of a sentence: libraries add statements and options below it."""
    return str(error).strip().partition("\n")[0].rstrip(".!:")


def without_repetitions(failures: Iterable[str]) -> Sequence[str]:
    """Descriptions of failures, each once, without those that say of months only what another one says in general.

    A description is a sentence, or a heading with a line for each cause; a line names its months and asset before the
    sentence.
    """
    distinct = list(dict.fromkeys(failures))
    return [
        text
        for text in distinct
        if not all(any(line.endswith(f": {other}") for other in distinct) for line in _causes(text))
    ]


def _causes(text: str) -> Sequence[str]:
    lines = text.splitlines()
    return lines[1:] if len(lines) > 1 and lines[0].endswith(":") else lines
