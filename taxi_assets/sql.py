"""SQL from readable files: templates beside the module that runs them, rendered with quoted names.

Templates get names (tables, columns) and types, which must be part of the text; values travel as parameters when the
statement is executed. ``"{{ name }}"`` is never written by hand: ``{{ name | identifier }}`` quotes a name, and
``{{ text | literal }}`` a text for the few places that take no parameter. What quotes look like is the warehouse's.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

import jinja2


def identifier(name: str) -> str:
    """A name as SQL writes it, in double quotes."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """A text as SQL writes it, in single quotes."""
    return "'" + text.replace("'", "''") + "'"


@dataclass(frozen=True)
class Quoting:
    """How names and texts are quoted.

    Attributes:
        identifier: Quotes a name.
        literal: Quotes a text.
    """

    identifier: Callable[[str], str] = identifier
    literal: Callable[[str], str] = literal


STANDARD: Final = Quoting()
"""SQL's own quotes."""


def render(package: str, template: str, quoting: Quoting = STANDARD, **values: Any) -> str:
    """The SQL of a template in the folder ``sql`` of ``package``.

    Raises:
        jinja2.UndefinedError: The template uses a value that was not given.
    """
    return _environment(package, quoting).get_template(template).render(**values).strip()


@cache
def _environment(package: str, quoting: Quoting) -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader(package, "sql"),
        undefined=jinja2.StrictUndefined,
        autoescape=False,  # noqa: S701 - this renders SQL, not HTML
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(identifier=quoting.identifier, literal=quoting.literal)
    return environment
