"""What ``TAXI_SOURCE`` and ``TAXI_FEED_URL`` may be. It imports nothing slow, so that a mistake is named at once."""

from __future__ import annotations

from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from taxi_assets import settings
from taxi_assets.errors import SettingsError

_MEANINGS: Final = {
    settings.RELEASE_NAME: "the published CSV files, 2019-01 to 2021-07",
    "feed": "the official Parquet files, every month",
    "auto": "the release as long as it goes, then the feed",
    settings.SAMPLE_NAME: "months that this machine makes up, not published ones",
}
"""What each named source is."""


def require_source(address: str) -> None:
    """Make sure that this can be a source: a name, an address on the web, or an existing folder.

    Raises:
        SettingsError: It can't.
    """
    text = address.strip()
    if is_web_address(text):
        try:
            host = urlsplit(text).hostname
        except ValueError:
            host = None
        if not host:
            raise not_a_web_address(settings.SOURCE.name)
    elif text not in _MEANINGS:
        existing_folder(text, settings.SOURCE.name)


def source_in_words(address: str) -> str:
    """A source as it may be shown: its name with what that means, or the folder or address, without secrets."""
    text = address.strip()
    if text in _MEANINGS:
        return f"{text} ({_MEANINGS[text]})"
    if not is_web_address(text):
        return text
    try:
        parts = urlsplit(text)
        port = f":{parts.port}" if parts.port else ""
        return f"{parts.scheme}://{parts.hostname}{port}{parts.path}".rstrip("/")
    except ValueError:
        return "an address on the web"


def is_web_address(address: str) -> bool:
    """Whether this begins as an address on the web does."""
    return address.lower().startswith(("http://", "https://"))


def not_a_web_address(setting: str) -> SettingsError:
    """The error for an address that can't be read. It shows neither the address nor a parser's words about it.

    Both may hold a password.
    """
    return SettingsError(f"{setting} is not a valid web address: write it as https://host/path.")


def existing_folder(address: str, setting: str) -> Path:
    """The folder that a setting names.

    Raises:
        SettingsError: There is none.
    """
    folder = Path(address).expanduser()
    if not address or not folder.is_dir():
        words = (
            "neither “release” nor “feed” nor “auto” nor “sample” nor" if setting == settings.SOURCE.name else "neither"
        )
        raise SettingsError(
            f"{setting} is “{_without_secrets(address)}”, which is {words} a folder "
            "that exists nor an http(s) address: set it to one of these."
        )
    return folder


def _without_secrets(address: str) -> str:
    """A wrong address without what may be a user, a password or a token in it."""
    return address.rpartition("@")[2].partition("?")[0].partition("#")[0]
