"""The package index that pip is told about, told to uv, so that both install from the same place."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

_FOR_UV: Final = {
    "index-url": ("UV_DEFAULT_INDEX", " "),
    "extra-index-url": ("UV_INDEX", " "),
    "find-links": ("UV_FIND_LINKS", ","),
    "no-index": ("UV_NO_INDEX", " "),
    "trusted-host": ("UV_INSECURE_HOST", " "),
    "cert": ("SSL_CERT_FILE", " "),
}
"""pip's options, and the variables that say the same to uv, with what stands between several values."""

_INDEXES: Final = ("UV_DEFAULT_INDEX", "UV_INDEX_URL", "UV_INDEX", "UV_EXTRA_INDEX_URL", "UV_FIND_LINKS", "UV_NO_INDEX")
_PRECEDENCE: Final = ("global", "install", ":env:")


def variables_for_uv() -> Mapping[str, str]:
    """Environment variables for uv. Who has told uv itself where packages are gets that."""
    ours = dict(os.environ)
    # As pip does since 24.2: what the system trusts. The first name is that of newer versions.
    ours.setdefault("UV_SYSTEM_CERTS", "true")
    ours.setdefault("UV_NATIVE_TLS", "true")
    if any(name in ours for name in _INDEXES) or _has_settings_of_uv():
        return ours
    for option, value in _settings_of_pip().items():
        if option in _FOR_UV:
            name, between = _FOR_UV[option]
            ours.setdefault(name, between.join(value.split()))
            if option == "extra-index-url":
                # pip takes the best version of all indexes, uv that of the first index that has the package.
                ours.setdefault("UV_INDEX_STRATEGY", "unsafe-best-match")
    return ours


def _has_settings_of_uv() -> bool:
    configured = Path(os.environ.get("XDG_CONFIG_HOME") or "~/.config").expanduser() / "uv" / "uv.toml"
    return "UV_CONFIG_FILE" in os.environ or configured.is_file() or Path("/etc/uv/uv.toml").is_file()


def _settings_of_pip() -> Mapping[str, str]:
    """The options of pip by their names, from its files and variables; none if this Python has no pip."""
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "config", "list"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    found = dict(_parsed(done.stdout)) if done.returncode == 0 else {}
    return {option: value for section in _PRECEDENCE for (of, option), value in found.items() if of == section}


def _parsed(listed: str) -> Iterator[tuple[tuple[str, str], str]]:
    for line in listed.splitlines():
        name, is_setting, value = line.partition("=")
        section, has_option, option = name.rpartition(".")
        if is_setting and has_option:
            yield (section, option), str(ast.literal_eval(value))
