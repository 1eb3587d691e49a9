"""What a warehouse holds, read by its own client library, without any code of the project."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

from chaos.strict.columns import strict_taxi
from chaos.strict.csv_files import Row

HeldRow = tuple[str, str, Row]
"""Id, filename and the values of a row in the order of the taxi's columns."""


@dataclass(frozen=True)
class Held:
    """What a warehouse holds of one taxi.

    Attributes:
        tables: Kind of each table and view by its name.
        rows: The rows of the main table by the month of their file, as ``2019-01``.
        digests: A digest of these rows, whatever their order.
    """

    tables: Mapping[str, str] = field(default_factory=dict)
    rows: Mapping[str, Sequence[HeldRow]] = field(default_factory=dict)
    digests: Mapping[str, str] = field(default_factory=dict)

    def has_only(self, *names: str) -> str:
        """What is wrong about the tables' names, or empty."""
        missing, left = set(names) - set(self.tables), set(self.tables) - set(names)
        parts = [
            f"{word}: {', '.join(sorted(found))}" for word, found in (("missing", missing), ("left", left)) if found
        ]
        return "; ".join(parts)


def held_in(warehouse: str, settings: Mapping[str, Any], taxi: str, *, with_rows: bool = True) -> Held:
    """What the warehouse of that name holds of a taxi.

    Args:
        warehouse: ``duckdb``, ``postgres`` or ``bigquery``.
        settings: Where it is, as ``Project`` states it; for DuckDB ``path``.
        taxi: The taxi's name.
        with_rows: False leaves out the rows, whose digest is enough for large months.
    """
    read = {"duckdb": _held_in_duckdb, "postgres": _held_in_postgres, "bigquery": _held_in_bigquery}[warehouse]
    tables, rows = read(settings, taxi)
    by_month = _by_month(rows, taxi)
    digests = {month: digest(rows) for month, rows in by_month.items()}
    return Held(tables, by_month if with_rows else {}, digests)


def digest(rows: Iterable[HeldRow]) -> str:
    """A digest of rows, whatever their order."""
    whole = hashlib.sha256()
    for line in sorted(repr(_plain(row)) for row in rows):
        whole.update(line.encode("utf-8", "surrogateescape"))
    return whole.hexdigest()


def differences(expected: Sequence[HeldRow], found: Sequence[HeldRow]) -> str:
    """How found rows differ from those expected, in a few words, or empty."""
    wanted, there = Counter(map(_plain, expected)), Counter(map(_plain, found))
    lost, added = list((wanted - there).elements()), list((there - wanted).elements())
    if not lost and not added:
        return ""
    shown = ""
    if lost and added:
        flat = [[id_, name, *values] for id_, name, values in (min(lost, key=repr), min(added, key=repr))]
        pairs = [f"{was!r} became {is_!r}"[:150] for was, is_ in zip(*flat, strict=True) if was != is_]
        shown = f" ({'; '.join(pairs[:3])})"
    return f"{len(lost)} of {len(expected)} rows are missing and {len(added)} others there{shown}"


def _plain(row: HeldRow) -> HeldRow:
    """The row with each number in one spelling, so that equal values have equal texts."""
    id_, filename, values = row
    return id_, filename, tuple(f"{(v + 0).normalize():f}" if isinstance(v, Decimal) else v for v in values)


def _by_month(rows: Iterable[Mapping[str, Any]], taxi: str) -> dict[str, list[HeldRow]]:
    names = [column.name.lower() for column in strict_taxi(taxi).columns]
    months: dict[str, list[HeldRow]] = {}
    for row in rows:
        named = {name.lower(): value for name, value in row.items()}
        month: date = named["file_month"]
        id_ = named["unique_row_id"]
        values = tuple(_value(named[name]) for name in names)
        held = (id_.hex if isinstance(id_, UUID) else str(id_), named["filename"], values)
        months.setdefault(f"{month:%Y-%m}", []).append(held)
    return months


def _value(value: Any) -> Any:
    return value.replace(tzinfo=None) if isinstance(value, datetime) else value


def _held_in_duckdb(settings: Mapping[str, Any], taxi: str) -> tuple[dict[str, str], list[dict[str, Any]]]:
    import duckdb  # noqa: PLC0415 - each library is imported where it is used

    path = Path(settings["path"])
    if not path.exists():
        return {}, []
    with duckdb.connect(path, read_only=True) as connection:
        statement = "SELECT table_name, table_type FROM information_schema.tables WHERE table_schema = 'main'"
        tables: dict[str, str] = dict(connection.execute(statement).fetchall())
        if f"{taxi}_tripdata" not in tables:
            return tables, []
        result = connection.execute(f'FROM "{taxi}_tripdata"')
        names = [column[0] for column in result.description]
        return tables, [dict(zip(names, row, strict=True)) for row in result.fetchall()]


def _held_in_postgres(settings: Mapping[str, Any], taxi: str) -> tuple[dict[str, str], list[dict[str, Any]]]:
    import psycopg  # noqa: PLC0415
    from psycopg import sql  # noqa: PLC0415
    from psycopg.rows import dict_row  # noqa: PLC0415

    with psycopg.connect(settings["direct_url"], autocommit=True) as connection:
        schema = settings["schema_name"]
        found = connection.execute(
            "SELECT relname, relkind::text FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace"
            " WHERE nspname = %s AND relkind IN ('r', 'p', 'v', 'm', 'S')",
            (schema,),
        ).fetchall()
        tables: dict[str, str] = dict(found)
        if f"{taxi}_tripdata" not in tables:
            return tables, []
        statement = sql.SQL("SELECT * FROM {}").format(sql.Identifier(schema, f"{taxi}_tripdata"))
        return tables, list(connection.cursor(row_factory=dict_row).execute(statement))


def _held_in_bigquery(settings: Mapping[str, Any], taxi: str) -> tuple[dict[str, str], list[dict[str, Any]]]:
    from google.api_core.client_options import ClientOptions  # noqa: PLC0415
    from google.auth.credentials import AnonymousCredentials  # noqa: PLC0415
    from google.cloud import bigquery  # noqa: PLC0415

    client = bigquery.Client(
        settings["project"],
        credentials=AnonymousCredentials(),  # type: ignore[no-untyped-call]
        client_options=ClientOptions(api_endpoint=settings["endpoint"]),
    )
    with client:
        dataset = f"{settings['project']}.{settings['dataset']}"
        tables: dict[str, str] = {table.table_id: table.table_type for table in client.list_tables(dataset)}
        if f"{taxi}_tripdata" not in tables:
            return tables, []
        rows = client.query(f"SELECT * FROM `{dataset}.{taxi}_tripdata`").result()
        return tables, [dict(row.items()) for row in rows]
