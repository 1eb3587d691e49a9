"""Where products come from: a web service that answers in JSON, or the project's own sample of its answer."""

import json
import time
from importlib import resources
from typing import Any, Final
from urllib.parse import urlsplit

import dagster as dg
import httpx2
from pydantic import Field

from taxi_assets.errors import DamagedFileError, NotPublishedError, SettingsError, SourceUnavailableError
from taxi_assets.settings import SAMPLE_NAME

Product = dict[str, Any]

_TIMEOUT_SECONDS: Final = 20.0
_ATTEMPTS: Final = 3
_PAUSE_SECONDS: Final = 0.5
_CLIENT_ERROR: Final = range(400, 500)


class ProductsSource(dg.ConfigurableResource):  # type: ignore[type-arg]
    """A list of products, under ``products`` in the answer, as dummyjson.com returns it."""

    address: str = Field(description="https://…, http://… or sample.")

    def fetch(self) -> list[Product]:
        """All products in the source's answer.

        Raises:
            SettingsError: The address is not one of a web service.
            NotPublishedError: The source has no such page.
            SourceUnavailableError: The source does not answer.
            DamagedFileError: The answer is not a list of products.
        """
        if self.address == SAMPLE_NAME:
            text = resources.files(__package__).joinpath("sample_products.json").read_text(encoding="utf-8")
        elif self.address.startswith(("http://", "https://")):
            text = self._answer()
        else:
            raise SettingsError("TAXI_PRODUCTS is not an address: set it to https://…, http://… or sample.")
        try:
            products = json.loads(text)["products"]
        except (ValueError, KeyError, TypeError) as error:
            raise self._not_products() from error
        if not isinstance(products, list) or not all(isinstance(product, dict) for product in products):
            raise self._not_products()
        return products

    @property
    def name(self) -> str:
        """The address without user, password and query."""
        parts = urlsplit(self.address)
        return f"{parts.scheme}://{parts.hostname}{parts.path}" if parts.hostname else SAMPLE_NAME

    def _answer(self) -> str:
        try:
            answer = self._ask(_ATTEMPTS)
        except (httpx2.HTTPError, httpx2.InvalidURL) as error:
            raise SourceUnavailableError(
                f"{self.name} did not answer ({type(error).__name__}): run again later, or set TAXI_PRODUCTS=sample."
            ) from error
        if answer.status_code in _CLIENT_ERROR:
            raise NotPublishedError(
                f"{self.name} has no products (HTTP {answer.status_code}): correct the address in TAXI_PRODUCTS."
            )
        if not answer.is_success:
            raise SourceUnavailableError(
                f"{self.name} could not answer (HTTP {answer.status_code}): run again later, or set "
                "TAXI_PRODUCTS=sample."
            )
        return answer.text

    def _ask(self, attempts: int) -> httpx2.Response:
        # A transport could retry by itself, but a client that is given one does not use the environment's proxies.
        try:
            return httpx2.get(self.address, timeout=_TIMEOUT_SECONDS, follow_redirects=True)
        except httpx2.TransportError:
            if attempts <= 1:
                raise
        time.sleep(_PAUSE_SECONDS)
        return self._ask(attempts - 1)

    def _not_products(self) -> DamagedFileError:
        return DamagedFileError(
            f"The answer of {self.name} is not JSON with a list under “products”: correct the address in TAXI_PRODUCTS."
        )
