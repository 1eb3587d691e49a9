"""The taxi zones: the one reference file beside the monthly files."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from taxi_assets import settings
from taxi_assets.taxis import Column

ZONES_TABLE: Final = "taxi_zones"
ZONES_PATH: Final = "misc/taxi_zone_lookup.csv"
ZONE_COUNT: Final = 265
ZONES_DESCRIPTION: Final = (
    "The zones of the Taxi and Limousine Commission. Trips refer to them by number as pickup and dropoff."
)
ZONES_COLUMNS: Final = (
    Column("LocationID", "integer", "Number of the zone, as used in trips.", required=True),
    Column("Borough", "text", "Borough of the zone; EWR for Newark Airport, Unknown if there is none."),
    Column("Zone", "text", "Name of the zone."),
    Column("service_zone", "text", "Yellow Zone, Boro Zone, Airports or EWR: which taxis may pick up there."),
)


@dataclass(frozen=True)
class ZonesDefinition:
    """The definition of the zones table, by which its file is read.

    Attributes:
        table: Name of the table.
        columns: Its columns; the first identifies a zone.
    """

    table: str = ZONES_TABLE
    columns: tuple[Column, ...] = ZONES_COLUMNS


ZONES: Final = ZonesDefinition()
"""The one definition of the zones."""


def expected_zones() -> int:
    """The number of zones that the table must have.

    Raises:
        SettingsError: TAXI_ZONE_COUNT is not a positive whole number.
    """
    return settings.zone_count() or ZONE_COUNT
