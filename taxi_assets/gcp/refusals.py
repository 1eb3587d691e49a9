"""What Google Cloud refuses, as sentences for people."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import requests
from google.api_core import exceptions
from google.auth.exceptions import RefreshError, TransportError

from taxi_assets.errors import CloudError, CloudUnavailableError
from taxi_assets.gcp import settings

_PASSING = (
    exceptions.ServerError,
    exceptions.TooManyRequests,
    exceptions.RetryError,
    TransportError,
    requests.ConnectionError,
    requests.Timeout,
)


@contextmanager
def explained(what: str, *, permission: str) -> Iterator[None]:
    """Turn what Google's clients raise into a sentence.

    Args:
        what: What is being done, as in “the bucket x can't be made”.
        permission: The permission that it takes.

    Raises:
        CloudError: The caller may not do that, or is not known.
        CloudUnavailableError: The service doesn't answer, or asks to come back later.
    """
    try:
        yield
    except exceptions.Forbidden as error:
        raise CloudError(
            f"{what}, as the permission {permission} is missing (or {settings.PROJECT} names a project without that "
            "service or without billing): have a role granted that includes it, and see docs/gcp.md for which."
        ) from error
    except (exceptions.Unauthorized, RefreshError) as error:
        raise CloudError(
            f"{what}, as the credentials are not accepted: run “gcloud auth application-default login” again, or "
            f"renew the key in {settings.CREDENTIALS}."
        ) from error
    except _PASSING as error:
        raise CloudUnavailableError(
            f"{what}, as Google Cloud does not answer ({type(error).__name__}): check the network, and try again."
        ) from error
