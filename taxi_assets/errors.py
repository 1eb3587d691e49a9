"""What can go wrong, as sentences for people.

Every error a user can meet is raised as one of these classes. The message is one sentence that names what
happened, where (file, line, column, value) and the remedy; the technical cause stays chained as ``__cause__``.
``is_transient`` says whether trying again later may help (a network, a lock) or never will (bad data, a wrong setting).
"""


class TaxiAssetsError(Exception):
    """Base of every error that is written for a user."""

    is_transient = False


class SettingsError(TaxiAssetsError):
    """A setting is missing, malformed or names something unknown."""


class DefinitionError(TaxiAssetsError):
    """The file that defines a taxi does not say what it must, or contradicts itself."""


class UnknownTaxiOrMonthError(TaxiAssetsError):
    """A taxi or a month that the project does not know, or an empty or reversed range of months."""


class NotPublishedError(TaxiAssetsError):
    """The source does not offer the file (404, 403, or no such file in a folder)."""


class SourceUnavailableError(TaxiAssetsError):
    """The source did not answer, or broke off more often than we are willing to try."""

    is_transient = True


class DamagedFileError(TaxiAssetsError):
    """What arrived is not the file: truncated, corrupted, not gzip, a web page, empty, or not the published bytes."""


class UnexpectedContentError(TaxiAssetsError):
    """The file is whole, but its content is not what the taxi's definition says: header, fields or values."""


class LandingError(TaxiAssetsError):
    """The landing zone can't be written, is full, or lacks the file that a later step needs."""


class LandingInterruptedError(LandingError):
    """The verification of a file was ended from outside, for example because the machine had no memory left."""

    is_transient = True


class ReportError(TaxiAssetsError):
    """A page of the report can't be written."""


class IsolatedPythonError(TaxiAssetsError):
    """An environment of Python's own packages can't be made, or what runs in it does not do its part."""


class WarehouseError(TaxiAssetsError):
    """The warehouse refuses: not ours, damaged, full, or without the table that a step needs."""


class NoSuchTableError(WarehouseError):
    """The warehouse has no such table, because nothing has made it yet."""


class WarehouseBusyError(WarehouseError):
    """Somebody else held the warehouse for longer than we are willing to wait."""

    is_transient = True


class WarehouseUnavailableError(WarehouseError):
    """The warehouse, or the network on the way to it, did not answer or answered that it can't just now."""

    is_transient = True


class DbtError(TaxiAssetsError):
    """dbt or its project could not do what was asked: a model or test failed, or the project can't be read."""
