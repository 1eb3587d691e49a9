"""Google Cloud: settings, credentials and clients, for whatever works in a project there.

Only `settings` is cheap to import; the rest brings Google's client libraries, and is imported where Google Cloud is
configured.
"""
