"""Trips in BigQuery.

The raw file is put into Cloud Storage as it is. BigQuery reads it through an external table, types it and gives the
trips their ids, all in one statement that makes the monthly table, and merges that into the month's partition of the
main table; then the monthly table's name becomes a view of main, so that nothing is stored twice.
"""

import logging
import re
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from functools import partial
from typing import Any, Final

import dagster as dg
import duckdb
from google.api_core.exceptions import BadRequest, GoogleAPICallError, NotFound
from google.cloud import bigquery, storage
from pydantic import Field, PrivateAttr
from typing_extensions import override

from taxi_assets.errors import (
    NoSuchTableError,
    SettingsError,
    TaxiAssetsError,
    UnexpectedContentError,
    WarehouseBusyError,
    WarehouseError,
)
from taxi_assets.gcp.errors import message_of, translated_errors
from taxi_assets.gcp.objects import StoredObject, holds, store_file
from taxi_assets.gcp.resources import BigQueryDataset, GcsBucket
from taxi_assets.months import Month
from taxi_assets.source.files import LandedFile
from taxi_assets.taxis import Taxi, taxi_of_main_table, taxi_of_month_asset
from taxi_assets.trips.diagnosis import describe_problems
from taxi_assets.trips.reading import counting
from taxi_assets.trips.zones import stage_zones
from taxi_assets.warehouses.bigquery import statements
from taxi_assets.warehouses.bigquery.catalog import drop_own, find, find_own
from taxi_assets.warehouses.bigquery.lease import lease
from taxi_assets.warehouses.bigquery.new_columns import add_new_columns
from taxi_assets.warehouses.bigquery.query import changed_rows, job_facts, run_statement
from taxi_assets.warehouses.bigquery.raw_columns import raw_columns
from taxi_assets.warehouses.bigquery.statements import coming_table, month_external_table
from taxi_assets.warehouses.bigquery.tables import read_rows, tables_to_read, write_rows
from taxi_assets.warehouses.kind import MonthLoad, MonthMerge, MonthProfile, TableRole
from taxi_assets.zones import ZONES_DESCRIPTION, ZONES_TABLE

_REFUSED_VALUE: Final = re.compile(re.escape(statements.REFUSAL) + r"(?P<column>.+?): “(?P<value>.*?)”", re.DOTALL)
_BYTES_PER_MIB: Final = 1024 * 1024

_log = logging.getLogger(__name__)
# Of a run's months, which are under way together, one makes the main table.
_creating: Final = threading.Lock()


class BigQueryWarehouse(BigQueryDataset):
    """A dataset as a warehouse, with a bucket that its raw files are kept in."""

    objects: GcsBucket = Field(description="The bucket that raw files are kept in.")
    keep_tables: bool = Field(
        default=False, description="Whether a month's external and monthly table stay once the month is merged."
    )
    lease_seconds: float = Field(
        default=60.0, gt=0, description="After how long without a sign of life another load of a month counts as dead."
    )
    lock_wait_seconds: float = Field(default=3600.0, description="How long to wait for other loads of the same month.")
    _run_id: str | None = PrivateAttr(default=None)

    @override
    def setup_for_execution(self, context: dg.InitResourceContext) -> None:
        """Remember which run this is, for the labels of its jobs."""
        self._run_id = context.run.run_id if context.run else None

    def session(self, log: logging.Logger) -> AbstractContextManager[None]:  # noqa: ARG002 - part of the interface
        """See :class:`taxi_assets.warehouses.kind.TripsWarehouse`: nothing here is costly to open."""
        return nullcontext()

    def store_object(self, taxi: Taxi, landed: LandedFile, log: logging.Logger) -> Mapping[str, Any]:
        """Put a month's raw file into the bucket as it is, and return the metadata.

        Raises:
            WarehouseError: The bucket refuses, or has an object of that name that is not ours.
        """
        name = _object_name(taxi, landed)
        with translated_errors(f"store {name}", f"gs://{self.objects.bucket_name}"):
            stored = store_file(self._bucket(), name, landed.path, log=log)
        return {**self._object_metadata(stored), "file": landed.path.name, "dagster/row_count": landed.rows}

    def create_external_table(
        self, taxi: Taxi, month: Month, landed: LandedFile, log: logging.Logger
    ) -> Mapping[str, Any]:
        """Make the external table over a month's object, and return the metadata.

        Raises:
            WarehouseError: There is no such object, it holds another file, or BigQuery refuses.
        """
        table = month_external_table(taxi, month)
        with self._exclusive_month(taxi, month, f"create {table}", log) as client:
            start = time.monotonic()
            job = self._create_external_table(client, taxi, month, landed)
            uri = self._uri(taxi, landed)
            log.info(f"{table} reads {uri}")
            return {
                "file": landed.path.name,
                "uri": uri,
                "dagster/table_name": table,
                "dagster/row_count": landed.rows,
                "seconds": round(time.monotonic() - start, 3),
                **job_facts(job, is_emulated=self.is_emulated),
            }

    def load_month(self, taxi: Taxi, month: Month, landed: LandedFile, log: logging.Logger) -> MonthLoad:
        """See :class:`taxi_assets.warehouses.kind.TripsWarehouse`."""
        table, coming, external = taxi.month_table(month), coming_table(taxi, month), month_external_table(taxi, month)
        with self._exclusive_month(taxi, month, f"load {table}", log) as client:
            start = time.monotonic()
            if find_own(client, self.place, external) is None:
                # Another run has dropped it after its merge, or it was never asked for by itself.
                self._create_external_table(client, taxi, month, landed)
            for name in (table, coming):
                find_own(client, self.place, name)
            labels = self._labels(taxi, month)
            try:
                job = self._type_month(client, taxi, month, landed, labels)
                drop_own(client, self.place, table)
                self._run(client, statements.rename_table(self.place, coming, table), labels)
            except BaseException:
                # Where even this fails the next load does it, and the first error is the one to see.
                with suppress(GoogleAPICallError, TaxiAssetsError):
                    drop_own(client, self.place, coming)
                raise
            facts = job_facts(job, is_emulated=self.is_emulated)
            return MonthLoad(landed.rows, time.monotonic() - start, facts)

    def merge_month(self, taxi: Taxi, month: Month, log: logging.Logger) -> MonthMerge:
        """See :class:`taxi_assets.warehouses.kind.TripsWarehouse`."""
        table = taxi.month_table(month)
        with self._exclusive_month(taxi, month, f"merge {table} into {taxi.table}", log) as client:
            start = time.monotonic()
            found = find_own(client, self.place, table)
            if found is None:
                raise WarehouseError(
                    f"{self.place} has no table {table}: materialize bigquery/{taxi.month_asset} for {month} first."
                )
            labels = self._labels(taxi, month)
            self._add_new_columns(client, taxi, month)
            if found.table_type == "VIEW":
                rows = self._count_month(client, taxi, month, labels)
                return MonthMerge(rows, inserted=0, updated=0, deleted=0)
            self._create_main_table(client, taxi, labels)
            job = self._run(client, statements.merge_month(self.place, taxi, month), labels)
            if not self.keep_tables:
                drop_own(client, self.place, table)
                self._create_month_view(client, taxi, month)
                drop_own(client, self.place, month_external_table(taxi, month))
            changed = changed_rows(job)
            return MonthMerge(
                self._count_month(client, taxi, month, labels),
                inserted=changed.inserted_row_count,
                updated=changed.updated_row_count,
                deleted=changed.deleted_row_count,
                seconds=time.monotonic() - start,
                facts=job_facts(job, is_emulated=self.is_emulated),
            )

    def profile_month(self, taxi: Taxi, month: Month, role: TableRole, log: logging.Logger) -> MonthProfile:  # noqa: ARG002 - part of the interface
        """See :class:`taxi_assets.warehouses.kind.TripsWarehouse`."""
        table = taxi.month_table(month) if role == "month" else taxi.table
        with self.connection(f"measure {table}") as client:
            if find(client, self.place, table) is None:
                raise WarehouseError(f"{self.place} has no table {table}: materialize {month} of {taxi.table} first.")
            self._add_new_columns(client, taxi, month)
            statement = statements.profile_month(self.place, taxi, month, table)
            (row,) = self._run(client, statement, self._labels(taxi, month)).result()
            return MonthProfile.from_row(_with_names_of(taxi, row))

    def remove_month(self, taxi: Taxi, month: Month, log: logging.Logger) -> int:
        """See :class:`taxi_assets.warehouses.kind.TripsWarehouse`. The raw file stays in the bucket."""
        table = taxi.month_table(month)
        with self._exclusive_month(taxi, month, f"remove {table}", log) as client:
            has_table = find_own(client, self.place, table) is not None
            rows = 0
            if find_own(client, self.place, taxi.table) is not None:
                statement = statements.delete_month(self.place, taxi, month)
                rows = self._run(client, statement, self._labels(taxi, month)).num_dml_affected_rows or 0
            if not has_table and rows == 0:
                raise WarehouseError(f"{self.place} has no {table}: there is nothing to remove.")
            for name in (coming_table(taxi, month), month_external_table(taxi, month), table):
                drop_own(client, self.place, name)
            return rows

    def replace_zones(self, landed: LandedFile, log: logging.Logger) -> int:  # noqa: ARG002 - part of the interface
        """See :class:`taxi_assets.warehouses.kind.TripsWarehouse`."""
        with duckdb.connect() as source:
            stage_zones(source, landed, table=ZONES_TABLE)
            return self.write(ZONES_TABLE, source.table(ZONES_TABLE), None, description=ZONES_DESCRIPTION)

    def count_zones(self, log: logging.Logger) -> tuple[int, int]:  # noqa: ARG002 - part of the interface
        """See :class:`taxi_assets.warehouses.kind.TripsWarehouse`."""
        with self.connection(f"count {ZONES_TABLE}") as client:
            self._require(client, ZONES_TABLE)
            statement = statements.count_zones(self.place, ZONES_TABLE)
            (row,) = self._run(client, statement, self.run_labels()).result()
            return row["zones"], row["numbers"]

    def read(self, table: str, months: Sequence[Month] | None) -> duckdb.DuckDBPyRelation:
        """See :class:`taxi_assets.warehouses.io_manager.Tables`."""
        with self.connection(f"read {table}") as client:
            taxi = taxi_of_main_table(table) or taxi_of_month_asset(table)
            if taxi is not None:
                for month in [None, *(months or ())]:
                    self._add_new_columns(client, taxi, month)
            found = [self._require(client, name) for name in tables_to_read(table, months)]
        return read_rows(self, table, found, months)

    def write(self, table: str, rows: Any, months: Sequence[Month] | None, *, description: str) -> int:
        """See :class:`taxi_assets.warehouses.io_manager.Tables`."""
        with self.connection(f"write {table}") as client:
            find_own(client, self.place, table)
            return write_rows(self, client, table, rows, months, description=description)

    def rows_of(self, client: bigquery.Client, statement: str) -> Any:
        """The rows of a statement, as BigQuery's client iterates over them.

        Raises:
            google.api_core.exceptions.GoogleAPICallError: BigQuery refused.
        """
        return self._run(client, statement, self.run_labels()).result()

    @contextmanager
    def connection(self, action: str) -> Iterator[bigquery.Client]:
        """A client for the length of a block whose errors are explained.

        Raises:
            TaxiAssetsError: What went wrong in the block, in words.
        """
        with translated_errors(action, self.place), self.get_client() as client:
            try:
                yield client
            except NotFound as error:
                # Google says the same of a dataset that is missing, elsewhere, or hidden from the account.
                raise self._explain_missing_dataset(client) or error from error

    def _explain_missing_dataset(self, client: bigquery.Client) -> SettingsError | None:
        try:
            location = client.get_dataset(self.place).location
        except NotFound:
            return SettingsError(
                f"There is no dataset {self.place}: run the job gcp_setup, which makes it, or correct GCP_DATASET."
            )
        if location.lower() != self.location.lower():
            return SettingsError(f"{self.place} is in {location}: set GCP_LOCATION to that, as it is {self.location}.")
        return None

    @contextmanager
    def _exclusive_month(self, taxi: Taxi, month: Month, action: str, log: logging.Logger) -> Iterator[bigquery.Client]:
        """A client that alone writes this month; other months don't wait."""
        with self.connection(action) as client:
            held = lease(
                self._bucket(),
                f"{self.place}.{taxi.month_table(month)}",
                lasting_seconds=self.lease_seconds,
                wait_seconds=self.lock_wait_seconds,
                log=log,
            )
            with held:
                yield client

    def _run(self, client: bigquery.Client, statement: str, labels: Mapping[str, str]) -> bigquery.QueryJob:
        return run_statement(client, statement, labels=labels, maximum_bytes_billed=self.maximum_bytes_billed)

    def run_labels(self) -> Mapping[str, str]:
        """What every job of this run is labelled with."""
        return {"made_by": "taxi_assets", **({"run": self._run_id} if self._run_id else {})}

    def _labels(self, taxi: Taxi, month: Month) -> Mapping[str, str]:
        return {**self.run_labels(), "taxi": taxi.name, "month": str(month)}

    def _require(self, client: bigquery.Client, table: str) -> bigquery.Table:
        found = find(client, self.place, table)
        if found is None:
            raise NoSuchTableError(f"{self.place} has no table {table}: materialize the asset that makes it first.")
        return found

    def _bucket(self) -> storage.Bucket:
        return self.objects.get_client().bucket(self.objects.bucket_name)

    def _uri(self, taxi: Taxi, landed: LandedFile) -> str:
        return f"gs://{self.objects.bucket_name}/{_object_name(taxi, landed)}"

    def _require_object(self, taxi: Taxi, month: Month, landed: LandedFile) -> None:
        """Make sure that the month's object holds the landed file."""
        blob = self._bucket().get_blob(_object_name(taxi, landed))
        if blob is None:
            raise WarehouseError(
                f"There is no {self._uri(taxi, landed)}: materialize gcs/{taxi.table} for {month} first."
            )
        if not holds(blob, landed.path):
            raise WarehouseBusyError(
                f"{self._uri(taxi, landed)} is not the file that has landed here: "
                f"materialize gcs/{taxi.table} for {month} again."
            )

    def _create_external_table(
        self, client: bigquery.Client, taxi: Taxi, month: Month, landed: LandedFile
    ) -> bigquery.QueryJob:
        require_even_rows(taxi, landed)
        self._require_object(taxi, month, landed)
        find_own(client, self.place, month_external_table(taxi, month))
        labels = self._labels(taxi, month)
        statement = statements.create_external_table(
            self.place,
            taxi,
            month,
            columns=raw_columns(landed),
            uri=self._uri(taxi, landed),
            labels=_lasting(labels),
            is_parquet=landed.is_parquet,
        )
        return self._run(client, statement, labels)

    def _type_month(
        self, client: bigquery.Client, taxi: Taxi, month: Month, landed: LandedFile, labels: Mapping[str, str]
    ) -> bigquery.QueryJob:
        """Make the monthly table under the name it has until it is known to be whole."""
        statement = statements.create_month_table(
            self.place, taxi, month, header=landed.header, filename=landed.filename, labels=_lasting(labels)
        )
        require_even_rows(taxi, landed)
        self._require_object(taxi, month, landed)
        try:
            job = self._run(client, statement, labels)
        except BadRequest as error:
            raise _explain_refusal(taxi, landed, error) from error
        # Somebody may have changed the object while it was read.
        self._require_object(taxi, month, landed)
        rows = client.get_table(f"{self.place}.{coming_table(taxi, month)}").num_rows
        if rows != landed.rows:
            counted, cause = counting(landed)
            raise UnexpectedContentError(
                f"{landed.path} has {landed.rows:,} rows {counted}, but BigQuery reads {rows:,}: "
                f"{cause}the file has changed since it landed, so fetch it again or look at it."
            )
        return job

    def _create_main_table(self, client: bigquery.Client, taxi: Taxi, labels: Mapping[str, str]) -> None:
        """Create the main table unless it is there, and make sure that it is ours and has the taxi's columns."""
        with _creating:
            if find(client, self.place, taxi.table) is None:
                lasting = {name: value for name, value in _lasting(labels).items() if name != "month"}
                self._run(client, statements.create_main_table(self.place, taxi, labels=lasting), labels)
        main = find_own(client, self.place, taxi.table)
        types = {field.name: field.field_type for field in main.schema} if main else {}
        wrong = [name for name, kind, _ in statements.columns(taxi) if _standard(types.get(name)) != kind]
        if wrong:
            raise WarehouseError(
                f"The table {taxi.table} lacks the column {wrong[0]} or keeps it with another type: "
                "rename that table, and the next run makes a new one."
            )

    def _create_month_view(self, client: bigquery.Client, taxi: Taxi, month: Month) -> None:
        labels = self._labels(taxi, month)
        statement = statements.create_month_view(self.place, taxi, month, labels=_lasting(labels))
        self._run(client, statement, labels)

    def _add_new_columns(self, client: bigquery.Client, taxi: Taxi, month: Month | None) -> None:
        with _creating:
            add_new_columns(client, self.place, taxi, month, partial(self._create_month_view, client, taxi))

    def _count_month(self, client: bigquery.Client, taxi: Taxi, month: Month, labels: Mapping[str, str]) -> int:
        if find(client, self.place, taxi.table) is None:
            return 0
        (row,) = self._run(client, statements.count_month(self.place, taxi, month), labels).result()
        return int(row["rows"])

    def _object_metadata(self, stored: StoredObject) -> Mapping[str, Any]:
        rates = stored.uploaded and stored.seconds > 0
        return {
            "uri": stored.uri,
            "size (bytes)": stored.size,
            "size (MiB)": round(stored.size / _BYTES_PER_MIB, 2),
            "crc32c": stored.crc32c,
            "generation": str(stored.generation),
            "uploaded": stored.uploaded,
            "seconds": round(stored.seconds, 3),
            "MiB per second": round(stored.size / _BYTES_PER_MIB / stored.seconds, 2) if rates else 0.0,
            **({"emulated": True} if self.objects.is_emulated else {}),
        }


def _object_name(taxi: Taxi, landed: LandedFile) -> str:
    return f"{taxi.name}/{landed.path.name}"


def _with_names_of(taxi: Taxi, row: bigquery.Row) -> Mapping[str, Any]:
    """A measurement by its name and the column's, which BigQuery may spell in its own way: its names have no case."""
    spelt = {column.name.lower(): column.name for column in taxi.columns}
    parts = [(*name.partition("__"), value) for name, value in row.items()]
    return {f"{what} {spelt[column.lower()]}" if column else what: value for what, _, column, value in parts}


def _lasting(labels: Mapping[str, str]) -> Mapping[str, str]:
    """The labels that a table keeps: those of its content, not those of the run that made it."""
    return {name: value for name, value in labels.items() if name != "run"}


def _standard(type_name: str | None) -> str | None:
    """A column's type as SQL names it; the interface has older names for some."""
    return {"INTEGER": "INT64", "FLOAT": "FLOAT64", "BOOLEAN": "BOOL"}.get(type_name or "", type_name)


def require_even_rows(taxi: Taxi, landed: LandedFile) -> None:
    """As in every warehouse, a file that is not plain by its separators is read line by line before it is loaded."""
    problem = None if landed.is_plain else describe_problems(landed, taxi)
    if problem is not None:
        raise problem


def _explain_refusal(taxi: Taxi, landed: LandedFile, error: BadRequest) -> TaxiAssetsError | BadRequest:
    """The error to raise instead of BigQuery's: about the file where the file is at fault, else BigQuery's own."""
    problem = describe_problems(landed, taxi)
    if problem is not None:
        return problem
    refused = _REFUSED_VALUE.search(message_of(error))
    if refused is None:
        return error
    return UnexpectedContentError(
        f"{landed.path.name} has a value that {taxi.table} can't hold unchanged: column {refused['column']}: "
        f"“{refused['value']}”. Nothing was loaded; correct the file at its source or fetch it again."
    )
