"""What uv, pip and venv write when they fail, as one sentence that says what to do."""

from __future__ import annotations

import re
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Final

_NO_SPACE: Final = re.compile(r"No space left on device|Disk quota exceeded|\(os error 28\)|\[Errno 28\]")
_NOT_TRUSTED: Final = re.compile(r"CERTIFICATE_VERIFY_FAILED|invalid peer certificate|certificate verify failed")
_NOT_ALLOWED: Final = re.compile(r"Permission denied|Read-only file system|Operation not permitted")
_REFUSED: Final = re.compile(
    r"\b(?:401|403|407) [A-Z][\w ]+|\bHTTP error (?:401|403|407)\b|Tunnel connection failed: [\w ]+"
)
_NO_CONNECTION: Final = re.compile(
    r"name resolution|Name or service not known|nodename nor servname|No address associated|dns error"
    r"|Connection refused|Network is unreachable|No route to host|timed out|operation timed out"
    r"|Connection reset|connection broken by|error sending request|network connectivity is disabled"
)
_ERROR: Final = re.compile(r"^\s*(?:ERROR|error|Error): *(.+)$")
_CAUSE: Final = re.compile(r"^\s+(?:cause|Caused by): *(.+)$|^\s+[├╰]─▶ (.+)$")
_SECRETS: Final = re.compile(r"//[^/@\s]+@")
_WHERE: Final = "name another one in PIP_INDEX_URL"


def sentence(said: Sequence[str], folder: Path, program: str, log: Path) -> str:
    """The sentence about a failure.

    Args:
        said: All lines that the program wrote.
        folder: The environment.
        program: ``uv`` or ``pip``.
        log: File with the same lines.
    """
    text = "\n".join(said)
    if _NO_SPACE.search(text):
        free = shutil.disk_usage(folder if folder.exists() else folder.absolute().parent).free // 1_000_000
        return (
            f"There is no space left to install into {folder} ({free:,} MB are free there): free about 1 GB there and "
            "where temporary files and caches are, then run the command again."
        )
    cannot = f"The packages for {folder} can't be fetched"
    if _NOT_TRUSTED.search(text):
        return (
            f"{cannot}, because the certificate of the package index is not trusted: install the certificate of your "
            "company or proxy in the system, or set PIP_CERT to its PEM file, then run the command again."
        )
    if refused := _REFUSED.search(text):
        return (
            f"{cannot}, because the package index or a proxy refuses it ({refused.group().strip()}): correct the "
            f"address or the password in HTTPS_PROXY or PIP_INDEX_URL, or {_WHERE}, then run the command again."
        )
    if found := _NO_CONNECTION.search(text):
        return (
            f"{cannot}, because the package index can't be reached ({_reason(said) or found.group()}): connect this "
            f"machine, or {_WHERE}, then run the command again."
        )
    if _NOT_ALLOWED.search(text):
        return (
            f"{folder} can't be written ({_last_error(said)}): make its files yours, or delete it, then run the "
            "command again."
        )
    return (
        f"The packages for {folder} can't be installed ({_last_error(said) or f'{program} said nothing'}): correct "
        f"that, then run the command again; all that {program} wrote is in {log}."
    )


def _reason(said: Sequence[str]) -> str:
    """The few words of the innermost cause: `Connection refused`, `Temporary failure in name resolution`."""
    for line in reversed(said):
        if found := re.search(r"\[Errno -?\d+\] ([A-Z][\w ]+)|: ([A-Z][\w ]+?)(?: \(os error \d+\))?$", line):
            words = found.group(1) or found.group(2)
            if _NO_CONNECTION.search(words):
                return str(words)
    return ""


def _last_error(said: Sequence[str]) -> str:
    """The last line that tells an error, with uv's innermost cause behind it."""
    errors = [found.group(1) for line in said if (found := _ERROR.match(line))]
    causes = [found.group(1) or found.group(2) for line in said if (found := _CAUSE.match(line))]
    words = [*errors[-1:], *causes[-1:]] or [line.strip() for line in said if line.strip()][-1:]
    return _SECRETS.sub("//", "; ".join(words)).rstrip(".:")
