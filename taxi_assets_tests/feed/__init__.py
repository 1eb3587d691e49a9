"""Tests of the official feed: Parquet files, and how they change over the years."""
