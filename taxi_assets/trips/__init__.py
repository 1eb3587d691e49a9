"""Trips: how a raw file's text becomes typed rows with ids (in DuckDB), and what is wrong if it can't."""
