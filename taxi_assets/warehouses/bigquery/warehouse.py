"""Trips in BigQuery.

The raw file is uploaded to Cloud Storage unchanged. One statement creates the monthly table: it reads the file through
an external table, converts its values and gives the trips their ids. Another one merges the monthly table into the
month's partition of the main table. The month's own name is a view: of the monthly table, and after the merge of the
main table, so that nothing is stored twice. A view is replaced in one step, so readers always find the month.
"""

import logging
import re
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from functools import partial
from typing import Any, Final

import duckdb
from google.api_core.exceptions import BadRequest, GoogleAPICallError
from google.cloud import bigquery, storage
from pydantic import Field, PrivateAttr

from taxi_assets.errors import TaxiAssetsError, WarehouseBusyError, WarehouseError
from taxi_assets.gcp.errors import message_of, translated_errors
from taxi_assets.gcp.objects import holds, store_file
from taxi_assets.gcp.resources import GcsBucket
from taxi_assets.months import Month
from taxi_assets.progress import transfer_metadata
from taxi_assets.source.current_file import CurrentFile
from taxi_assets.source.raw_files import LandedFile, RawFile
from taxi_assets.taxis import Taxi, taxi_of_main_table, taxi_of_month_asset
from taxi_assets.trips.diagnosis import describe_problems, refusal
from taxi_assets.trips.reading import require_all_rows, require_strict_rows
from taxi_assets.trips.values import printable
from taxi_assets.trips.zones import stage_zones
from taxi_assets.warehouses.bigquery.catalog import drop_own, find, find_own
from taxi_assets.warehouses.bigquery.connection import BigQueryConnection
from taxi_assets.warehouses.bigquery.dialect import DIALECT
from taxi_assets.warehouses.bigquery.expiration import expires, keep
from taxi_assets.warehouses.bigquery.lease import lease
from taxi_assets.warehouses.bigquery.new_columns import add_new_columns
from taxi_assets.warehouses.bigquery.query import changed_rows, job_facts
from taxi_assets.warehouses.bigquery.raw_columns import raw_columns
from taxi_assets.warehouses.bigquery.statements import REFUSAL, external_table, loaded_table
from taxi_assets.warehouses.bigquery.tables import read_rows, tables_to_read, write_rows
from taxi_assets.warehouses.bigquery.unfinished_jobs import end_jobs
from taxi_assets.warehouses.kind import MonthLoad, MonthMerge, TableRole
from taxi_assets.warehouses.measures import MonthProfile, profile_statement, read_profile
from taxi_assets.warehouses.trip_tables import (
    month_not_loaded,
    month_not_merged,
    no_such_table,
    nothing_to_remove,
    require_columns,
    require_meant_rows,
    staging_table,
)
from taxi_assets.zones import ZONES_DESCRIPTION, ZONES_TABLE

_REFUSED_VALUE: Final = re.compile(re.escape(REFUSAL) + r"(?P<column>.+?): “(?P<value>.*?)”", re.DOTALL)

_log = logging.getLogger(__name__)
# A run has several months in progress, and only one of them creates the main table.
_creating: Final = threading.Lock()
_PARTING_SECONDS: Final = 10.0


class BigQueryWarehouse(BigQueryConnection):
    """A dataset as a warehouse, with a bucket for its raw files."""

    objects: GcsBucket = Field(description="The bucket for raw files.")
    keep_tables: bool = Field(
        default=False, description="Whether a month's external and monthly table are kept after the month is merged."
    )
    lease_seconds: float = Field(
        default=60.0,
        gt=0,
        description="Seconds without a renewal of its lease after which another load counts as dead.",
    )
    lock_wait_seconds: float = Field(default=3600.0, description="Seconds to wait for other loads of the same month.")
    _new_tables_expire: bool | None = PrivateAttr(default=None)

    def session(self, log: logging.Logger) -> AbstractContextManager[None]:  # noqa: ARG002 - part of the interface
        """See :class:`taxi_assets.warehouses.kind.TripsWarehouse`: opening a client is cheap here."""
        return nullcontext()

    def store_object(self, taxi: Taxi, current: CurrentFile, log: logging.Logger) -> Mapping[str, Any]:
        """Upload a month's raw file to the bucket unchanged, and return the metadata.

        Raises:
            WarehouseError: The bucket can't store it, or another program has an object of that name.
            FileReplacedError: The file was replaced while it was read.
        """
        name = _object_name(taxi, current.file)
        with (
            translated_errors(f"store {name}", f"gs://{self.objects.bucket_name}"),
            current.unchanged() as landed,
        ):
            stored = store_file(self._bucket(), name, landed.path, log=log)
        return {
            "uri": stored.uri,
            "file": current.file.name,
            "dagster/row_count": landed.rows,
            "crc32c": stored.crc32c,
            "generation": str(stored.generation),
            "uploaded": stored.uploaded,
            **transfer_metadata(stored.size, stored.seconds, transferred=stored.uploaded),
            **({"emulated": True} if self.objects.is_emulated else {}),
        }

    def create_external_table(
        self, taxi: Taxi, month: Month, current: CurrentFile, log: logging.Logger
    ) -> Mapping[str, Any]:
        """Create the external table over a month's object, and return the metadata.

        Raises:
            WarehouseError: There is no such object, it contains another file, or BigQuery can't create the table.
            FileReplacedError: The file was replaced while it was read.
        """
        table = external_table(taxi, month)
        with self._exclusive_month(taxi, month, f"create {table}", log) as client:
            start = time.monotonic()
            with current.unchanged() as landed:
                require_strict_rows(landed, taxi)
                self._require_object(taxi, month, current.file, landed)
                job = self._create_external_table(
                    client, taxi, month, current.file, raw_columns(taxi, landed), is_parquet=landed.is_parquet
                )
            self._keep(client, table)
            uri = self._uri(taxi, current.file)
            log.info(f"{table} reads {uri}")
            return {
                "file": current.file.name,
                "uri": uri,
                "dagster/table_name": table,
                "dagster/row_count": landed.rows,
                "seconds": round(time.monotonic() - start, 3),
                **job_facts(job, is_emulated=self.is_emulated),
            }

    def load_month(self, taxi: Taxi, month: Month, current: CurrentFile, log: logging.Logger) -> MonthLoad:
        """See :class:`taxi_assets.warehouses.kind.TripsWarehouse`."""
        table, staging = taxi.month_table(month), staging_table(taxi, month)
        names = (table, staging, loaded_table(taxi, month), external_table(taxi, month))
        with self._exclusive_month(taxi, month, f"load {table}", log) as client:
            start = time.monotonic()
            shown, *_ = [find_own(client, self.place, name) for name in names]
            with current.unchanged() as landed:
                job = self._type_month(client, taxi, month, current.file, landed)
            self._publish(client, taxi, month, shown)
            drop_own(client, self.place, staging)
            facts = job_facts(job, is_emulated=self.is_emulated)
            return MonthLoad(landed.rows, seconds=time.monotonic() - start, facts=facts)

    def merge_month(self, taxi: Taxi, month: Month, log: logging.Logger) -> MonthMerge:
        """See :class:`taxi_assets.warehouses.kind.TripsWarehouse`."""
        table = taxi.month_table(month)
        with self._exclusive_month(taxi, month, f"merge {table} into {taxi.table}", log) as client:
            start = time.monotonic()
            is_loaded = find_own(client, self.place, loaded_table(taxi, month)) is not None
            if not is_loaded and not _is_view(find_own(client, self.place, table)):
                raise month_not_loaded(self.place, "bigquery", taxi, month)
            self._add_new_columns(client, taxi, month)
            inserted = updated = deleted = 0
            facts: Mapping[str, Any] = {}
            if not is_loaded:
                log.info(f"{table} is already merged into {taxi.table}: there is nothing to do")
            else:
                self._create_main_table(client, taxi)
                job = self._run(client, "merge_month", taxi, month)
                if not self.keep_tables:
                    self._create_month_view(client, taxi, month, is_merged=True)
                    for name in (loaded_table(taxi, month), external_table(taxi, month)):
                        drop_own(client, self.place, name)
                changed = changed_rows(job)
                inserted, updated = changed.inserted_row_count, changed.updated_row_count
                deleted, facts = changed.deleted_row_count, job_facts(job, is_emulated=self.is_emulated)
            return MonthMerge(
                rows=self._count_month(client, taxi, month),
                table_rows=int(client.get_table(f"{self.place}.{taxi.table}").num_rows),
                inserted=inserted,
                updated=updated,
                deleted=deleted,
                seconds=time.monotonic() - start,
                facts=facts,
            )

    def profile_month(self, taxi: Taxi, month: Month, role: TableRole, log: logging.Logger) -> MonthProfile:  # noqa: ARG002 - part of the interface
        """See :class:`taxi_assets.warehouses.kind.TripsWarehouse`."""
        table = taxi.month_table(month) if role == "month" else taxi.table
        with self.connection(f"measure {table}") as client:
            if find(client, self.place, table) is None:
                missing = month_not_loaded if role == "month" else month_not_merged
                raise missing(self.place, "bigquery", taxi, month)
            self._add_new_columns(client, taxi, month)
            name = DIALECT.quoting.identifier(f"{self.place}.{table}")
            statement = profile_statement(taxi, DIALECT, month, name)
            (row,) = self.run_sql(client, statement, labels=self._labels(taxi, month)).result()
            return read_profile(taxi, DIALECT, row.values())

    def remove_month(self, taxi: Taxi, month: Month, log: logging.Logger, *, rows: int | None = None) -> int:
        """See :class:`taxi_assets.warehouses.kind.TripsWarehouse`. The raw file stays in the bucket."""
        table = taxi.month_table(month)
        # The view is dropped before the table that it reads.
        names = (table, loaded_table(taxi, month), staging_table(taxi, month), external_table(taxi, month))
        with self._exclusive_month(taxi, month, f"remove {table}", log) as client:
            has_table = any(find_own(client, self.place, name) is not None for name in names[:2])
            deleted = 0
            if find_own(client, self.place, taxi.table) is not None:
                # The statement's own number is that of its last job, which finds nothing if an earlier one has done it.
                deleted = self._count_month(client, taxi, month)
                if rows is not None:
                    require_meant_rows(self.place, taxi, month, found=deleted, meant=rows)
                self._run(client, "delete_month", taxi, month)
            if not has_table and deleted == 0:
                raise nothing_to_remove(self.place, taxi, month)
            for name in names:
                drop_own(client, self.place, name)
            return deleted

    def replace_zones(self, current: CurrentFile, log: logging.Logger) -> int:  # noqa: ARG002 - part of the interface
        """See :class:`taxi_assets.warehouses.kind.TripsWarehouse`."""
        with duckdb.connect() as source, current.unchanged() as landed:
            stage_zones(source, landed, table=ZONES_TABLE)
            return self.write(ZONES_TABLE, source.table(ZONES_TABLE), None, description=ZONES_DESCRIPTION)

    def count_zones(self, log: logging.Logger) -> tuple[int, int]:  # noqa: ARG002 - part of the interface
        """See :class:`taxi_assets.warehouses.kind.TripsWarehouse`."""
        with self.connection(f"count {ZONES_TABLE}") as client:
            self._require(client, ZONES_TABLE)
            (row,) = self.run(client, "count_zones", zones_table=ZONES_TABLE).result()
            zones, numbers = row.values()
            return zones, numbers

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

    @contextmanager
    def _exclusive_month(self, taxi: Taxi, month: Month, action: str, log: logging.Logger) -> Iterator[bigquery.Client]:
        """A client that alone writes this month; loads of other months do not wait."""
        with self.connection(action) as client:
            name = f"{self.place}.{taxi.month_table(month)}"
            labels = {key: value for key, value in self._labels(taxi, month).items() if key != "run"}
            end_all = partial(end_jobs, client, self.place, labels, table=name, log=log)

            def clean_up() -> None:
                end_all(all_accounts=False, wait_seconds=_PARTING_SECONDS)
                # If this fails, the next load does it.
                with suppress(GoogleAPICallError, TaxiAssetsError):
                    drop_own(client, self.place, staging_table(taxi, month))

            held = lease(
                self._bucket(),
                name,
                lasting_seconds=self.lease_seconds,
                wait_seconds=self.lock_wait_seconds,
                log=log,
                after_dead_holder=partial(end_all, all_accounts=True, wait_seconds=self.lock_wait_seconds),
                after_failure=clean_up,
            )
            with held:
                yield client

    def _run(
        self, client: bigquery.Client, template: str, taxi: Taxi, month: Month, **values: Any
    ) -> bigquery.QueryJob:
        """Run a statement for a taxi's month, with its labels."""
        return self.run(client, template, labels=self._labels(taxi, month), taxi=taxi, month=month, **values)

    def _labels(self, taxi: Taxi, month: Month) -> Mapping[str, str]:
        return {**self.run_labels(), "taxi": taxi.name, "month": str(month)}

    def _require(self, client: bigquery.Client, table: str) -> bigquery.Table:
        found = find(client, self.place, table)
        if found is None:
            raise no_such_table(self.place, table)
        return found

    def _bucket(self) -> storage.Bucket:
        return self.objects.get_client().bucket(self.objects.bucket_name)

    def _uri(self, taxi: Taxi, file: RawFile) -> str:
        return f"gs://{self.objects.bucket_name}/{_object_name(taxi, file)}"

    def _require_object(self, taxi: Taxi, month: Month, file: RawFile, landed: LandedFile) -> int:
        """Make sure that the month's object contains the landed file, and return the object's version.

        Raises:
            WarehouseError: There is no such object.
            WarehouseBusyError: The object contains another file.
        """
        blob = self._bucket().get_blob(_object_name(taxi, file))
        if blob is None:
            raise WarehouseError(
                f"{self._uri(taxi, file)} does not exist: materialize gcs/{taxi.table} for {month} first."
            )
        if not holds(blob, landed.path):
            raise WarehouseBusyError(
                f"{self._uri(taxi, file)} is not the file that has landed here: "
                f"materialize gcs/{taxi.table} for {month} again."
            )
        return int(blob.generation)

    def _create_external_table(
        self,
        client: bigquery.Client,
        taxi: Taxi,
        month: Month,
        file: RawFile,
        columns: Sequence[tuple[str, str]],
        *,
        is_parquet: bool,
    ) -> bigquery.QueryJob:
        find_own(client, self.place, external_table(taxi, month))
        return self._run(
            client,
            "create_external_table",
            taxi,
            month,
            columns=columns,
            uri=self._uri(taxi, file),
            is_parquet=is_parquet,
        )

    def _type_month(
        self, client: bigquery.Client, taxi: Taxi, month: Month, file: RawFile, landed: LandedFile
    ) -> bigquery.QueryJob:
        """Create the monthly table under the name that it has until it is known to be complete."""
        require_strict_rows(landed, taxi)
        version = self._require_object(taxi, month, file, landed)
        columns = raw_columns(taxi, landed)
        external = find_own(client, self.place, external_table(taxi, month))
        if external is None or [field.name for field in external.schema] != [name for name, _ in columns]:
            # Another run has dropped it after its merge, its asset was not selected, or it is that of another file.
            self._create_external_table(client, taxi, month, file, columns, is_parquet=landed.is_parquet)
        try:
            job = self._run(
                client,
                "create_month_table",
                taxi,
                month,
                header=landed.header,
                types={name.lower(): type_ for name, type_ in columns},
                filename=landed.filename,
                is_parquet=landed.is_parquet,
            )
        except BadRequest as error:
            raise _explain_refusal(taxi, landed, self._uri(taxi, file), error) from error
        blob = self._bucket().get_blob(_object_name(taxi, file))
        if blob is None or int(blob.generation) != version:
            raise WarehouseBusyError(
                f"{self._uri(taxi, file)} was replaced by another program while it was read: nothing was loaded; run "
                "again."
            )
        require_all_rows(landed, client.get_table(f"{self.place}.{staging_table(taxi, month)}").num_rows)
        return job

    def _publish(self, client: bigquery.Client, taxi: Taxi, month: Month, shown: bigquery.Table | None) -> None:
        """Show the complete table under the month's name, in place of what the name showed before."""
        self._run(client, "publish_month", taxi, month)
        self._keep(client, loaded_table(taxi, month))
        if shown is not None and not _is_view(shown):
            # Something else than this load has made it, and a view can't replace it.
            drop_own(client, self.place, taxi.month_table(month))
        self._create_month_view(client, taxi, month, is_merged=False)

    def _create_main_table(self, client: bigquery.Client, taxi: Taxi) -> None:
        """Create the main table unless it exists, and make sure that it is ours and has the taxi's columns."""
        with _creating:
            if find(client, self.place, taxi.table) is None:
                labels = {**self.run_labels(), "taxi": taxi.name}
                self.run(client, "create_main_table", labels=labels, taxi=taxi)
        main = find_own(client, self.place, taxi.table)
        if main is not None:
            keep(client, main)
        require_columns(taxi, DIALECT, {field.name: _standard(field) for field in (main.schema if main else ())})

    def _create_month_view(self, client: bigquery.Client, taxi: Taxi, month: Month, *, is_merged: bool) -> None:
        self._run(client, "create_month_view", taxi, month, is_merged=is_merged)
        self._keep(client, taxi.month_table(month))

    def _keep(self, client: bigquery.Client, table: str) -> None:
        """Make sure that a new table or view does not expire, where the dataset's defaults would make it."""
        if self._new_tables_expire is None:
            self._new_tables_expire = expires(client.get_dataset(self.place))
        found = find(client, self.place, table) if self._new_tables_expire else None
        if found is not None:
            keep(client, found)

    def _add_new_columns(self, client: bigquery.Client, taxi: Taxi, month: Month | None) -> None:
        with _creating:
            add_new_columns(client, self.place, taxi, month, partial(self._create_month_view, client, taxi))

    def _count_month(self, client: bigquery.Client, taxi: Taxi, month: Month) -> int:
        (row,) = self._run(client, "count_month", taxi, month).result()
        return int(row[0])


def _object_name(taxi: Taxi, file: RawFile) -> str:
    return f"{taxi.name}/{file.name}"


def _is_view(table: bigquery.Table | None) -> bool:
    return table is not None and table.table_type == "VIEW"


def _standard(field: bigquery.SchemaField) -> str:
    """A column's type as it is named in SQL; BigQuery's API uses older names for some types."""
    return {"INTEGER": "INT64", "FLOAT": "FLOAT64", "BOOLEAN": "BOOL"}.get(field.field_type, field.field_type)


def _explain_refusal(taxi: Taxi, landed: LandedFile, uri: str, error: BadRequest) -> TaxiAssetsError:
    """The error to raise: one about the place in the file if it can be found, otherwise one with BigQuery's words."""
    problem = describe_problems(landed, taxi)
    if problem is not None:
        return problem
    refused = _REFUSED_VALUE.search(message_of(error))
    if refused is None:
        return WarehouseError(
            f"BigQuery could not read {uri} into {taxi.table} ({message_of(error)}): the main table is unchanged; look "
            "at the file, and at the query's job in the project's history, then run again."
        )
    return refusal(landed, taxi, [f"column {refused['column']}: “{printable(refused['value'])}”"])
