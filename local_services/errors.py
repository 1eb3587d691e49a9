"""The error of the services of this machine."""

from taxi_assets.errors import TaxiAssetsError


class LocalServiceError(TaxiAssetsError):
    """A service does not start or does not answer, or its port is not free."""
