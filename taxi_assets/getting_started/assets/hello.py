"""Hello: configuration with a default, a value that one asset hands to the next, a pause, and a line in the log."""

import time
from typing import Final

import dagster as dg
from pydantic import Field

from taxi_assets.getting_started.names import GROUP, VALUES

HELLO_POOL: Final = "hello"
"""Pool of the asset that says hello. The instance limits how many of it run at the same time: two in dagster.yaml."""


class Greeting(dg.Config):
    """Whom to greet."""

    name: str = Field(default="New York", description="Whom to greet.")


class Pause(dg.Config):
    """How long to pause."""

    seconds: float = Field(default=2.0, ge=0, description="How long to pause before saying hello.")


@dg.asset(
    key_prefix=GROUP,
    description="A greeting for the name in the run's configuration, handed to the next asset.",
    kinds={"python"},
    io_manager_key=VALUES,
)
def greeting(context: dg.AssetExecutionContext, config: Greeting) -> str:
    """Make the greeting."""
    text = f"Hello, {config.name}!"
    context.add_output_metadata({"greeting": text})
    return text


@dg.asset(
    key_prefix=GROUP,
    description=(
        "Takes the greeting, pauses, and writes it to the log. At most two run at the same time; others wait in the "
        "queue."
    ),
    kinds={"python"},
    pool=HELLO_POOL,
    io_manager_key=VALUES,
)
def hello(context: dg.AssetExecutionContext, config: Pause, greeting: str) -> dg.MaterializeResult[None]:
    """Say the greeting after a pause."""
    context.log.info(f"Pausing for {config.seconds:g} s")
    time.sleep(config.seconds)
    context.log.info(greeting)
    return dg.MaterializeResult(metadata={"said": greeting, "paused (s)": config.seconds})
