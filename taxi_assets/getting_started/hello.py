"""Hello: an input with a default, a value that one asset hands to the next, a pause, and words in the log."""

import time
from typing import Final

import dagster as dg
from pydantic import Field

from taxi_assets.assets.stages import OWNERS
from taxi_assets.getting_started.names import GROUP, VALUES

HELLO_POOL: Final = "hello"
"""Pool of the asset that says hello: as many at once as the instance lets a pool have, which is two in dagster.yaml."""


class Greeting(dg.Config):
    """Whom to greet."""

    name: str = Field(default="New York", description="Whom to greet.")


class Pause(dg.Config):
    """How long to think."""

    seconds: float = Field(default=2.0, ge=0, description="How long to pause before saying hello.")


@dg.asset(
    key_prefix=GROUP,
    description="A greeting for the name in the run's configuration, handed to the next asset.",
    kinds={"python"},
    group_name=GROUP,
    owners=OWNERS,
    code_version="1",
    io_manager_key=VALUES,
)
def greeting(context: dg.AssetExecutionContext, config: Greeting) -> str:
    """Make the greeting."""
    text = f"Hello, {config.name}!"
    context.add_output_metadata({"greeting": text})
    return text


@dg.asset(
    key_prefix=GROUP,
    description="Takes the greeting, pauses, and says it in the log. At most two runs at once, others wait.",
    kinds={"python"},
    group_name=GROUP,
    owners=OWNERS,
    code_version="1",
    pool=HELLO_POOL,
    io_manager_key=VALUES,
)
def hello(context: dg.AssetExecutionContext, config: Pause, greeting: str) -> dg.MaterializeResult[None]:
    """Say the greeting after a pause."""
    context.log.info(f"Pausing for {config.seconds:g} s")
    time.sleep(config.seconds)
    context.log.info(greeting)
    return dg.MaterializeResult(metadata={"said": greeting, "paused (s)": config.seconds})


hello_job = dg.define_asset_job(
    "hello",
    selection=dg.AssetSelection.assets(greeting, hello),
    description="Makes a greeting and says it.",
    tags={"group": GROUP},
)
