"""The error of this package, whose message is a sentence for the user."""


class InstallationError(Exception):
    """An environment could not be made, or packages could not be installed into it."""
