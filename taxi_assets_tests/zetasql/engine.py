"""Answers requests with ZetaSQL: a line of JSON each on its input and output. It runs in ZetaSQL's own environment.

A request has a ``statement``, and the ``tables`` that it may name: the type of each column by its name. ZetaSQL
analyzes the statement. If the request also has ``rows`` of tables, the statement must be a query of texts, which is
evaluated on them, in the session's ``time_zone``. The answer has the ``rows`` of a query, or an ``error``.

The environment keeps ZetaSQL's machine code in a file, because to compile it takes a minute.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import wasmtime
import zetasql.core.wasm_client
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp
from zetasql.api import CatalogBuilder, TableBuilder
from zetasql.core.exceptions import ServerError
from zetasql.core.local_service import ZetaSqlLocalService
from zetasql.types import (
    AnalyzeRequest,
    AnalyzerOptions,
    EvaluateQueryRequest,
    LanguageOptions,
    ProductMode,
    SimpleCatalog,
    TableContent,
    TableData,
    Type,
    TypeKind,
    Value,
    ZetaSQLBuiltinFunctionOptions,
)
from zetasql.wasi._pb2.zetasql.local_service.local_service_pb2 import AnalyzeResponse, EvaluateQueryResponse
from zetasql.wasi._pb2.zetasql.public.value_pb2 import ValueProto

Tables = Mapping[str, Mapping[str, str]]
"""Names and types of the columns of each table."""

KINDS = {
    "BOOL": TypeKind.TYPE_BOOL,
    "DATE": TypeKind.TYPE_DATE,
    "DATETIME": TypeKind.TYPE_DATETIME,
    "FLOAT64": TypeKind.TYPE_DOUBLE,
    "INT64": TypeKind.TYPE_INT64,
    "NUMERIC": TypeKind.TYPE_NUMERIC,
    "STRING": TypeKind.TYPE_STRING,
    "TIMESTAMP": TypeKind.TYPE_TIMESTAMP,
}

ALIASES = [("INTEGER", "INT64"), ("INT", "INT64"), ("BIGINT", "INT64"), ("DECIMAL", "NUMERIC")]
"""Other names of BigQuery's for its types, which ZetaSQL looks up in the catalog."""


def numeric(text: str) -> Value:
    """A NUMERIC: its billionths as a signed number, lowest byte first."""
    billionths = int(Decimal(text).scaleb(9))
    return Value(numeric_value=billionths.to_bytes(16, "little", signed=True))


def timestamp(microseconds: int) -> Value:
    """A TIMESTAMP, counted from 1970 in UTC."""
    seconds, rest = divmod(microseconds, 1_000_000)
    return Value(timestamp_value=Timestamp(seconds=seconds, nanos=rest * 1_000))


VALUES: Mapping[str, Callable[[Any], Value]] = {
    "BOOL": lambda value: Value(bool_value=value),
    "FLOAT64": lambda value: Value(double_value=value),
    "INT64": lambda value: Value(int64_value=value),
    "NUMERIC": numeric,
    "STRING": lambda value: Value(string_value=value),
    "TIMESTAMP": timestamp,
}


class KeptModule:
    """Stands for wasmtime's Module, and compiles a file only if its machine code is not kept yet."""

    def __init__(self, kept: Path) -> None:
        self._kept = kept

    def from_file(self, engine: wasmtime.Engine, path: str) -> wasmtime.Module:
        """Return the module of a file."""
        try:
            return wasmtime.Module.deserialize_file(engine, str(self._kept))
        except wasmtime.WasmtimeError:
            # It is not there, or is that of another version or another processor.
            module = wasmtime.Module.from_file(engine, path)
            unfinished = self._kept.with_suffix(".unfinished")
            unfinished.write_bytes(module.serialize())
            unfinished.replace(self._kept)
            return module


class Engine:
    """ZetaSQL with all features that BigQuery may have, and with BigQuery's names of types only."""

    def __init__(self, kept: Path) -> None:
        # Even the list of features comes from the module.
        zetasql.core.wasm_client.Module = KeptModule(kept)
        self._service = ZetaSqlLocalService.get_instance()
        self._language = LanguageOptions.maximum_features()
        self._language.product_mode = ProductMode.PRODUCT_EXTERNAL

    def answer(self, request: Mapping[str, Any]) -> Mapping[str, Any]:
        """Do what a request asks for."""
        statement, tables = request["statement"], request["tables"]
        options = AnalyzerOptions(language_options=self._language, default_timezone=request["time_zone"])
        given = {"options": options, "simple_catalog": self._catalog(tables)}
        try:
            if "rows" not in request:
                self._call("Analyze", AnalyzeRequest(sql_statement=statement, **given), AnalyzeResponse)
                return {}
            contents = {name: content(tables[name], rows) for name, rows in request["rows"].items()}
            query = EvaluateQueryRequest(sql=statement, table_content=contents, **given)
            found = self._call("EvaluateQuery", query, EvaluateQueryResponse).content.table_data.row
        except ServerError as error:
            return {"error": str(error)}
        return {"rows": [[text(cell) for cell in row.cell] for row in found]}

    def _call(self, method: str, request: Any, response: type[Message]) -> Any:
        # The service's own methods make Python objects of whole syntax trees, which takes longer than the analysis.
        return self._service.wasm_client.call_grpc_func(f"ZetaSqlLocalService_{method}", request.to_proto(), response)

    def _catalog(self, tables: Tables) -> SimpleCatalog:
        functions = ZetaSQLBuiltinFunctionOptions(language_options=self._language)
        builder = CatalogBuilder("catalog").with_builtin_functions(functions)
        for name, columns in tables.items():
            table = TableBuilder(name)
            for column, kind in columns.items():
                table.add_column(column, KINDS[kind])
            builder.add_table(table.build())
        built = builder.build()
        built.named_type = [
            SimpleCatalog.NamedType(name=name, type=Type(type_kind=KINDS[kind])) for name, kind in ALIASES
        ]
        return built


def text(cell: ValueProto) -> str | None:
    """The text in a cell of a result."""
    return cell.string_value if cell.HasField("string_value") else None


def content(columns: Mapping[str, str], rows: Iterable[Iterable[Any]]) -> TableContent:
    """The rows of a table."""
    makers = [VALUES[kind] for kind in columns.values()]
    cells = ([Value() if v is None else make(v) for make, v in zip(makers, row, strict=True)] for row in rows)
    return TableContent(table_data=TableData(row=[TableData.Row(cell=list(row)) for row in cells]))


def main() -> None:
    """Answer requests until the input ends."""
    engine = Engine(Path(sys.prefix) / "zetasql.cwasm")
    for line in sys.stdin:
        print(json.dumps(engine.answer(json.loads(line))), flush=True)


if __name__ == "__main__":
    main()
