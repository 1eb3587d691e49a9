"""The sensor that has everything follow the trips: zones, dbt's models and the report's pages."""

from __future__ import annotations

from typing import Final

import dagster as dg

FOLLOW_TRIPS: Final = "follow_trips"


def following_sensor() -> dg.AutomationConditionSensorDefinition:
    """The sensor, which evaluates the assets' own conditions. It is off until you switch it on."""
    return dg.AutomationConditionSensorDefinition(
        FOLLOW_TRIPS,
        target=dg.AssetSelection.all(),
        description=(
            "Builds dbt's models and the report's pages again for the months whose trips have changed, and loads the "
            "zones if they are missing. Months whose blocking checks failed are left out."
        ),
        default_status=dg.DefaultSensorStatus.STOPPED,
        minimum_interval_seconds=30,
        # The conditions are partly the project's own, which only the code server knows.
        use_user_code_server=True,
    )
