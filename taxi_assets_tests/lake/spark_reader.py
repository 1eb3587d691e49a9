"""Runs in Spark's environment: reads the lake with the example of docs/lake.md, or again and again."""

from __future__ import annotations

import json
import os
import sys

from pyspark.sql import SparkSession

_ONE_CORE = {
    "spark.master": "local[1]",
    "spark.ui.enabled": "false",
    "spark.driver.host": "127.0.0.1",
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.sql.shuffle.partitions": "1",
    "spark.log.level": "ERROR",
}


def main(table: str, example: str) -> None:
    """Run the example; then print what is in the table, for each line of the standard input, until it ends.

    Args:
        table: The table's name in the lake.
        example: The example's code.
    """
    builder = SparkSession.builder.appName("lake")
    for name, value in _ONE_CORE.items():
        builder = builder.config(name, value)
    spark = builder.getOrCreate()
    exec(example, {})
    print("ready", flush=True)
    for _ in sys.stdin:
        trips = spark.read.parquet(os.path.realpath(table))
        print("listed", flush=True)
        sys.stdin.readline()  # what was listed is replaced meanwhile
        found = trips.groupBy("file_month", "tip_amount").count().collect()
        print(json.dumps([[str(row[0]), f"{row[1]:.2f}", row[2]] for row in found]), flush=True)
        types = dict(trips.dtypes)
        print(json.dumps({name: types[name] for name in ("unique_row_id", "total_amount", "file_month")}), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
