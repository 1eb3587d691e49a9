"""New York's monthly taxi files, from the published CSV to a warehouse, as a Dagster asset graph."""
