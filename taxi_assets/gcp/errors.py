"""Google Cloud's errors as sentences for people."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import google.api_core.exceptions as api
import google.auth.exceptions
import requests
from google.cloud.storage.exceptions import DataCorruption

from taxi_assets import settings
from taxi_assets.errors import SettingsError, TaxiAssetsError, WarehouseError, WarehouseUnavailableError

_REMEDIES: Final = {
    "bucket does not exist": "run the job gcp_setup, which creates it, or correct GCP_BUCKET_NAME",
    "bytes billed": f"raise {settings.GCP_MAXIMUM_BYTES_BILLED}, then run again",
}
"""What to do about an error, by a part of Google's message."""

_BILLING: Final = "link a billing account to the project, because loads are not possible without one"
_API: Final = (
    "enable the API with “gcloud services enable bigquery.googleapis.com bigquerystorage.googleapis.com "
    "storage.googleapis.com”, then run again"
)
_QUOTA: Final = "wait until the quota is renewed, or ask for a higher one in the console under IAM & Admin, Quotas"
_ROLES: Final = "grant the account the roles in docs/gcp.md; the job gcp_check shows which permissions are missing"
_REMEDIES_OF_REASONS: Final = {
    "billingNotEnabled": _BILLING,
    "accountDisabled": _BILLING,
    "billingTierLimitExceeded": _BILLING,
    "accessNotConfigured": _API,
    "SERVICE_DISABLED": _API,
    "quotaExceeded": _QUOTA,
    "dailyLimitExceeded": _QUOTA,
}
"""What to do about an error, by the reason that Google gives beside its message."""

_OVERLOADS: Final = frozenset({"rateLimitExceeded", "userRateLimitExceeded", "jobRateLimitExceeded"})
"""Reasons with which Google answers 403 although the same request succeeds a little later."""


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
    except DataCorruption as error:
        raise _unavailable(action, place, "what arrived has another checksum and was deleted") from error
    except requests.RequestException as error:
        raise _unavailable(action, place, type(error).__name__) from error


def message_of(error: BaseException) -> str:
    """Google's message on one line, without the text that its libraries add."""
    errors: list[Any] = getattr(error, "errors", None) or []
    message = next((str(item["message"]) for item in errors if isinstance(item, dict) and item.get("message")), "")
    return " ".join((message or getattr(error, "message", "") or str(error)).split()).rstrip(".")


def reasons_of(error: BaseException) -> frozenset[str]:
    """The reasons that Google gives for an error, such as ``rateLimitExceeded``."""
    items: list[Any] = [*(getattr(error, "errors", None) or []), *(getattr(error, "details", None) or [])]
    return frozenset(str(item["reason"]) for item in items if isinstance(item, dict) and item.get("reason"))


def _in_words(action: str, place: str, error: api.GoogleAPICallError) -> WarehouseError:
    cause = message_of(error)
    reasons = reasons_of(error)
    remedies = [remedy for words, remedy in _REMEDIES.items() if words in cause]
    remedies += [remedy for reason, remedy in _REMEDIES_OF_REASONS.items() if reason in reasons]
    remedy = next(iter(remedies), None)
    if remedy is None and (reasons & _OVERLOADS or isinstance(error, api.TooManyRequests | api.ServerError)):
        return _unavailable(action, place, cause)
    if remedy is None and isinstance(error, api.Forbidden | api.Unauthorized):
        remedy = _ROLES
    return WarehouseError(
        f"Google Cloud could not {action} at {place} ({cause}): {remedy or 'the main table is unchanged; run again'}."
    )


def _unavailable(action: str, place: str, cause: str) -> WarehouseUnavailableError:
    return WarehouseUnavailableError(
        f"Google Cloud could not {action} at {place} just now ({cause}): check the network, then run again."
    )
