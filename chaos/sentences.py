"""Whether a message is as promised: one sentence with the file and the right place, or the cause in the whole."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from chaos.product.loading import Problem
from chaos.strict.csv_files import Place, Reading

LONGEST: Final = 900
_PLACE: Final = re.compile(r"\b(?:line|row) ([\d,]+)(?:,? (?:in )?column ([^:“]+?)(?=[:,“;]))?")
_WHOLE_CAUSES: Final = (
    *(
        "truncated",
        "corrupted",
        "damaged",
        "not a gzip file",
        "not a Parquet file",
        "web page",
        "is empty",
        "empty CSV",
    ),
    *(
        "holds a header but no rows",
        "holds columns but no rows",
        "columns of its definition",
        "does not begin with the",
    ),
    *(
        "after the end of its gzip stream",
        "were announced",
        "no Parquet footer",
        "can't be unpacked",
        "pages that can't be read",
        "header",
    ),
    *("not the published file", "checksum", "can't be read as Parquet", "gzip", "than its footer states"),
)
# What libraries say may stand in brackets; these words tell a reader nothing, or another place than the file's.
_TECHNICAL: Final = ("Traceback", "state machine", "CSV Error on Line", "Possible fixes", "Original Line", "INTERNAL")


def why_unclear(problem: Problem, file_name: str, reading: Reading | None, *, is_damaged: bool = False) -> str:
    """What keeps a message about a file from being clear, or empty.

    Args:
        problem: The error.
        file_name: The file's name.
        reading: What is wrong with the file by the strict reader; None where no place is known.
        is_damaged: Whether its bytes were damaged, so that each reader may find another value in a damaged place.
    """
    general = why_no_sentence(problem)
    if general:
        return general
    if file_name not in problem.text:
        return "the file is not named"
    named = named_places(problem.text)
    if is_damaged or reading is None or not reading.places:
        has_cause = any(cause in problem.text for cause in _WHOLE_CAUSES)
        return "" if has_cause or named else "neither place nor cause"
    if not named:
        is_about_whole = bool(reading.whole) and any(cause in problem.text for cause in _WHOLE_CAUSES)
        return "" if is_about_whole else "no place"
    return "" if any(_is_right(place, reading.places) for place in named) else "the place that it names is sound"


def why_no_sentence(problem: Problem) -> str:
    """What keeps a message from being one sentence for people, whatever it is about, or empty."""
    if not problem.is_ours:
        return f"an exception of the class {problem.kind}"
    technical = next((words for words in _TECHNICAL if words in problem.text), None)
    if technical:
        return f"technical words (“{technical}”)"
    if "\n" in problem.text.strip():
        return "more than one line"
    if len(problem.text) > LONGEST:
        return f"{len(problem.text)} characters"
    return ""


def named_places(text: str) -> Sequence[tuple[int, str | None]]:
    """The lines or rows that a message names, each with the column where it names one."""
    return [
        (int(match[1].replace(",", "")), match[2].strip() if match[2] else None)
        for match in _PLACE.finditer(text)
        if match[1].replace(",", "")
    ]


def _is_right(named: tuple[int, str | None], places: Sequence[Place]) -> bool:
    number, column = named
    return any(
        number in place.numbers
        and (column is None or place.column is None or column.lower() == place.column.lower())
        # A message about a field must name its column.
        and (column is not None or place.column is None)
        for place in places
    )
