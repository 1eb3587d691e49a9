"""The jobs that set up, check and tear down Google Cloud. They exist only if Google Cloud is configured."""

from collections.abc import Sequence

import dagster as dg
from pydantic import Field

from taxi_assets import settings
from taxi_assets.dagster_errors import as_dagster_failures
from taxi_assets.errors import SettingsError
from taxi_assets.gcp.admin.check import as_markdown, as_text, check
from taxi_assets.gcp.admin.setup import Prepared, prepare_bucket, prepare_dataset
from taxi_assets.gcp.admin.teardown import Remains, empty_bucket, empty_dataset
from taxi_assets.gcp.resources import BigQueryDataset, GcsBucket, required


def gcp_jobs() -> Sequence[dg.JobDefinition]:
    """The jobs ``gcp_setup``, ``gcp_check`` and ``gcp_teardown``."""
    return [gcp_setup, gcp_check, gcp_teardown]


class NewBucket(dg.Config):
    """Settings of a bucket that the job creates."""

    storage_class: str = Field(
        default="STANDARD",
        description="Storage class of the files, which decides their price: STANDARD, NEARLINE, COLDLINE or ARCHIVE.",
    )
    delete_files_after_days: int | None = Field(
        default=None, ge=1, description="Age in days at which the bucket deletes a file. By default, it keeps files."
    )


class Confirmation(dg.Config):
    """The project and dataset to tear down, repeated as a confirmation, and whether anything is deleted."""

    project: str
    dataset: str
    dry_run: bool = Field(default=True, description="If true, only list what would be deleted.")


@dg.op(description="Creates the bucket unless it exists.")
def bucket_is_there(context: dg.OpExecutionContext, config: NewBucket, gcs: GcsBucket) -> dg.Output[None]:
    """Create the bucket unless it exists."""
    with as_dagster_failures():
        prepared = prepare_bucket(
            gcs,
            context.log,
            storage_class=config.storage_class,
            delete_files_after_days=config.delete_files_after_days,
        )
    return _prepared(prepared)


@dg.op(description="Creates the dataset unless it exists.")
def dataset_is_there(context: dg.OpExecutionContext, bigquery: BigQueryDataset) -> dg.Output[None]:
    """Create the dataset unless it exists."""
    with as_dagster_failures():
        prepared = prepare_dataset(bigquery, context.log)
    return _prepared(prepared)


# The two ops do not depend on each other, so each gets a process of its own.
@dg.job(
    description="Creates the bucket and the dataset, in parallel. What already exists is not changed.",
    executor_def=dg.multiprocess_executor,
)
def gcp_setup() -> None:
    """Create the bucket and the dataset, in parallel."""
    bucket_is_there()
    dataset_is_there()


@dg.op(description="Checks settings, credentials, bucket, dataset and permissions.")
def look(context: dg.OpExecutionContext, gcs: GcsBucket, bigquery: BigQueryDataset) -> dg.Output[None]:
    """Show the table of findings, and fail if a load could not work."""
    with as_dagster_failures():
        findings = check(gcs, bigquery)
    table = dg.MetadataValue.md(as_markdown(findings))
    context.log.info(f"Google Cloud:\n{as_text(findings)}")
    bad = [finding for finding in findings if not finding.is_good]
    if bad:
        raise dg.Failure(
            f"{bad[0].subject} is {bad[0].state} ({bad[0].detail}); {len(bad) - 1} more findings are in the table.",
            metadata={"findings": table},
            allow_retries=False,
        )
    return dg.Output(None, metadata={"findings": table})


@dg.job(
    description="Shows what is set, what is missing, what can be reached, and which permissions are missing.",
    executor_def=dg.in_process_executor,
)
def gcp_check() -> None:
    """Show what is set, what is missing, what can be reached, and which permissions are missing."""
    look()


@dg.op(description="Deletes the tables and files that this project created, or lists them if dry_run is true.")
def tear_down(
    context: dg.OpExecutionContext, config: Confirmation, gcs: GcsBucket, bigquery: BigQueryDataset
) -> dg.Output[None]:
    """Delete what this project created, or list it if ``dry_run`` is true."""
    with as_dagster_failures():
        _require_confirmation(config, bigquery)
        remains = [
            empty_dataset(bigquery, context.log, dry_run=config.dry_run),
            empty_bucket(gcs, context.log, dry_run=config.dry_run),
        ]
    lines = [line for each in remains for line in each.lines(dry_run=config.dry_run)]
    context.log.info("\n".join([_headline(remains, dry_run=config.dry_run), *lines]))
    return dg.Output(None, metadata={"outcome": dg.MetadataValue.md("\n".join(f"- {line}" for line in lines))})


@dg.job(
    description=(
        "Deletes the tables and files that this project created, then the dataset and the bucket if this project "
        "created them and they are empty. The run's configuration must repeat the names of project and dataset. "
        "Unless dry_run is false, the job only lists what it would delete."
    ),
    executor_def=dg.in_process_executor,
)
def gcp_teardown() -> None:
    """Delete the tables and files that this project created."""
    tear_down()


def _prepared(prepared: Prepared) -> dg.Output[None]:
    return dg.Output(
        None,
        metadata={
            "name": prepared.name,
            "location": prepared.location,
            "made now": prepared.made,
            "made by this project": prepared.ours,
        },
    )


def _require_confirmation(config: Confirmation, dataset: BigQueryDataset) -> None:
    wanted = (required(dataset.project, settings.GCP_PROJECT), dataset.dataset_name)
    if (config.project, config.dataset) != wanted:
        raise SettingsError(
            f"Nothing was deleted, because the run's configuration names {config.project}.{config.dataset} and the "
            f"settings name {'.'.join(wanted)}: correct the configuration, then run again."
        )


def _headline(remains: Sequence[Remains], *, dry_run: bool) -> str:
    count = sum(len(each.ours) for each in remains)
    if dry_run:
        return f"Nothing was deleted. With dry_run: false, {count:,} tables and files would be deleted:"
    return f"{count:,} tables and files were deleted:"
