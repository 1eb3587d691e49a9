"""The sample's taxi zones: as many as the city has, with its boroughs and with numbered names."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from functools import cache
from typing import BinaryIO, Final

from taxi_assets.zones import ZONE_COUNT, ZONES_COLUMNS

NEWARK: Final = 1
JFK: Final = 132
LAGUARDIA: Final = 138

# The boroughs of consecutive zones, again and again: about the city's own proportions.
_BOROUGH_CYCLE: Final = ("Manhattan", "Queens", "Brooklyn", "Bronx", "Manhattan", "Queens", "Brooklyn", "Staten Island")

# Only yellow taxis may pick up in the centre of Manhattan; its north belongs to the Boro Zone.
_MANHATTAN_BORO_ZONE_EVERY: Final = 5


@dataclass(frozen=True)
class Zone:
    """One taxi zone, with its four published values."""

    number: int
    borough: str
    name: str
    service_zone: str


_WELL_KNOWN: Final = {
    zone.number: zone
    for zone in (
        Zone(NEWARK, "EWR", "Newark Airport", "EWR"),
        Zone(JFK, "Queens", "JFK Airport", "Airports"),
        Zone(LAGUARDIA, "Queens", "LaGuardia Airport", "Airports"),
        Zone(264, "Unknown", "Unknown", "N/A"),
        Zone(265, "Unknown", "Outside of NYC", "N/A"),
    )
}


@cache
def sample_zones() -> tuple[Zone, ...]:
    """All zones in the order of their numbers."""
    named: Counter[str] = Counter()
    return tuple(_WELL_KNOWN.get(number) or _made_up(number, named) for number in range(1, ZONE_COUNT + 1))


def zones_served_as(service_zone: str) -> list[int]:
    """Numbers of the zones in which that kind of taxi may pick up."""
    return [zone.number for zone in sample_zones() if zone.service_zone == service_zone]


def write_zones(target: BinaryIO) -> None:
    """Write the zones as the published CSV does: every text in quotes, CRLF line ends."""
    header = ",".join(f'"{column.name}"' for column in ZONES_COLUMNS)
    rows = (f'{zone.number},"{zone.borough}","{zone.name}","{zone.service_zone}"' for zone in sample_zones())
    target.write("".join(f"{line}\r\n" for line in (header, *rows)).encode("ascii"))


def _made_up(number: int, named: Counter[str]) -> Zone:
    borough = _BOROUGH_CYCLE[number % len(_BOROUGH_CYCLE)]
    named[borough] += 1
    centre = borough == "Manhattan" and named[borough] % _MANHATTAN_BORO_ZONE_EVERY != 0
    return Zone(number, borough, f"{borough} {named[borough]}", "Yellow Zone" if centre else "Boro Zone")
