"""`make demo-gcp`: loads some months of all taxis into BigQuery, on emulators, without an account or network."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Sequence

from emulators.errors import EmulatorError
from emulators.running import Emulators, running_emulators
from taxi_assets.demo import Chosen, choose, parsed_options, print_error, run_demo
from taxi_assets.errors import TaxiAssetsError
from taxi_assets.foreground import in_foreground

_CLOUD_SETTINGS = (
    "GCP_PROJECT_ID",
    "GCP_BUCKET_NAME",
    "GCP_DATASET",
    "GCP_CREDS",
    "GOOGLE_APPLICATION_CREDENTIALS",
    "STORAGE_EMULATOR_HOST",
    "BIGQUERY_EMULATOR_HOST",
    "BIGQUERY_STORAGE_EMULATOR_HOST",
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the demo, and return the exit code: 0, 1 if it failed or Google Cloud is configured, 130 if interrupted."""
    options = parsed_options(arguments, "python -m emulators.demo", __doc__)
    try:
        chosen = choose(options)
    except TaxiAssetsError as error:
        print_error(error)
        return 1
    found = [name for name in _CLOUD_SETTINGS if os.environ.get(name)]
    if found:
        print(
            f"This demo runs on emulators only, but there are settings for something else ({', '.join(found)}): unset "
            "them for the demo, or load into your own project as docs/gcp.md explains.",
            file=sys.stderr,
        )
        return 1
    return in_foreground(lambda: _on_emulators(chosen), when_interrupted="Interrupted: nothing of this demo is kept.")


def _on_emulators(chosen: Chosen) -> int:
    try:
        # The emulators keep nothing when they end, so Dagster must not remember their months either.
        with tempfile.TemporaryDirectory(prefix="taxi_demo_gcp_") as home, running_emulators(_say) as emulators:
            os.environ.update({**emulators.variables(), "TAXI_HOME": home})
            for name in ("TAXI_LANDING", "DAGSTER_HOME", "GCP_LOCATION"):
                os.environ.pop(name, None)
            code = _load(chosen, emulators)
    except EmulatorError as error:
        print(error, file=sys.stderr)
        return 1
    _say("The emulators have ended. The table shows their answers, not Google Cloud's: see docs/gcp.md.")
    return code


def _load(chosen: Chosen, emulators: Emulators) -> int:
    _say(
        f"EMULATORS ONLY: gcp-storage-emulator at {emulators.storage} and {emulators.bigquery_name} at "
        f"{emulators.bigquery}. Nothing goes to Google Cloud, and nothing is kept."
    )
    if not _set_up():
        return 1
    return run_demo(chosen, "bigquery", into="an emulator of BigQuery")


def _set_up() -> bool:
    """Run the graph's job ``gcp_setup``."""
    import dagster as dg  # noqa: PLC0415 - after the first message, as it takes seconds

    from taxi_assets.build import build_definitions  # noqa: PLC0415

    job = build_definitions().resolve_job_def("gcp_setup")
    with dg.DagsterInstance.ephemeral() as instance:
        result = job.execute_in_process(
            instance=instance,
            raise_on_error=False,
            run_config={"loggers": {"console": {"config": {"log_level": "ERROR"}}}},
        )
    for event in result.all_events:
        if event.is_successful_output:
            facts = {name: value.value for name, value in event.step_output_data.metadata.items()}
            _say(f"gcp_setup: {facts['name']} made in {facts['location']}")
    return result.success


def _say(line: str) -> None:
    print(line, flush=True)


if __name__ == "__main__":
    sys.exit(main())
