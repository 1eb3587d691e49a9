"""The webhook that alerts are sent to, such as a Slack channel's. Its address is a secret."""

import logging
from typing import Final

import dagster as dg
import httpx2
from pydantic import Field

from taxi_assets.source.retries import HttpRetries, TransientFault

# httpx2 logs the address of every request.
logging.getLogger("httpx2").setLevel(logging.WARNING)

# Dagster gives a sensor a minute for all that it does.
_RETRIES: Final = HttpRetries(timeout_seconds=5.0, attempts=3, backoff_seconds=1.0, backoff_limit_seconds=5.0)


class Webhook(dg.ConfigurableResource):  # type: ignore[type-arg]
    """An address that takes ``{"text": …}`` by POST, as Slack, Mattermost, Teams and many others have them."""

    address: str = Field(default="", description="https address; empty for no webhook. It is never shown.")

    def send(self, text: str, log: logging.Logger) -> bool:
        """Send an alert and return whether it arrived. Where it does not, the log says why, and nothing else happens.

        Args:
            text: The alert.
            log: Where a failure is written, without the address.
        """
        if not self.address:
            return False
        try:
            _RETRIES.keep_trying(lambda: self._post(text), what="The alert", log=log)
        except (TransientFault, httpx2.HTTPError, httpx2.InvalidURL) as error:
            # An exception's own words may hold the address.
            reason = error.reason if isinstance(error, TransientFault) else type(error).__name__
            log.warning(f"The alert did not reach the webhook ({reason}): check TAXI_ALERT_WEBHOOK and its server.")
            return False
        return True

    def _post(self, text: str) -> None:
        try:
            response = httpx2.post(self.address, json={"text": text}, timeout=_RETRIES.timeout_seconds)
        except httpx2.TransportError as error:
            raise TransientFault(f"no answer, {type(error).__name__}") from error
        if not response.is_success:
            raise TransientFault(f"the server answered HTTP {response.status_code}")
