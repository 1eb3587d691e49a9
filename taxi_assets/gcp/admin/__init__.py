"""The jobs that set up, check and tear down Google Cloud."""
