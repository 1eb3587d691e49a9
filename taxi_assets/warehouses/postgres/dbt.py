"""How dbt reaches the PostgreSQL server."""

from __future__ import annotations

from collections.abc import Mapping

from psycopg import pq
from psycopg.conninfo import conninfo_to_dict

from taxi_assets.warehouses.postgres.warehouse import PostgresWarehouse


def prepare_dbt(warehouse: PostgresWarehouse) -> Mapping[str, str]:
    """See :attr:`taxi_assets.warehouses.kind.WarehouseKind.prepare_dbt`.

    Settings that are not in dbt's profile, such as certificates, are passed in libpq's own variables.
    """
    with warehouse.get_connection():
        pass
    given = {name: str(value) for name, value in conninfo_to_dict(warehouse.conninfo()).items() if value is not None}
    ours = {
        "TAXI_DBT_POSTGRES_HOST": given.pop("host", ""),
        "TAXI_DBT_POSTGRES_PORT": given.pop("port", "5432"),
        "TAXI_DBT_POSTGRES_DATABASE": given.pop("dbname", ""),
        "TAXI_DBT_POSTGRES_USER": given.pop("user", ""),
        "TAXI_DBT_POSTGRES_PASSWORD": given.pop("password", ""),
        "TAXI_DBT_POSTGRES_SCHEMA": warehouse.schema_name,
    }
    variables = {
        option.keyword.decode(): option.envvar.decode() for option in pq.Conninfo.get_defaults() if option.envvar
    }
    return {**ours, **{variables[name]: value for name, value in given.items() if name in variables}}
