"""Hands the bucket's objects to assets that ask for them, and keeps what assets return as objects.

An asset names what it wants by its type: ``storage.Blob`` (the object itself, nothing is read until it is asked for),
``bytes``, or ``io.BufferedIOBase`` (a stream, in bounded memory). For a range of partitions it gets a dictionary of
these by partition, as from Dagster's own I/O managers for files, and says so: ``dict[str, storage.Blob]``.
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
    """Reads raw files of months from the bucket, and reads and writes objects of other assets.

    What an asset returns (bytes, or the path of a file) becomes ``assets/<key>`` or ``assets/<key>/<partition>``.
    """

    bucket: GcsBucket

    @override
    def load_input(self, context: dg.InputContext) -> Any:
        """The upstream asset's object, or a dictionary of its objects by partition.

        Raises:
            WarehouseError: There is no such object, or the asset names a type that can't be given.
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
            f"{context.asset_key.to_user_string()} is an object per month: ask for a dictionary of them, as in "
            "dict[str, storage.Blob], or run one month at a time."
        )

    @override
    def handle_output(self, context: dg.OutputContext, obj: Any) -> None:
        """Keep what an asset returned as an object.

        Raises:
            WarehouseError: The value is neither bytes nor a path, it is for several partitions, or an object of that
                name is not ours.
        """
        key = context.partition_key if context.has_asset_partitions else None
        name = object_names(list(context.asset_key.path), key)[0]
        with translated_errors(f"store {name}", self._place):
            bucket = self._client_bucket()
            there = bucket.get_blob(name)
            if there is not None and not is_ours(there.metadata):
                raise WarehouseError(
                    f"{self._place}/{name} is an object that this project did not make: nothing was changed; move it "
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
                        f"{self._place}/{name} can't be made from a {type(obj).__name__}: return bytes or a Path."
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
                raise WarehouseError(f"There is no {self._place}/{name}: materialize the asset that makes it first.")
            if wanted in (storage.Blob, Any):
                return blob
            if wanted is bytes:
                content: bytes = blob.download_as_bytes(raw_download=True)
                return content
            if wanted is BufferedIOBase:
                stream: BufferedIOBase = blob.open("rb", raw_download=True)
                return stream
        raise WarehouseError(
            f"{self._place}/{name} can't be given as {getattr(wanted, '__name__', wanted)}: "
            "ask for storage.Blob, bytes or io.BufferedIOBase."
        )


def object_names(path: list[str], partition: str | None) -> Sequence[str]:
    """Names that an asset's partition may have as an object, the latest of which counts.

    A month's raw file has its published name, which is another in the release than in the feed.
    """
    taxi = taxi_of_main_table(path[-1])
    if path[0] == "gcs" and taxi is not None and partition is not None:
        month = Month.parse(partition)
        return [taxi.file_path(month), taxi.feed_path(month)]
    return ["/".join([_FOLDER, *path, *([partition] if partition else [])])]
