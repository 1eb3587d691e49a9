"""Credentials for Google's clients: given in any of Google's forms, or Application Default Credentials."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import google.auth
import google.auth.exceptions
from google.auth import aws, external_account_authorized_user, identity_pool, impersonated_credentials, pluggable
from google.auth.credentials import AnonymousCredentials, Credentials
from google.auth.transport.requests import Request
from google.oauth2 import credentials as oauth2
from google.oauth2 import service_account

from taxi_assets import settings
from taxi_assets.errors import SettingsError

SCOPES: Final = ("https://www.googleapis.com/auth/cloud-platform",)


def find_credentials(given: str | None, *, endpoint: str | None) -> Credentials:
    """The credentials to use.

    Args:
        given: What ``read_key`` takes; None looks for Application Default Credentials.
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


def fresh_token(given: str) -> str:
    """An access token for given credentials, which lasts about an hour.

    Raises:
        SettingsError: The given value is not a key.
        google.auth.exceptions.GoogleAuthError: Google refused it, or could not be reached.
    """
    credentials = find_credentials(given, endpoint=None)
    credentials.refresh(Request())  # type: ignore[no-untyped-call]
    return str(credentials.token)


def _of_workload(key: Mapping[str, Any], scopes: tuple[str, ...]) -> Credentials:
    """Credentials of a workload outside Google Cloud. Unlike google.auth's own loader, this asks no server."""
    kind: Any = identity_pool
    if key.get("subject_token_type") == _AWS_TOKEN:
        kind = aws
    elif (key.get("credential_source") or {}).get("executable"):
        kind = pluggable
    credentials: Credentials = kind.Credentials.from_info(key, scopes=scopes)
    return credentials


_AWS_TOKEN: Final = "urn:ietf:params:aws:token-type:aws4_request"  # noqa: S105 - the name of a kind of token
_MAKERS: Final[Mapping[str, Callable[..., Any]]] = {
    "service_account": service_account.Credentials.from_service_account_info,
    "authorized_user": oauth2.Credentials.from_authorized_user_info,
    "impersonated_service_account": impersonated_credentials.Credentials.from_impersonated_service_account_info,
    "external_account": _of_workload,
    "external_account_authorized_user": external_account_authorized_user.Credentials.from_info,
}


def _of_key(key: Mapping[str, Any]) -> Credentials:
    try:
        credentials: Credentials = _MAKERS[key["type"]](key, scopes=SCOPES)
    except (AttributeError, KeyError, TypeError, ValueError, google.auth.exceptions.GoogleAuthError):
        # The library's own message could contain parts of the key.
        raise SettingsError(
            f"{settings.GCP_CREDENTIALS} is not a key that Google's libraries can use: set it to the path of a JSON "
            "key file of a service account, of impersonation or of workload identity, or to that JSON itself."
        ) from None
    return credentials


def read_key(given: str) -> Mapping[str, Any]:
    """A key from its file, its JSON, or its JSON in base64.

    Raises:
        SettingsError: It is neither. The message contains nothing of it.
    """
    given = given.strip()
    key = None
    for text_of in (str, _text_of_file, _text_of_base64):
        try:
            key = json.loads(text_of(given))
            break
        except (OSError, ValueError):
            continue
    if not isinstance(key, dict):
        raise SettingsError(
            f"{settings.GCP_CREDENTIALS} is neither a key file that can be read nor a key's JSON: set it to the path "
            "of a JSON key file, or to that JSON itself, which may be in base64."
        ) from None
    return key


def _text_of_file(path: str) -> str:
    return Path(path).expanduser().read_text(encoding="utf-8")


def _text_of_base64(text: str) -> str:
    return base64.b64decode("".join(text.split()), validate=True).decode("utf-8")
