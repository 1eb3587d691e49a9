"""dbt's manifest of a project, which dbt writes once for each state of the project's files."""

from __future__ import annotations

import hashlib
import json
import logging
import re
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from filelock import FileLock

from taxi_assets import settings
from taxi_assets.dbt import locations
from taxi_assets.dbt.command import parse
from taxi_assets.errors import DbtError
from taxi_assets.files import write_whole
from taxi_assets.taxis import chosen_taxis

_log = logging.getLogger(__name__)

_NOT_THE_PROJECT: Final = frozenset({".git", "target", "logs", "__pycache__", ".user.yml"})
_BY_MONTH: Final = "kept by month"
"""Our own entry in the stored manifest."""

_READS_MONTHS: Final = re.compile(r"""var\(\s*["']months["']""")

_NOT_NEEDED: Final = ("macros", "docs", "disabled")
"""Parts that the graph does not need; dbt's own macros are nine tenths of the file."""


def find_manifest(project: Path) -> Mapping[str, Any] | None:
    """The manifest of a project; None, with a warning, if dbt can't read the project: the graph loads without it."""
    kept = locations.manifests_folder(project) / f"{_fingerprint(project)}.json"
    try:
        if not kept.is_file():
            kept.parent.mkdir(parents=True, exist_ok=True)
            with FileLock(kept.parent / ".lock"):
                if not kept.is_file():
                    _write(project, kept)
        manifest: Mapping[str, Any] = json.loads(kept.read_bytes())
    except (DbtError, OSError) as error:
        _log.warning("The asset graph is without dbt's models: %s", error)
        return None
    return manifest


def _write(project: Path, kept: Path) -> None:
    target = kept.with_suffix("")
    try:
        manifest = parse(project, target)
    finally:
        shutil.rmtree(target, ignore_errors=True)
    by_month = {_BY_MONTH: _reads_months(manifest)}
    write_whole(kept, json.dumps({**manifest, **{name: {} for name in _NOT_NEEDED}, **by_month}))


def is_kept_by_month(manifest: Mapping[str, Any]) -> bool:
    """Whether a project's models can be built for some months only: it reads the variable ``months``."""
    return bool(manifest.get(_BY_MONTH))


def _reads_months(manifest: Mapping[str, Any]) -> bool:
    texts = (
        *(macro["macro_sql"] for macro in manifest["macros"].values()),
        *(node.get("raw_code") or "" for node in manifest["nodes"].values()),
    )
    return any(_READS_MONTHS.search(text) for text in texts)


def _fingerprint(project: Path) -> str:
    """A digest of the project's files, of the taxis and variables, and of the dbt that reads them."""
    digest = hashlib.sha256(f"{_BY_MONTH} {settings.dbt_executable()}".encode())
    digest.update(str(settings.dbt_executable().stat().st_mtime_ns).encode())
    # Models are left out whose taxis are not chosen.
    digest.update(",".join(chosen_taxis()).encode())
    digest.update(json.dumps(settings.dbt_variables(), sort_keys=True).encode())
    for path in _files(project):
        digest.update(path.relative_to(project).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()[:32]


def _files(folder: Path) -> Iterator[Path]:
    for entry in sorted(folder.iterdir()):
        if entry.name in _NOT_THE_PROJECT:
            continue
        if entry.is_dir():
            yield from _files(entry)
        else:
            yield entry


if __name__ == "__main__":
    find_manifest(locations.project_folder())
