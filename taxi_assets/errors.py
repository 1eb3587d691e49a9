"""The errors that a user can meet, as sentences for people.

Each is raised as one of these classes. The message is one sentence that names what happened, where (file, line,
column, value) and the remedy. The technical cause is chained as ``__cause__``. ``is_transient`` is true if trying again
later may help (a network, a lock), and false if it can't (bad data, a wrong setting).
"""


class TaxiAssetsError(Exception):
    """Base of every error that is written for a user."""

    is_transient = False

    has_never_worked = False
    """Whether an address has not answered this process at all, so that a retry a little later is not worth it."""

    refused_version = ""
    """Digest of the version of the source's file that can't be landed, where the failure is about one."""


class SettingsError(TaxiAssetsError):
    """A setting is missing, malformed or names something unknown."""


class DefinitionError(TaxiAssetsError):
    """Something in the file that defines a taxi is missing, unknown or contradictory."""


class UnknownTaxiOrMonthError(TaxiAssetsError):
    """A taxi or a month that the project does not know, or an empty or reversed range of months."""


class NotPublishedError(TaxiAssetsError):
    """The source does not offer the file (404, 403, or no such file in a folder)."""


class SourceUnavailableError(TaxiAssetsError):
    """The source did not answer, or the connection broke more often than it is retried."""

    is_transient = True


class SourceUnreachableError(SourceUnavailableError):
    """The source's address is not known or refuses connections, and has never answered in this process."""

    has_never_worked = True


class DamagedFileError(TaxiAssetsError):
    """The received file is damaged: truncated, corrupted, not gzip, a web page, empty, or not the published bytes."""


class UnexpectedContentError(TaxiAssetsError):
    """The file is complete, but its header, fields or values do not match the taxi's definition."""


class LandingError(TaxiAssetsError):
    """The landing zone can't be written, is full, or is missing the file that a later step needs."""


class NotLandedError(LandingError):
    """The landing zone does not have the file: it never landed, or was purged."""


class FileReplacedError(LandingError):
    """A file in the landing zone was replaced by another run while it was read."""

    is_transient = True


class LandingInterruptedError(LandingError):
    """The verification of a file was ended from outside, or took too long: the machine lacked memory or time."""

    is_transient = True


class ReportError(TaxiAssetsError):
    """A page of the report can't be written."""


class IsolatedPythonError(TaxiAssetsError):
    """An isolated Python environment can't be created, or the script that runs in it fails."""


class WarehouseError(TaxiAssetsError):
    """The warehouse is not this project's, damaged, full, or missing the table that a step needs."""


class NoSuchTableError(WarehouseError):
    """The warehouse has no such table, because no asset has created it yet."""


class NothingToRemoveError(WarehouseError):
    """The warehouse does not have the month that is to be removed."""


class OtherRowsError(WarehouseError):
    """The month that is to be removed has other rows than those that were meant."""


class WarehouseBusyError(WarehouseError):
    """Another program held the warehouse for longer than the waiting time that is set."""

    is_transient = True


class WarehouseUnavailableError(WarehouseError):
    """The warehouse or the network did not answer, or the warehouse is temporarily unable to work."""

    is_transient = True


class WarehouseUnreachableError(WarehouseUnavailableError):
    """The warehouse's address is not known or refuses connections, and has never answered in this process."""

    has_never_worked = True


class DbtError(TaxiAssetsError):
    """A dbt command failed: a model or a test failed, or the project can't be read."""
