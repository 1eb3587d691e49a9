"""Starts the emulators for the length of a block, and returns the settings for their clients."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Final

from emulators.environment import PYTHON_VARIABLE, Environment, environment
from emulators.errors import EmulatorError

PROJECT: Final = "emulated-project"
BUCKET: Final = "emulated-taxi-bucket"
DATASET: Final = "emulated_taxi_dataset"
FOREIGN_BUCKET: Final = "somebody-elses-bucket"
"""A bucket that clients can't access, like one of another account."""
READ_ONLY_BUCKET: Final = "read-only-bucket"
"""A bucket that clients can read but not change, as with missing permissions."""

_SERVERS: Final = Path(__file__).parent / "servers"
_START_SECONDS: Final = 120.0
_STOP_SECONDS: Final = 10.0


@dataclass(frozen=True)
class Emulators:
    """Emulators that are running.

    Attributes:
        storage: Address of the emulator of Cloud Storage, ``http://127.0.0.1:<port>``.
        bigquery: Address of the emulator of BigQuery.
        bigquery_storage: ``host:port`` of its Storage Read API; empty if it has none.
        bigquery_name: ``local-bigquery`` or ``bqemulator``, which differs more from the service.
        objects: Folder with a folder for each bucket.
    """

    storage: str
    bigquery: str
    bigquery_storage: str
    bigquery_name: str
    objects: Path

    def variables(self) -> Mapping[str, str]:
        """Environment variables that point clients to them. The bucket and the dataset do not exist yet."""
        return {
            "STORAGE_EMULATOR_HOST": self.storage,
            "BIGQUERY_EMULATOR_HOST": self.bigquery,
            "BIGQUERY_STORAGE_EMULATOR_HOST": self.bigquery_storage,
            "GCP_PROJECT_ID": PROJECT,
            "GCP_BUCKET_NAME": BUCKET,
            "GCP_DATASET": DATASET,
        }


@contextmanager
def running_emulators(say: Callable[[str], None] | None = None) -> Iterator[Emulators]:
    """Run both emulators, empty, for the length of the block. They end with this process, however it ends.

    Args:
        say: Gets each line about the progress; without it, they are shown on the standard output.

    Raises:
        EmulatorError: They can't be installed, or do not start.
    """
    installed = environment(say)
    folder = Path(tempfile.mkdtemp(prefix="taxi_emulators_"))
    objects = folder / "storage" / "objects"
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        storage = stack.enter_context(
            _Server.running(
                installed,
                "storage.py",
                {"--foreign-bucket": FOREIGN_BUCKET, "--read-only-bucket": READ_ONLY_BUCKET},
                data=folder / "storage",
                variables={"STORAGE_DIR": objects.name},
            )
        )
        bigquery = stack.enter_context(
            _Server.running(
                installed,
                installed.bigquery.launcher,
                {"--buckets": str(objects), "--project": PROJECT},
                data=folder / "bigquery",
                variables={},
            )
        )
        yield Emulators(
            storage=f"http://127.0.0.1:{storage['port']}",
            bigquery=f"http://127.0.0.1:{bigquery['port']}",
            bigquery_storage=f"127.0.0.1:{bigquery['grpc_port']}" if "grpc_port" in bigquery else "",
            bigquery_name=installed.bigquery.name,
            objects=objects,
        )


class _Server:
    """A launcher, running as a process."""

    def __init__(self, process: subprocess.Popen[str], name: str, log: Path) -> None:
        self._process, self._name, self._log = process, name, log

    @classmethod
    @contextmanager
    def running(
        cls,
        installed: Environment,
        launcher: str,
        options: Mapping[str, str],
        *,
        data: Path,
        variables: Mapping[str, str],
    ) -> Iterator[Mapping[str, Any]]:
        """Run a server for the length of the block, and yield what it reports about itself."""
        data.mkdir(parents=True)
        log = data / "log"
        arguments = [text for option in options.items() for text in option]
        with log.open("wb") as stream:
            process = subprocess.Popen(  # noqa: S603
                [installed.python, _SERVERS / launcher, "--data", data, *arguments],
                # The server ends when this end of its input is closed.
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=stream,
                env={**_without_settings_of_ours(), **variables},
                text=True,
                start_new_session=True,  # Ctrl-C reaches only the parent, which then stops the servers
            )
        server = cls(process, launcher, log)
        try:
            yield server.report()
        finally:
            server.stop()

    def report(self) -> Mapping[str, Any]:
        """Wait until the server listens, and return its report."""
        reports: list[str] = []

        def wait_for_report() -> None:
            assert self._process.stdout is not None  # noqa: S101
            # Libraries may print other lines while they are imported.
            reports.extend(islice((line for line in self._process.stdout if line.startswith("{")), 1))

        reader = threading.Thread(target=wait_for_report, daemon=True)
        reader.start()
        reader.join(_START_SECONDS)
        if not reports:
            said = self._log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
            raise EmulatorError(
                f"The emulator {self._name} did not start ({said[-1] if said else 'it wrote no message'}): delete "
                f".venv-emulators and try again, or name another Python in {PYTHON_VARIABLE}."
            )
        report: Mapping[str, Any] = json.loads(reports[0])
        return report

    def stop(self) -> None:
        """Tell it to end, and kill it if it does not."""
        assert self._process.stdin is not None  # noqa: S101
        assert self._process.stdout is not None  # noqa: S101
        self._process.stdin.close()
        try:
            self._process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()


def _without_settings_of_ours() -> dict[str, str]:
    """The environment without the variables for clients of Google Cloud and for this project's own Python."""
    foreign = ("GCP_", "GOOGLE_", "STORAGE_", "BIGQUERY_", "BQEMU_", "PYTHON")
    return {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
