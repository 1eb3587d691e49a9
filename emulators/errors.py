"""The error of the emulators, whose message is a sentence for the user."""


class EmulatorError(Exception):
    """An emulator could not be installed or started."""
