"""What a user may choose with variables of ``make``: checked before anything that takes long is imported.

``python -m taxi_assets.choices --port abc`` says in one sentence what can't be chosen.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

from taxi_assets import settings
from taxi_assets.errors import SettingsError, TaxiAssetsError
from taxi_assets.months import Month, last_ended_month, parse_month_range
from taxi_assets.source.address import require_source
from taxi_assets.taxis import Taxi, chosen_taxis, get_taxi

_PORTS: Final = 2**16


def main(arguments: Sequence[str] | None = None) -> int:
    """Check what is given, and return the exit code: 0, or 1 if something can't be chosen."""
    parser = argparse.ArgumentParser(prog="python -m taxi_assets.choices", description=__doc__)
    parser.add_argument("--source", help="what SOURCE is")
    parser.add_argument("--port", help="what PORT is")
    parser.add_argument("--cases", help="what CASES is")
    given = parser.parse_args(arguments)
    try:
        chosen_taxis()
        if given.source is not None:
            require_source(given.source)
        if given.port is not None:
            require_port(given.port)
        if given.cases is not None:
            _require_count("CASES", given.cases)
    except TaxiAssetsError as error:
        print(error)
        return 1
    return 0


def require_port(text: str) -> None:
    """Make sure that this is the number of a port.

    Raises:
        SettingsError: It is not.
    """
    if not _is_number(text) or not 0 < int(text) < _PORTS:
        raise SettingsError(f"PORT is “{text}”: set it to the number of a port, such as 3000.")


def taxis_named(names: Sequence[str]) -> Sequence[Taxi]:
    """The taxis of these names, each of which may be several with commas between them.

    Where none is named, they are those of the settings.

    Raises:
        UnknownTaxiOrMonthError: There is no such taxi.
        SettingsError: TAXI_TAXIS names no taxi, or something that is not one.
    """
    words = [word.strip() for name in names for word in name.split(",") if word.strip()]
    return [get_taxi(word) for word in dict.fromkeys(words)] or list(chosen_taxis().values())


def chosen_months(text: str | None, taxis: Sequence[Taxi], *, by_default: int) -> Sequence[Month]:
    """The months of a text such as ``2019-01...2019-03``; without one, the first months that all of the taxis have.

    Raises:
        UnknownTaxiOrMonthError: It is not a month or a range, or a taxi has no such month.
    """
    months = parse_month_range(text) if text else first_months(taxis, by_default)
    source, last_ended = settings.source_name(), last_ended_month(datetime.now(UTC))
    for taxi in taxis:
        taxi.require_month(months[0], source, last_ended)
        taxi.require_month(months[-1], source, last_ended)
    return months


def first_months(taxis: Sequence[Taxi], count: int) -> Sequence[Month]:
    """The first months that all of the taxis have in the release: at most ``count``."""
    months = [max(taxi.first_month for taxi in taxis)]
    last = min(taxi.last_month for taxi in taxis)
    while len(months) < count and months[-1] < last:
        months.append(months[-1].next())
    return months


def _require_count(variable: str, text: str) -> None:
    if not _is_number(text) or int(text) < 1:
        raise SettingsError(f"{variable} is “{text}”: set it to a whole number, 1 or more.")


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdecimal()


if __name__ == "__main__":
    sys.exit(main())
