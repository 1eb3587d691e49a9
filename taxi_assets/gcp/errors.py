"""Google Cloud's errors as sentences for people."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import google.api_core.exceptions as api
import google.auth.exceptions
import requests

from taxi_assets import settings
from taxi_assets.errors import SettingsError, TaxiAssetsError, WarehouseError, WarehouseUnavailableError

_REMEDIES: Final = {
    "bucket does not exist": "run the job gcp_setup, which creates it, or correct GCP_BUCKET_NAME",
    "bytes billed": f"raise {settings.GCP_MAXIMUM_BYTES_BILLED}, then run again",
}
"""What to do about an error, by a part of Google's message."""


@contextmanager
def translated_errors(action: str, place: str) -> Iterator[None]:
    """Translate errors of Google's clients into one sentence: what could not be done, where, and what to do.

    Raises:
        SettingsError: The credentials were refused.
        WarehouseUnavailableError: The cause may be temporary: no connection, an overloaded service.
        WarehouseError: Everything else.
    """
    try:
        yield
    except TaxiAssetsError:
        raise
    except google.auth.exceptions.TransportError as error:
        raise _unavailable(action, place, "Google's sign-in could not be reached") from error
    except google.auth.exceptions.GoogleAuthError as error:
        # The library's own message could contain parts of a key or a token.
        raise SettingsError(
            f"Google Cloud could not {action} at {place}, because it refused the credentials: check "
            f"{settings.GCP_CREDENTIALS}, or run “gcloud auth application-default login” again."
        ) from error
    except api.GoogleAPICallError as error:
        raise _in_words(action, place, error) from error
    except api.RetryError as error:
        raise _unavailable(action, place, message_of(error.cause) if error.cause else "no answer in time") from error
    except requests.RequestException as error:
        raise _unavailable(action, place, type(error).__name__) from error


def message_of(error: BaseException) -> str:
    """Google's message on one line, without the text that its libraries add."""
    errors: list[Any] = getattr(error, "errors", None) or []
    message = next((str(item["message"]) for item in errors if isinstance(item, dict) and item.get("message")), "")
    return " ".join((message or getattr(error, "message", "") or str(error)).split()).rstrip(".")


def _in_words(action: str, place: str, error: api.GoogleAPICallError) -> WarehouseError:
    cause = message_of(error)
    remedy = next((remedy for words, remedy in _REMEDIES.items() if words in cause), None)
    match error:
        case api.TooManyRequests() | api.ServerError() if remedy is None:
            return _unavailable(action, place, cause)
        case api.Forbidden() | api.Unauthorized() if remedy is None:
            remedy = "grant the account the roles in docs/gcp.md; the job gcp_check shows which permissions are missing"
    return WarehouseError(
        f"Google Cloud could not {action} at {place} ({cause}): {remedy or 'the main table is unchanged; run again'}."
    )


def _unavailable(action: str, place: str, cause: str) -> WarehouseUnavailableError:
    return WarehouseUnavailableError(
        f"Google Cloud could not {action} at {place} just now ({cause}): check the network, then run again."
    )
