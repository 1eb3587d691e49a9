"""Python with packages of its own: a script that runs in another environment and hands back a value and metadata."""

import warnings
from pathlib import Path
from typing import Final

import dagster as dg
from pydantic import Field

from taxi_assets.dagster_errors import as_dagster_failures
from taxi_assets.errors import IsolatedPythonError
from taxi_assets.getting_started.names import GROUP, VALUES
from taxi_assets.getting_started.resources.isolated_python import IsolatedPython

_ISOLATED: Final = Path(__file__).parents[1] / "isolated"
_SCRIPT: Final = _ISOLATED / "holidays_script.py"
_REQUIREMENTS: Final = _ISOLATED / "requirements.txt"


class Year(dg.Config):
    """The year."""

    year: int = Field(default=2020, ge=1900, le=2100, description="The year whose holidays are wanted.")


@dg.asset(
    name="holidays",
    key_prefix=GROUP,
    description=(
        "New York's public holidays of a year, found by a script in an environment of its own, with packages that the "
        "project does not have. The environment is made on first use, and again when the script's requirements change."
    ),
    kinds={"python"},
    io_manager_key=VALUES,
)
def holidays_of_a_year(
    context: dg.AssetExecutionContext,
    config: Year,
    isolated_python: IsolatedPython,
    pipes: dg.PipesSubprocessClient,
) -> dg.MaterializeResult[dict[str, str]]:
    """Run the script, and hand on the holidays' names by date."""
    with as_dagster_failures(), warnings.catch_warnings():
        python = isolated_python.with_packages(_REQUIREMENTS, context.log)
        # A part of Pipes is marked as a preview; a user of the asset can do nothing about that.
        warnings.simplefilter("ignore", dg.PreviewWarning)
        done = pipes.run(command=[str(python), "-I", str(_SCRIPT)], context=context, extras={"year": config.year})
        messages = done.get_custom_messages()
        if len(messages) != 1:
            raise IsolatedPythonError(
                f"{_SCRIPT.name} handed back {len(messages)} values instead of one: see its output in the run's log."
            )
    metadata = done.get_materialize_result().metadata
    return dg.MaterializeResult(value=dict(messages[0]), metadata=metadata)
