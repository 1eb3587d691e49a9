"""The job that makes the embedded warehouse again from the landing zone."""

import dagster as dg

from taxi_assets.dagster_errors import as_dagster_failures
from taxi_assets.source.resource import TripSource
from taxi_assets.warehouses.duckdb.rebuild import rebuild


@dg.op(required_resource_keys={"source", "duckdb"})
def load_all_that_landed(context: dg.OpExecutionContext) -> dg.Output[None]:
    """Load all months that have landed into a new file, check it, and put it in the old file's place."""
    source: TripSource = context.resources.source
    with as_dagster_failures():
        rebuilt = rebuild(context.resources.duckdb, source, context.log)
    context.log.info(f"{rebuilt.months:,} months with {rebuilt.rows:,} trips are in the new file")
    if rebuilt.left_out:
        context.log.warning(f"Materialize these months, whose raw files were purged: {', '.join(rebuilt.left_out)}")
    if rebuilt.other_tables:
        context.log.warning(
            f"The new file does not have these tables: {', '.join(rebuilt.other_tables)}. Materialize the assets that "
            f"make them, or copy them from {rebuilt.kept}."
        )
    metadata: dict[str, dg.RawMetadataValue] = {
        "months": rebuilt.months,
        "trips": rebuilt.rows,
        "months to materialize": ", ".join(rebuilt.left_out),
        "tables to make again": ", ".join(rebuilt.other_tables),
        **({"old file": dg.MetadataValue.path(str(rebuilt.kept))} if rebuilt.kept else {}),
    }
    return dg.Output(None, metadata=metadata)


@dg.job(
    description=(
        "Makes the DuckDB warehouse again from the raw files in the landing zone: into a new file, which is checked "
        "and then takes the old file's place. The old file stays beside it under another name."
    ),
    executor_def=dg.in_process_executor,
)
def rebuild_duckdb() -> None:
    """Make the DuckDB warehouse again from the landing zone."""
    load_all_that_landed()
