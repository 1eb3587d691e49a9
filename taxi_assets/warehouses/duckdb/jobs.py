"""The job that creates the embedded warehouse again from the landing zone."""

import dagster as dg

from taxi_assets.dagster_errors import as_dagster_failures
from taxi_assets.source.resource import TripSource
from taxi_assets.warehouses.duckdb.rebuild import rebuild


@dg.op(required_resource_keys={"source", "duckdb"})
def load_all_that_landed(context: dg.OpExecutionContext) -> dg.Output[None]:
    """Load all landed months into a new file, check it, and replace the old file by it."""
    source: TripSource = context.resources.source
    with as_dagster_failures():
        rebuilt = rebuild(context.resources.duckdb, source, context.log)
    context.log.info(f"{rebuilt.months:,} months with {rebuilt.rows:,} trips are in the new file")
    if rebuilt.left_out:
        context.log.warning(
            f"These months are not in the new file, because their raw files were purged: materialize them again: "
            f"{', '.join(rebuilt.left_out)}"
        )
    if rebuilt.other_tables:
        context.log.warning(
            f"These tables are not in the new file: {', '.join(rebuilt.other_tables)}. Materialize their assets, or "
            f"copy the tables from {rebuilt.kept}."
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
        "Creates the DuckDB warehouse again from the raw files in the landing zone. The months are loaded into a new "
        "file, which is checked and then replaces the old file. The old file is kept beside it under another name."
    ),
    executor_def=dg.in_process_executor,
)
def rebuild_duckdb() -> None:
    """Create the DuckDB warehouse again from the landing zone."""
    load_all_that_landed()
