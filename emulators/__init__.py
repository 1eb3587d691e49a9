"""Google Cloud Storage and BigQuery on one machine: emulators in an environment of their own, started as servers.

Used by the tests and by `make demo-gcp`, and part of neither. `environment` installs the emulators, `running` starts
and stops them, and the modules in `servers` are run inside their environment, never imported here.
"""
