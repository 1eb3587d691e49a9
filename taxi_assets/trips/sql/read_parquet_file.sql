    -- Columns are found by their names, whatever their case and order.
    read_parquet($path)
