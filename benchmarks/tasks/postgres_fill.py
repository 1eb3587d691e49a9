"""Fills two main tables in PostgreSQL with months: the project's and the course's, with the same number of rows."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from psycopg import sql

from benchmarks.tasks.files import current_file, landed_file
from benchmarks.tasks.postgres_database import connect, url
from benchmarks.tasks.stopwatch import Stopwatch
from taxi_assets.errors import TaxiAssetsError
from taxi_assets.months import Month
from taxi_assets.taxis import Taxi, get_taxi
from taxi_assets.warehouses.postgres.warehouse import PostgresWarehouse
from taxi_assets_tests.postgres import course_oracle

_log = logging.getLogger(__name__)


def fill(*, landing: str, taxi: str, month: str, months: list[str], schema: str, course_schema: str) -> dict[str, Any]:
    """Load a landed month in both ways, and make the server copy it, with other ids, as all the other months.

    Returns:
        Rows and bytes of both main tables, each with the other months only.
    """
    known_taxi, copied = get_taxi(taxi), Month.parse(month)
    others = [Month.parse(other) for other in months]
    landed = landed_file(landing, known_taxi, copied)
    warehouse = PostgresWarehouse(url=url(), schema_name=schema)
    with Stopwatch() as watch:
        warehouse.load_month(known_taxi, copied, current_file(landing, known_taxi, copied), _log)
        warehouse.merge_month(known_taxi, copied, _log)
        with connect(course_schema) as connection:
            course_oracle.load_as_the_course_does(connection, known_taxi, copied, landed.path)
        with ThreadPoolExecutor() as pool:
            own = pool.submit(_fill_partitions, schema, known_taxi, copied, others)
            theirs = pool.submit(_fill_course, course_schema, known_taxi, others)
            rows, course_rows = own.result(), theirs.result()
        warehouse.remove_month(known_taxi, copied, _log)
    if rows != course_rows:
        raise TaxiAssetsError(f"The project's main table has {rows} rows, but the course's has {course_rows}.")
    return {
        "seconds": watch.seconds,
        "rows": rows,
        "bytes": _bytes(schema),
        "course_bytes": _bytes(course_schema),
    }


def _fill_partitions(schema: str, taxi: Taxi, copied: Month, months: Sequence[Month]) -> int:
    """Add partitions to the project's main table in the project's way: fill, index, attach."""
    rows = 0
    with connect(schema) as connection:
        connection.execute("SET maintenance_work_mem = '256MB'")
        for month in months:
            names = {
                "main": sql.Identifier(taxi.table),
                "month": sql.Identifier(taxi.month_table(month)),
                "copied": sql.Identifier(taxi.month_table(copied)),
                "columns": _columns(taxi),
                "id": sql.SQL("CAST(md5(unique_row_id || {}) AS uuid)").format(sql.Literal(str(month))),
                "filename": sql.Literal(taxi.csv_name(month)),
                "day": sql.Literal(str(month.first_day)),
            }
            create = "CREATE TABLE {month} (LIKE {main} INCLUDING COMMENTS, CHECK (file_month = {day}))"
            connection.execute(sql.SQL(create).format(**names))
            insert = "INSERT INTO {month} SELECT {id}, {filename}, DATE {day}, {columns} FROM {copied}"
            rows += connection.execute(sql.SQL(insert).format(**names)).rowcount
            connection.execute(
                sql.SQL("ALTER TABLE {month} ADD PRIMARY KEY (unique_row_id, file_month)").format(**names)
            )
            connection.execute(sql.SQL("VACUUM (ANALYZE) {month}").format(**names))
            attach = "ALTER TABLE {main} ATTACH PARTITION {month} FOR VALUES IN ({day})"
            connection.execute(sql.SQL(attach).format(**names))
    return rows


def _fill_course(schema: str, taxi: Taxi, months: Sequence[Month]) -> int:
    """Create the course's main table again, with copies of the month that it holds now."""
    rows = 0
    main, copied = sql.Identifier(course_oracle.MAIN), sql.Identifier("copied")
    with connect(schema) as connection:
        connection.execute(sql.SQL("ALTER TABLE {} RENAME TO {}").format(main, copied))
        connection.execute(sql.SQL("CREATE TABLE {} (LIKE {})").format(main, copied))
        for month in months:
            insert = sql.SQL("INSERT INTO {} SELECT md5(unique_row_id || {}), {}, {} FROM {}").format(
                main, sql.Literal(str(month)), sql.Literal(taxi.csv_name(month)), _columns(taxi), copied
            )
            rows += connection.execute(insert).rowcount
        connection.execute(sql.SQL("VACUUM (ANALYZE) {}").format(main))
        connection.execute(sql.SQL("DROP TABLE {}").format(copied))
    return rows


def _columns(taxi: Taxi) -> sql.Composed:
    return sql.SQL(", ").join(sql.Identifier(name.lower()) for name in taxi.header)


def _bytes(schema: str) -> int:
    """Return the bytes that a schema's tables occupy on the disk, including indexes."""
    statement = (
        "SELECT sum(pg_total_relation_size(oid)) FROM pg_class"
        " WHERE relnamespace = CAST(%s AS regnamespace) AND relkind = 'r'"
    )
    with connect(schema) as connection:
        return int(connection.execute(statement, (schema,)).fetchall()[0][0])
