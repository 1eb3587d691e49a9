"""Reads the options of external tables over files, and writes the DuckDB expression that reads those files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from sqlglot import exp

FORMATS: Final = ("CSV", "PARQUET")


def stated_options(tree: exp.Expression) -> Mapping[str, Any]:
    """Return the OPTIONS of a statement by their names in lower case."""
    options: dict[str, Any] = {}
    properties = tree.args.get("properties")
    for node in properties.expressions if properties else []:
        if isinstance(node, exp.FileFormatProperty):
            options["format"] = node.this.name.upper()
        elif isinstance(node, exp.Property) and node.args.get("value") is not None:
            options[node.name.lower()] = _value(node.args["value"])
    return options


def reader(files: Sequence[str], columns: Sequence[str], file_format: str, options: Mapping[str, Any]) -> str:
    """Return DuckDB's expression that reads the files; the fields of a CSV are read as text.

    Args:
        files: Their paths.
        columns: Names of the columns, in the order of a CSV.
        file_format: One of ``FORMATS``.
        options: BigQuery's options for CSV, by their names in a statement.
    """
    paths = f"[{', '.join(map(_literal, files))}]"
    if file_format == "PARQUET":
        return f"read_parquet({paths})"
    types = ", ".join(f"{_literal(name)}: 'VARCHAR'" for name in columns)
    quote = _literal(options.get("quote", '"'))
    delimiter = _literal(options.get("field_delimiter") or ",")
    # BigQuery reads a file in which some lines end by LF and others by CRLF; DuckDB does so only if it is not strict.
    return (
        f"read_csv({paths}, columns = {{{types}}}, auto_detect = false, header = false, "
        f"skip = {int(options.get('skip_leading_rows') or 0)}, delim = {delimiter}, "
        f"quote = {quote}, escape = {quote}, nullstr = '', strict_mode = false, parallel = false, "
        f"null_padding = {str(bool(options.get('allow_jagged_rows'))).lower()})"
    )


def _value(node: exp.Expression) -> Any:
    if isinstance(node, exp.Array | exp.Tuple):
        return [_value(element) for element in node.expressions]
    if isinstance(node, exp.Boolean):
        return bool(node.this)
    return node.name if node.is_string else node.sql()


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
