"""The sample: a source that makes every file itself, for use without a network, or with small months."""
