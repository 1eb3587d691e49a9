"""Reads raw files by the documented rules, strictly and slowly, without any code of the project.

What a file holds is told as exact Python values, or why it can't be told. Nothing here imports the project; the
columns are read from the taxis' TOML files directly.
"""
