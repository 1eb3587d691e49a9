"""Dagster's entry point: the whole asset graph, which loads without any setting."""

from taxi_assets.build import build_definitions
from taxi_assets.last_words import ends_a_command

with ends_a_command():
    defs = build_definitions()
