"""Which columns a file has, compared with those of its definition."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from taxi_assets.errors import UnexpectedContentError
from taxi_assets.source.raw_files import RawFile


def defined_names(names: Sequence[str], file: RawFile, where: str, *, misfits: Sequence[str] = ()) -> Mapping[str, str]:
    """The definition's spelling of each name that it knows, by the file's spelling, in the order of the file.

    Names are compared without regard to case. A CSV must have exactly the columns of its header; a Parquet file may
    have columns that the definition doesn't know.

    Args:
        names: Names of the file's columns.
        file: What it should be.
        where: File and source, for messages.
        misfits: Columns that can't hold such values, described for the message.

    Raises:
        UnexpectedContentError: Columns are missing, unexpected, there more than once, or in ``misfits``.
    """
    known = {name.lower(): name for name in (*file.header, *(column.name for column in file.columns))}
    times = Counter(name.lower() for name in names)
    findings = {
        "missing": [name for name in file.header if name.lower() not in times],
        "unexpected": [] if file.is_parquet else [name for name in names if name.lower() not in known],
        "there more than once": [known[name] for name, count in times.items() if count > 1 and name in known],
        "of another type": misfits,
    }
    if any(findings.values()):
        faults = "; ".join(f"{what}: {', '.join(found)}" for what, found in findings.items() if found)
        raise UnexpectedContentError(
            f"{where} does not have the columns of its definition ({faults}): nothing of it was kept, "
            "so compare the file with the definition or choose another source with TAXI_SOURCE."
        )
    return {name: known[name.lower()] for name in names if name.lower() in known}
