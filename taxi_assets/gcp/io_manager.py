"""Passes the bucket's objects to assets as inputs, and stores what assets return as objects.

The type of an input decides its form: ``storage.Blob`` (the object itself, which is not read in advance), ``bytes``, or
``io.BufferedIOBase`` (a stream, in bounded memory). For a range of partitions, the input is a dictionary of these by
partition, as with Dagster's own I/O managers for files, and its type is ``dict[str, storage.Blob]``, for example.
"""

from collections.abc import Sequence
from io import BufferedIOBase
from pathlib import Path
from typing import Any, Final, get_args, get_origin

import dagster as dg
from google.cloud import storage
from typing_extensions import override

from taxi_assets.errors import WarehouseError
from taxi_assets.gcp.errors import translated_errors
from taxi_assets.gcp.resources import GcsBucket
from taxi_assets.months import Month
from taxi_assets.ownership import MADE_BY, is_ours
from taxi_assets.taxis import taxi_of_main_table

_FOLDER: Final = "assets"


class GcsIOManager(dg.ConfigurableIOManager):
    """Reads the months' raw files from the bucket, and reads and writes objects of other assets.

    A returned value (bytes, or the path of a file) is stored as ``assets/<key>`` or ``assets/<key>/<partition>``.
    """

    bucket: GcsBucket

    @override
    def load_input(self, context: dg.InputContext) -> Any:
        """The upstream asset's object, or a dictionary of its objects by partition.

        Raises:
            WarehouseError: There is no such object, or the input's type is not supported.
        """
        wanted = context.dagster_type.typing_type
        path = list(context.asset_key.path)
        if not context.has_asset_partitions:
            return self._read(object_names(path, None), wanted)
        keys = list(context.asset_partition_keys)
        if get_origin(wanted) is dict:
            return {key: self._read(object_names(path, key), get_args(wanted)[1]) for key in keys}
        if len(keys) == 1:
            return self._read(object_names(path, keys[0]), wanted)
        raise WarehouseError(
            f"{context.asset_key.to_user_string()} has an object per month: give the input the type of a dictionary, "
            "such as dict[str, storage.Blob], or run one month at a time."
        )

    @override
    def handle_output(self, context: dg.OutputContext, obj: Any) -> None:
        """Store what an asset returned as an object.

        Raises:
            WarehouseError: The value is neither bytes nor a path, the run has several partitions, or this project did
                not create the object of that name.
        """
        key = context.partition_key if context.has_asset_partitions else None
        name = object_names(list(context.asset_key.path), key)[0]
        with translated_errors(f"store {name}", self._place):
            bucket = self._client_bucket()
            there = bucket.get_blob(name)
            if there is not None and not is_ours(there.metadata):
                raise WarehouseError(
                    f"{self._place}/{name} is an object that this project did not create: nothing was changed; move it "
                    "away, then run again."
                )
            blob = bucket.blob(name)
            blob.metadata = dict(MADE_BY)
            generation = there.generation if there is not None else 0
            match obj:
                case bytes():
                    blob.upload_from_string(obj, checksum="crc32c", if_generation_match=generation)
                case Path():
                    blob.upload_from_filename(str(obj), checksum="crc32c", if_generation_match=generation)
                case _:
                    raise WarehouseError(
                        f"{self._place}/{name} can't be created from a {type(obj).__name__}: return bytes or a Path."
                    )
        context.add_output_metadata({"uri": f"{self._place}/{name}", "size (bytes)": blob.size})

    @property
    def _place(self) -> str:
        return f"gs://{self.bucket.bucket_name}"

    def _client_bucket(self) -> storage.Bucket:
        return self.bucket.get_client().bucket(self.bucket.bucket_name)

    def _read(self, names: Sequence[str], wanted: Any) -> storage.Blob | bytes | BufferedIOBase:
        name = names[0]
        with translated_errors(f"read {name}", self._place):
            bucket = self._client_bucket()
            there = [blob for blob in map(bucket.get_blob, names) if blob is not None]
            blob = max(there, key=lambda found: found.updated, default=None)
            if blob is None:
                raise WarehouseError(f"{self._place}/{name} does not exist: materialize its asset first.")
            if wanted in (storage.Blob, Any):
                return blob
            if wanted is bytes:
                content: bytes = blob.download_as_bytes(raw_download=True)
                return content
            if wanted is BufferedIOBase:
                stream: BufferedIOBase = blob.open("rb", raw_download=True)
                return stream
        raise WarehouseError(
            f"{self._place}/{name} can't be read as {getattr(wanted, '__name__', wanted)}: "
            "give the input the type storage.Blob, bytes or io.BufferedIOBase."
        )


def object_names(path: list[str], partition: str | None) -> Sequence[str]:
    """The names that the object of an asset's partition may have; the latest object is read.

    A month's raw file has its published name, which is one name in the release and another in the feed.
    """
    taxi = taxi_of_main_table(path[-1])
    if path[0] == "gcs" and taxi is not None and partition is not None:
        month = Month.parse(partition)
        return [taxi.file_path(month), taxi.feed_path(month)]
    return ["/".join([_FOLDER, *path, *([partition] if partition else [])])]
