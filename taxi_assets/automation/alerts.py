"""Alerts about failed runs and failed checks, in the log and, where one is set, to a webhook."""

from collections.abc import Mapping, Sequence
from typing import Any

import dagster as dg

from taxi_assets.automation.webhook import Webhook


def alert_sensors() -> Sequence[dg.SensorDefinition]:
    """The sensors that alert. They are on by default, as they start no runs."""

    @dg.run_failure_sensor(
        name="failed_runs",
        default_status=dg.DefaultSensorStatus.RUNNING,
        minimum_interval_seconds=30,
        description="When a run fails, logs the reason and sends it to the webhook in TAXI_ALERT_WEBHOOK.",
    )
    def failed_runs(context: dg.RunFailureSensorContext, webhook: Webhook) -> None:
        text = failure_text(context)
        context.log.error(text)
        webhook.send(text, context.log)

    @dg.run_status_sensor(
        name="failed_checks",
        run_status=dg.DagsterRunStatus.SUCCESS,
        default_status=dg.DefaultSensorStatus.RUNNING,
        minimum_interval_seconds=30,
        description="If checks fail in a run that succeeds, logs their names and sends them to the webhook.",
    )
    def failed_checks(context: dg.RunStatusSensorContext, webhook: Webhook) -> None:
        failed = _failed_checks(context)
        if failed:
            text = "\n".join([f"Checks failed in {_run_in_words(context.dagster_run)}:", *failed])
            context.log.warning(text)
            webhook.send(text, context.log)

    return [failed_runs, failed_checks]


def failure_text(context: dg.RunFailureSensorContext) -> str:
    """What failed, why, and which checks failed in the same run, a line each."""
    causes = [_cause(event) for event in context.get_step_failure_events()]
    # A run whose process was killed has no step that could have said why.
    lines = causes or [context.failure_event.message or "No reason was recorded."]
    return "\n".join([f"Failed: {_run_in_words(context.dagster_run)}", *lines, *_failed_checks(context)])


def _cause(event: dg.DagsterEvent) -> str:
    data = event.step_failure_data
    description = data.user_failure_data.description if data.user_failure_data else None
    if description:
        return description
    error = data.error
    while error is not None and error.cause is not None:
        error = error.cause
    return f"{event.step_key}: {error.message.strip() if error else event.message}"


def _failed_checks(context: dg.RunStatusSensorContext) -> Sequence[str]:
    """A line for each check that failed. Its last evaluation counts, which is the one over all months."""
    types = {dg.DagsterEventType.ASSET_CHECK_EVALUATION}
    evaluations: dict[dg.AssetCheckKey, dg.AssetCheckEvaluation] = {}
    for record in context.instance.get_records_for_run(context.dagster_run.run_id, of_type=types).records:
        event = record.event_log_entry.dagster_event
        if event is not None:
            evaluation = event.asset_check_evaluation_data
            evaluations[evaluation.asset_check_key] = evaluation
    return [_check_in_words(evaluation) for evaluation in evaluations.values() if not evaluation.passed]


def _check_in_words(evaluation: dg.AssetCheckEvaluation) -> str:
    facts: Mapping[str, Any] = {name: value.value for name, value in evaluation.metadata.items()}
    months = facts.get("failed months") or evaluation.partition
    level = "error" if evaluation.severity == dg.AssetCheckSeverity.ERROR else "warning"
    where = f" for {months}" if months else ""
    return f"{level}: {evaluation.asset_key.to_user_string()} failed {evaluation.check_name}{where}"


def _run_in_words(run: dg.DagsterRun) -> str:
    """The run's job, its taxis and months as far as its tags name them, and the short id that the UI shows."""
    about = " ".join(run.tags[name] for name in ("taxi", "month") if name in run.tags)
    job = "assets" if run.job_name.startswith("__") else run.job_name
    return f"{job} {about}".strip() + f" (run {run.run_id[:8]})"
