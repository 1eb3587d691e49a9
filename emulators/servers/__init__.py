"""Launchers, each run by the emulators' own Python: they know the emulators and nothing of this project."""
