"""The project's settings: environment variables, read in this one place.

======================  ==========================================================================================
``TAXI_HOME``           folder for all state; default ``.taxi`` in the project
``TAXI_SOURCE``         ``release`` (default), ``feed``, ``auto``, ``sample``, a folder, or a base URL
``TAXI_FEED_URL``       base address or folder of the feed; default the official one
``TAXI_LANDING``        where raw files land: a folder, default ``<TAXI_HOME>/landing``, or ``gs://<bucket>/<prefix>``
``TAXI_KEEP_RAW``       ``no`` deletes a month's raw file once it is merged; default ``yes``
``TAXI_MONTHS_AT_ONCE`` months of a range that are under way at the same time; default 4
``TAXI_MONTHS_PER_RUN`` months that one run of a backfill takes; all of them unless set
``TAXI_PRODUCTS``       address of the products in ``getting_started``, or ``sample``; default dummyjson.com
``TAXI_ALERT_WEBHOOK``  address that alerts are sent to, which is a secret; none unless set
======================  ==========================================================================================
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

import dagster as dg

from taxi_assets.errors import SettingsError

GOES_ON: Final = frozenset({"feed", "auto"})
"""Names of the sources that get new months."""

_PROJECT = Path(__file__).resolve().parents[1]


def home() -> Path:
    """The folder for all state. It need not exist yet."""
    value = os.environ.get("TAXI_HOME")
    if value:
        return Path(value).expanduser().absolute()
    # Installed as a package there is no project folder, and the working directory is the next best place.
    project = _PROJECT if (_PROJECT / "pyproject.toml").is_file() else Path.cwd()
    return project / ".taxi"


def source() -> str | dg.EnvVar:
    """The address of the source.

    A set variable is handed on by name, so that an address with a password never enters Dagster's configuration.
    """
    return dg.EnvVar("TAXI_SOURCE") if os.environ.get("TAXI_SOURCE") else "release"


def products_source() -> str | dg.EnvVar:
    """The address of the products of the group ``getting_started``; the sample where trips are samples too."""
    if os.environ.get("TAXI_PRODUCTS"):
        return dg.EnvVar("TAXI_PRODUCTS")
    return "sample" if os.environ.get("TAXI_SOURCE") == "sample" else "https://dummyjson.com/products"


def source_goes_on() -> bool:
    """Whether the source gets a new month every month, as the feed does, and the release does no more."""
    return os.environ.get("TAXI_SOURCE", "").strip() in GOES_ON


def feed() -> str | dg.EnvVar:
    """The address of the feed, handed on by name where it is set, as it may hold a password; else empty."""
    return dg.EnvVar("TAXI_FEED_URL") if os.environ.get("TAXI_FEED_URL") else ""


def landing_folder() -> Path:
    """The folder where raw files land, or where this machine keeps copies of those that land in a bucket."""
    value = os.environ.get("TAXI_LANDING")
    return Path(value).expanduser().absolute() if value and landing_bucket() is None else home() / "landing"


def landing_bucket() -> str | None:
    """The ``gs://`` address where raw files land, if they do so in a bucket."""
    value = os.environ.get("TAXI_LANDING", "").strip()
    return value if value.lower().startswith("gs://") else None


def keep_raw_files() -> bool:
    """Whether raw files stay in the landing zone after their month was merged.

    Raises:
        SettingsError: TAXI_KEEP_RAW is neither yes nor no.
    """
    return switch("TAXI_KEEP_RAW", default=True)


def months_at_once() -> int:
    """How many months of a range are under way at the same time.

    Raises:
        SettingsError: TAXI_MONTHS_AT_ONCE is not a positive whole number.
    """
    return _count("TAXI_MONTHS_AT_ONCE") or 4


def months_per_run() -> int | None:
    """How many months one run of a backfill takes; None for all of them.

    Raises:
        SettingsError: TAXI_MONTHS_PER_RUN is not a positive whole number.
    """
    return _count("TAXI_MONTHS_PER_RUN")


def alert_webhook() -> str | dg.EnvVar:
    """The address that alerts are sent to, handed on by name as it is a secret; empty where there is none."""
    return dg.EnvVar("TAXI_ALERT_WEBHOOK") if os.environ.get("TAXI_ALERT_WEBHOOK") else ""


def _count(name: str) -> int | None:
    value = os.environ.get(name, "").strip()
    if not value:
        return None
    if not value.isdecimal() or int(value) < 1:
        raise SettingsError(f"{name} is “{value}”: set it to a whole number from 1 on.")
    return int(value)


def switch(name: str, *, default: bool) -> bool:
    """Whether the variable of that name says yes or no.

    Raises:
        SettingsError: It says something else.
    """
    value = os.environ.get(name, "").strip().lower()
    words = {"": default, "yes": True, "true": True, "1": True, "no": False, "false": False, "0": False}
    if value not in words:
        raise SettingsError(f"{name} is “{value}”: set it to yes or no.")
    return words[value]
