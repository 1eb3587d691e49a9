"""Every setting: the environment variable, its meaning, its default, and the function that reads it.

``SETTINGS`` is the table in ``docs/guide.md``. No other module of the package reads an environment variable by its
name, except for those of Dagster's services, which docker-compose.yml sets (``deployment/health.py``). Values that may
hold a password are passed on by the variable's name (``dg.EnvVar``), so that they never enter Dagster's configuration.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from taxi_assets.errors import SettingsError

if TYPE_CHECKING:
    import dagster as dg

PROJECT_FOLDER: Final = Path(__file__).resolve().parents[1]
"""The project's folder, where the package is used from a checkout."""


@dataclass(frozen=True)
class Setting:
    """One environment variable.

    Attributes:
        name: The variable.
        default: The value that applies where it is not set, in the guide's words (Markdown).
        meaning: What it is for, in the guide's words (Markdown).
    """

    name: str
    default: str
    meaning: str

    def __str__(self) -> str:
        """The variable's name, for messages."""
        return self.name

    def read(self) -> str:
        """Its value without blanks at the ends; empty where it is not set."""
        return os.environ.get(self.name, "").strip()

    def by_name(self) -> dg.EnvVar | None:
        """The variable's name, for a value that Dagster reads when it is needed; None where it is not set."""
        return _env_var(self.name) if self.read() else None


def _env_var(name: str) -> dg.EnvVar:
    # `make status` and the supervisor of `make up` need no Dagster, which takes almost two seconds to import.
    import dagster as dg  # noqa: PLC0415

    return dg.EnvVar(name)


HOME: Final = Setting(
    "TAXI_HOME", "`.taxi` in the project", "folder for all state: `landing/`, `warehouse.duckdb`, `dagster/`, `report/`"
)
SOURCE: Final = Setting(
    "TAXI_SOURCE",
    "`release`",
    "`release` (the published CSV files over HTTPS, until 2021-07), `feed` (the official Parquet files, every month), "
    "`auto` (the release up to its last month, then the feed), `sample` (generated on this machine), a folder, or a "
    "base URL",
)
TAXIS: Final = Setting(
    "TAXI_TAXIS",
    "`green,yellow`",
    "the taxis that are loaded and reported on, with commas between them: `green`, `yellow`, `fhv`, `fhvhv`",
)
FEED: Final = Setting("TAXI_FEED_URL", "the official one", "base address or folder of the feed")
LANDING: Final = Setting(
    "TAXI_LANDING",
    "`$TAXI_HOME/landing`",
    "where raw files land: a folder, or `gs://<bucket>/<prefix>` for machines that don't share a disk",
)
KEEP_RAW: Final = Setting("TAXI_KEEP_RAW", "`yes`", "`no` deletes a month's raw file after the month is merged")
ZONE_COUNT: Final = Setting(
    "TAXI_ZONE_COUNT", "265", "how many zones the file of the taxi zones must have, for a mirror that has others"
)
MONTHS_AT_ONCE: Final = Setting("TAXI_MONTHS_AT_ONCE", "4", "months of a range that are in progress at the same time")
MONTHS_PER_RUN: Final = Setting("TAXI_MONTHS_PER_RUN", "all", "months that one run of a backfill from the UI takes")
ALERT_WEBHOOK: Final = Setting("TAXI_ALERT_WEBHOOK", "none", "address that alerts are sent to; a secret")
PRODUCTS: Final = Setting(
    "TAXI_PRODUCTS",
    "`https://dummyjson.com/products`; `sample` where `TAXI_SOURCE` is `sample`",
    "address of the products of the group `getting_started`, or `sample`",
)

POSTGRES_URL: Final = Setting(
    "TAXI_POSTGRES_URL",
    "none",
    "`postgresql://user:password@host:port/database?sslmode=require`; adds PostgreSQL to the graph",
)
POSTGRES_HOST: Final = Setting(
    "TAXI_POSTGRES_HOST", "none", "host name or address, in place of the URL; adds PostgreSQL to the graph"
)
POSTGRES_PORT: Final = Setting("TAXI_POSTGRES_PORT", "5432", "port, where there is a host")
POSTGRES_DATABASE: Final = Setting("TAXI_POSTGRES_DATABASE", "none", "database, required with a host")
POSTGRES_USER: Final = Setting("TAXI_POSTGRES_USER", "none", "user, required with a host")
POSTGRES_PASSWORD: Final = Setting("TAXI_POSTGRES_PASSWORD", "none", "password of the user; a secret")
POSTGRES_SSLMODE: Final = Setting("TAXI_POSTGRES_SSLMODE", "`prefer`", "libpq's `sslmode`")
POSTGRES_SCHEMA: Final = Setting(
    "TAXI_POSTGRES_SCHEMA", "`public`", "schema of the tables, which is created if it is missing"
)

LAKE: Final = Setting(
    "TAXI_LAKE",
    "none",
    "folder for the trips as Parquet files by month, or `yes` for `$TAXI_HOME/lake`; adds the lake to the graph",
)

GCP_PROJECT: Final = Setting("GCP_PROJECT_ID", "none", "project in Google Cloud; adds BigQuery to the graph")
GCP_LOCATION: Final = Setting("GCP_LOCATION", "`US`", "location of the bucket, the dataset and the jobs")
GCP_BUCKET: Final = Setting("GCP_BUCKET_NAME", "none", "bucket that raw files are kept in, required with a project")
GCP_DATASET: Final = Setting("GCP_DATASET", "none", "dataset that tables are kept in, required with a project")
GCP_CREDENTIALS: Final = Setting(
    "GCP_CREDS", "Application Default Credentials", "path of a JSON key file, or that JSON; a secret"
)
GCP_MAXIMUM_BYTES_BILLED: Final = Setting(
    "TAXI_GCP_MAXIMUM_BYTES_BILLED",
    "107374182400 (100 GiB)",
    "a query that would bill more fails and costs nothing; `0` for no limit",
)
GCP_KEEP_TABLES: Final = Setting(
    "TAXI_GCP_KEEP_TABLES", "`no`", "`yes` keeps a month's external and monthly table after the month is merged"
)
STORAGE_EMULATOR: Final = Setting("STORAGE_EMULATOR_HOST", "none", "address of an emulator of Cloud Storage")
BIGQUERY_EMULATOR: Final = Setting("BIGQUERY_EMULATOR_HOST", "none", "address of an emulator of BigQuery")
BIGQUERY_STORAGE_EMULATOR: Final = Setting(
    "BIGQUERY_STORAGE_EMULATOR_HOST", "none", "`host:port` of an emulator of BigQuery's Storage Read API (gRPC)"
)

DBT: Final = Setting(
    "TAXI_DBT",
    "`.venv-dbt/bin/dbt` in the project, which `make dbt` installs",
    "dbt command; without such a file, the graph has no dbt models",
)
DBT_GIT_URL: Final = Setting(
    "TAXI_DBT_GIT_URL", "none", "git repository with a dbt project to use instead; may hold a password"
)
DBT_GIT_BRANCH: Final = Setting("TAXI_DBT_GIT_BRANCH", "its default branch", "branch of that repository")
DBT_GIT_FOLDER: Final = Setting("TAXI_DBT_GIT_FOLDER", "its top folder", "folder of the dbt project in that repository")
DBT_VARS: Final = Setting("TAXI_DBT_VARS", "none", 'variables for the dbt project, as JSON: `{"is_test_run": false}`')
DBT_DATABASE: Final = Setting(
    "DBT_DATABASE", "that of the main tables", "database of the sources in the course's dbt project of 2025"
)
DBT_SCHEMA: Final = Setting(
    "DBT_SCHEMA", "that of the main tables", "schema or dataset of the sources in the course's dbt project of 2025"
)
DBT_WAREHOUSES: Final = Setting(
    "TAXI_DBT_WAREHOUSES", "all that are set", "warehouses that dbt works in, such as `duckdb,bigquery`"
)

DAGSTER_HOME: Final = Setting("DAGSTER_HOME", "`$TAXI_HOME/dagster` under `make`", "folder of Dagster's own state")

SETTINGS: Final[Mapping[str, tuple[Setting, ...]]] = {
    "Trips": (
        HOME,
        SOURCE,
        TAXIS,
        FEED,
        LANDING,
        KEEP_RAW,
        ZONE_COUNT,
        MONTHS_AT_ONCE,
        MONTHS_PER_RUN,
        ALERT_WEBHOOK,
        DAGSTER_HOME,
    ),
    "PostgreSQL": (
        POSTGRES_URL,
        POSTGRES_HOST,
        POSTGRES_PORT,
        POSTGRES_DATABASE,
        POSTGRES_USER,
        POSTGRES_PASSWORD,
        POSTGRES_SSLMODE,
        POSTGRES_SCHEMA,
    ),
    "Lake": (LAKE,),
    "Google Cloud": (
        GCP_PROJECT,
        GCP_LOCATION,
        GCP_BUCKET,
        GCP_DATASET,
        GCP_CREDENTIALS,
        GCP_MAXIMUM_BYTES_BILLED,
        GCP_KEEP_TABLES,
        STORAGE_EMULATOR,
        BIGQUERY_EMULATOR,
        BIGQUERY_STORAGE_EMULATOR,
    ),
    "dbt": (DBT, DBT_GIT_URL, DBT_GIT_BRANCH, DBT_GIT_FOLDER, DBT_VARS, DBT_DATABASE, DBT_SCHEMA, DBT_WAREHOUSES),
    "Getting started": (PRODUCTS,),
}
"""All settings by subject."""

RELEASE_NAME: Final = "release"
"""``TAXI_SOURCE`` for the published release."""

SAMPLE_NAME: Final = "sample"
"""``TAXI_SOURCE`` for the project's own sample."""

FEED_NAME: Final = "feed"
"""``TAXI_SOURCE`` for the official feed."""

RELEASE_AND_FEED_NAME: Final = "auto"
"""``TAXI_SOURCE`` for the release where it has a month, and the feed for all others."""

CONTINUING_SOURCES: Final = frozenset({FEED_NAME, RELEASE_AND_FEED_NAME})
"""``TAXI_SOURCE`` for a source that gets a new month every month."""

DEFAULT_TAXIS: Final = ("green", "yellow")
_YES: Final = frozenset({"yes", "true", "1"})
_NO: Final = frozenset({"", "no", "false", "0"})
DEFAULT_GCP_LOCATION: Final = "US"
DEFAULT_MAXIMUM_BYTES_BILLED: Final = 100 * 1024**3


def home() -> Path:
    """The folder for all state. It need not exist yet."""
    if value := HOME.read():
        return Path(value).expanduser().absolute()
    # Installed as a package there is no project folder, and the working directory is the next best place.
    project = PROJECT_FOLDER if (PROJECT_FOLDER / "pyproject.toml").is_file() else Path.cwd()
    return project / ".taxi"


def dagster_home() -> Path | None:
    """The folder of Dagster's own state, if DAGSTER_HOME is set."""
    value = DAGSTER_HOME.read()
    return Path(value).expanduser().absolute() if value else None


def source() -> str | dg.EnvVar:
    """The address of the source."""
    return SOURCE.by_name() or RELEASE_NAME


def source_name() -> str:
    """What the source is called in TAXI_SOURCE: ``release``, ``feed``, ``auto``, ``sample``, a folder or an address."""
    return SOURCE.read() or RELEASE_NAME


def taxis() -> Sequence[str]:
    """The names of the taxis that are loaded and reported on.

    Raises:
        SettingsError: TAXI_TAXIS is set and names none.
    """
    value = os.environ.get(TAXIS.name)
    if value is None:
        return DEFAULT_TAXIS
    names = [name for word in value.split(",") if (name := word.strip())]
    if not names:
        raise SettingsError(
            f"{TAXIS} names no taxi: set it to one or more, such as {','.join(DEFAULT_TAXIS)}, or unset it."
        )
    return names


def source_continues() -> bool:
    """Whether the source gets a new month every month, as the feed does and the release does not."""
    return SOURCE.read() in CONTINUING_SOURCES


def feed() -> str | dg.EnvVar:
    """The address of the feed; empty for the official one."""
    return FEED.by_name() or ""


def products_source() -> str | dg.EnvVar:
    """The address of the products of the group ``getting_started``; the sample where trips are samples too."""
    default = SAMPLE_NAME if SOURCE.read() == SAMPLE_NAME else "https://dummyjson.com/products"
    return PRODUCTS.by_name() or default


def landing_folder() -> Path:
    """The folder where raw files land, or where this machine keeps copies of those that land in a bucket."""
    value = LANDING.read()
    return Path(value).expanduser().absolute() if value and landing_bucket() is None else home() / "landing"


def landing_bucket() -> str | None:
    """The ``gs://`` address where raw files land, if they land in a bucket."""
    value = LANDING.read()
    return value if value.lower().startswith("gs://") else None


def keep_raw_files() -> bool:
    """Whether raw files stay in the landing zone after their month has been merged.

    Raises:
        SettingsError: TAXI_KEEP_RAW is neither yes nor no.
    """
    return _yes_or_no(KEEP_RAW, default=True)


def zone_count() -> int | None:
    """How many taxi zones there must be; None for as many as are published.

    Raises:
        SettingsError: TAXI_ZONE_COUNT is not a positive whole number.
    """
    return _positive_number(ZONE_COUNT)


def months_at_once() -> int:
    """How many months of a range are in progress at the same time.

    Raises:
        SettingsError: TAXI_MONTHS_AT_ONCE is not a positive whole number.
    """
    return _positive_number(MONTHS_AT_ONCE) or 4


def months_per_run() -> int | None:
    """How many months one run of a backfill takes; None for all of them.

    Raises:
        SettingsError: TAXI_MONTHS_PER_RUN is not a positive whole number.
    """
    return _positive_number(MONTHS_PER_RUN)


def alert_webhook() -> str | dg.EnvVar:
    """The address that alerts are sent to; empty where there is none."""
    return ALERT_WEBHOOK.by_name() or ""


def postgres_is_configured() -> bool:
    """Whether a setting says where the PostgreSQL server is."""
    return bool(POSTGRES_URL.read() or POSTGRES_HOST.read())


def postgres_fields() -> Mapping[str, Any]:
    """The fields of :class:`taxi_assets.warehouses.postgres.connection.PostgresResource` that are set."""
    variables = {
        "url": POSTGRES_URL,
        "host": POSTGRES_HOST,
        "port": POSTGRES_PORT,
        "database": POSTGRES_DATABASE,
        "user": POSTGRES_USER,
        "password": POSTGRES_PASSWORD,
        "sslmode": POSTGRES_SSLMODE,
        "schema_name": POSTGRES_SCHEMA,
    }
    return {field: _env_var(setting.name) for field, setting in variables.items() if setting.read()}


def lake_is_configured() -> bool:
    """Whether a setting says that there is a lake."""
    return LAKE.read().lower() not in _NO


def lake() -> str:
    """The folder of the lake, as it is set."""
    value = LAKE.read()
    return str(home() / "lake") if value.lower() in _YES else value


def gcp_is_configured() -> bool:
    """Whether a setting names the project in Google Cloud."""
    return bool(GCP_PROJECT.read())


def gcp_fields() -> Mapping[str, Any]:
    """The fields that all of Google Cloud's resources share."""
    return {
        "project": GCP_PROJECT.read() or None,
        "location": GCP_LOCATION.read() or DEFAULT_GCP_LOCATION,
        "gcp_credentials": GCP_CREDENTIALS.by_name(),
    }


def gcs_fields() -> Mapping[str, Any]:
    """The fields of :class:`taxi_assets.gcp.resources.GcsBucket`."""
    return {**gcp_fields(), "bucket": GCP_BUCKET.read() or None, "endpoint": _endpoint(STORAGE_EMULATOR)}


def bigquery_fields() -> Mapping[str, Any]:
    """The fields of :class:`taxi_assets.gcp.resources.BigQueryDataset`.

    Raises:
        SettingsError: TAXI_GCP_MAXIMUM_BYTES_BILLED is not a whole number.
    """
    return {
        **gcp_fields(),
        "dataset": GCP_DATASET.read() or None,
        "endpoint": _endpoint(BIGQUERY_EMULATOR),
        "storage_endpoint": BIGQUERY_STORAGE_EMULATOR.read() or None,
        "maximum_bytes_billed": _maximum_bytes_billed(),
    }


def gcp_keep_tables() -> bool:
    """Whether a month's external and monthly table stay after the month has been merged.

    Raises:
        SettingsError: TAXI_GCP_KEEP_TABLES is neither yes nor no.
    """
    return _yes_or_no(GCP_KEEP_TABLES, default=False)


def dbt_executable() -> Path:
    """The dbt command."""
    value = DBT.read()
    return Path(value).expanduser().absolute() if value else PROJECT_FOLDER / ".venv-dbt" / "bin" / "dbt"


def dbt_variables() -> Mapping[str, Any]:
    """The variables of the dbt project.

    Raises:
        SettingsError: TAXI_DBT_VARS is not a JSON object.
    """
    value = DBT_VARS.read()
    try:
        variables = json.loads(value or "{}")
    except ValueError:
        variables = None
    if not isinstance(variables, dict):
        raise SettingsError(f'{DBT_VARS} is “{value}”: write it as a JSON object, such as {{"is_test_run": false}}.')
    return variables


def dbt_warehouses() -> Sequence[str] | None:
    """The names of the warehouses that dbt works in; None for all that it can."""
    return [name for word in DBT_WAREHOUSES.read().split(",") if (name := word.strip())] or None


def _yes_or_no(setting: Setting, *, default: bool) -> bool:
    value = setting.read()
    if value.lower() not in _YES | _NO:
        raise SettingsError(f"{setting} is “{value}”: set it to yes or no.")
    return value.lower() in _YES if value else default


def _positive_number(setting: Setting) -> int | None:
    value = setting.read()
    if not value:
        return None
    if not value.isdecimal() or int(value) < 1:
        raise SettingsError(f"{setting} is “{value}”: set it to a whole number, 1 or more.")
    return int(value)


def _maximum_bytes_billed() -> int | None:
    value = GCP_MAXIMUM_BYTES_BILLED.read() or str(DEFAULT_MAXIMUM_BYTES_BILLED)
    if not value.isdecimal():
        raise SettingsError(
            f"{GCP_MAXIMUM_BYTES_BILLED} is “{value}”: set it to a whole number of bytes, or 0 for no limit."
        )
    return int(value) or None


def _endpoint(setting: Setting) -> str | None:
    """An emulator's address with its scheme, which Google's libraries require."""
    value = setting.read()
    if not value:
        return None
    return value if value.startswith(("http://", "https://")) else f"http://{value}"
