"""Dagster's entry point: the whole asset graph, which loads without any setting."""

from taxi_assets.build import build_definitions

defs = build_definitions()
