"""BigQuery's statements judged and computed by ZetaSQL, Google's own implementation of BigQuery's SQL."""
