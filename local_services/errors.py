"""What can go wrong with the services of this machine, as sentences for people."""

from taxi_assets.errors import TaxiAssetsError


class LocalServiceError(TaxiAssetsError):
    """A process of ``make up`` does not start, does not answer, or finds its port taken."""
