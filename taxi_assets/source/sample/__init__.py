"""The sample: a source that makes every file itself, for whoever has no network or wants small months."""
