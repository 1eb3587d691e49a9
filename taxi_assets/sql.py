"""SQL from readable files: templates beside the module that runs them, rendered with quoted names.

Templates get names (tables, columns) and types, which must be part of the text; values travel as parameters when the
statement is executed. ``"{{ name }}"`` is never written by hand: ``{{ name | identifier }}`` quotes, and
``{{ name | backticks }}`` does for BigQuery.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import jinja2


def identifier(name: str) -> str:
    """A name as SQL writes it, in double quotes."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """A text as SQL writes it, in single quotes, for the few places that take no parameter."""
    return "'" + text.replace("'", "''") + "'"


def backticks(name: str) -> str:
    """A name as BigQuery writes it."""
    return "`" + name.replace("\\", "\\\\").replace("`", "\\`") + "`"


def escaped(text: str) -> str:
    """A text as BigQuery writes it, where a backslash would begin something else."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'").replace("\n", "\\n") + "'"


def render(package: str, name: str, **values: Any) -> str:
    """The SQL of the template ``name`` in ``package``.

    Raises:
        jinja2.UndefinedError: The template uses a value that was not given.
    """
    return _environment(package).get_template(name).render(**values).strip()


@cache
def _environment(package: str) -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader(package, "sql"),
        undefined=jinja2.StrictUndefined,
        autoescape=False,  # noqa: S701 - this renders SQL, not HTML
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(identifier=identifier, literal=literal, backticks=backticks, escaped=escaped)
    return environment
