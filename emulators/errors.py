"""What can go wrong with the emulators, as sentences for people."""


class EmulatorError(Exception):
    """An emulator could not be installed or started."""
