"""Dagster's entry point: the whole asset graph, which loads without any setting."""

from __future__ import annotations

import warnings

import dagster as dg

# Range runs and checks per month rest on features that Dagster labels as beta and preview; they are tested here, and
# the labels would greet every user at every command.
warnings.filterwarnings("ignore", category=dg.BetaWarning)
warnings.filterwarnings("ignore", category=dg.PreviewWarning)

from taxi_assets.build import build_definitions  # noqa: E402 - the warnings arise while the assets are built

defs = build_definitions()
