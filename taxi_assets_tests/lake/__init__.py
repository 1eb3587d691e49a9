"""The lake: a folder of Parquet files, one per month."""
