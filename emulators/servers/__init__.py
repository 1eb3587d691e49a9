"""Launchers, each run by the emulators' own Python. They use the emulators and nothing of this project."""
