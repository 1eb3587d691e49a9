"""The taxis: each is defined once, by a TOML file beside this module.

Everything else (file names, tables, column types, descriptions, casts, checks, the trip's id, the sample, the report)
derives from these files. To add a taxi, add one file; its content is described in :mod:`taxi_assets.taxis.definition`.
The columns are described as in the data dictionaries that the NYC Taxi and Limousine Commission publishes with its
trip records.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib import resources

from taxi_assets import settings
from taxi_assets.errors import SettingsError, UnknownTaxiOrMonthError
from taxi_assets.taxis.definition import read_taxi
from taxi_assets.taxis.taxi import ADDED_COLUMNS, MEANINGS, Column, Kind, Taxi

__all__ = [
    "ADDED_COLUMNS",
    "MEANINGS",
    "Column",
    "Kind",
    "Taxi",
    "all_taxis",
    "chosen_taxis",
    "get_taxi",
    "taxi_of_main_table",
    "taxi_of_month_asset",
]


@cache
def all_taxis() -> Mapping[str, Taxi]:
    """Every taxi by its name, in alphabetical order.

    Raises:
        DefinitionError: Something in a taxi's file is missing, unknown or contradictory.
    """
    files = sorted(
        (file for file in resources.files(__package__).iterdir() if file.name.endswith(".toml")),
        key=lambda file: file.name,
    )
    taxis = [read_taxi(file.name.removesuffix(".toml"), file.read_text("utf-8")) for file in files]
    return {taxi.name: taxi for taxi in taxis}


def chosen_taxis() -> Mapping[str, Taxi]:
    """The taxis that the settings choose, by their names, in alphabetical order.

    What loads, follows or shows trips asks for these. What recognises tables and files that are there already, or
    removes them, asks for all taxis.

    Raises:
        SettingsError: TAXI_TAXIS names no taxi, or something that is not one.
    """
    known, names = all_taxis(), settings.taxis()
    for name in names:
        if name not in known:
            raise SettingsError(
                f"{settings.TAXIS} names “{name}”, which is not a taxi: choose from {', '.join(known)}."
            )
    return {name: taxi for name, taxi in known.items() if name in names}


def get_taxi(name: str) -> Taxi:
    """The taxi of that name.

    Raises:
        UnknownTaxiOrMonthError: There is no such taxi.
    """
    taxis = all_taxis()
    if name not in taxis:
        raise UnknownTaxiOrMonthError(f"There is no taxi called “{name}”: choose from {', '.join(taxis)}.")
    return taxis[name]


def taxi_of_main_table(table: str) -> Taxi | None:
    """The taxi with that main table; None if no taxi has it."""
    return next((taxi for taxi in all_taxis().values() if taxi.table == table), None)


def taxi_of_month_asset(table: str) -> Taxi | None:
    """The taxi whose monthly tables are that asset; None if no taxi has it."""
    return next((taxi for taxi in all_taxis().values() if taxi.month_asset == table), None)
