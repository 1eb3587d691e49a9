"""Credentials for Google's clients: a key file, a key's JSON, or Application Default Credentials."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import google.auth
import google.auth.exceptions
from google.auth.credentials import AnonymousCredentials, Credentials
from google.oauth2 import credentials as oauth2
from google.oauth2 import service_account

from taxi_assets import settings
from taxi_assets.errors import SettingsError

SCOPES: Final = ("https://www.googleapis.com/auth/cloud-platform",)


def find_credentials(given: str | None, *, endpoint: str | None) -> Credentials:
    """The credentials to use.

    Args:
        given: Path of a key file or a key's JSON; None looks for Application Default Credentials.
        endpoint: Address of an emulator, which needs no credentials; None for Google's own service.

    Raises:
        SettingsError: There are no credentials, or the given value is not a key. The message contains nothing of it.
    """
    if endpoint:
        return AnonymousCredentials()  # type: ignore[no-untyped-call]
    if given:
        return _of_key(read_key(given))
    try:
        found: tuple[Credentials, str | None] = google.auth.default(scopes=SCOPES)
    except google.auth.exceptions.DefaultCredentialsError as error:
        raise SettingsError(
            "No credentials for Google Cloud were found: run “gcloud auth application-default login”, or set "
            f"{settings.GCP_CREDENTIALS} to a service account's key."
        ) from error
    return found[0]


def _of_key(key: Mapping[str, Any]) -> Credentials:
    makers: Mapping[str, Any] = {
        "service_account": service_account.Credentials.from_service_account_info,
        "authorized_user": oauth2.Credentials.from_authorized_user_info,
    }
    try:
        credentials: Credentials = makers[key["type"]](key, scopes=SCOPES)
    except (KeyError, ValueError, google.auth.exceptions.GoogleAuthError):
        # The library's own message could contain parts of the key.
        raise SettingsError(
            f"{settings.GCP_CREDENTIALS} is not a key that Google's libraries can use: set it to the path of a service "
            "account's JSON key file, or to that JSON itself."
        ) from None
    return credentials


def read_key(given: str) -> Mapping[str, Any]:
    """A key from its file or its JSON.

    Raises:
        SettingsError: It is neither. The message contains nothing of it.
    """
    given = given.strip()
    try:
        text = given if given.startswith("{") else Path(given).expanduser().read_text(encoding="utf-8")
        key = json.loads(text)
    except (OSError, ValueError):
        key = None
    if not isinstance(key, dict):
        raise SettingsError(
            f"{settings.GCP_CREDENTIALS} is neither a key file that can be read nor a key's JSON: set it to the path "
            "of a service account's JSON key file, or to that JSON itself."
        ) from None
    return key
