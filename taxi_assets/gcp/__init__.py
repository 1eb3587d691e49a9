"""Google Cloud: credentials, resources and errors, for all parts of the project that use it.

These modules load Google's client libraries, so they are imported only if Google Cloud is configured.
"""
