"""Emulators of Cloud Storage and BigQuery on this machine, started as servers from an environment of their own.

The tests and `make demo-gcp` use them. `environment` installs the emulators, `running` starts and stops them, and the
modules in `servers` run inside that environment and are never imported here.
"""
