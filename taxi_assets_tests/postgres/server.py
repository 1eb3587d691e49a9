"""A PostgreSQL server of one's own: made in a temporary folder, on a free port, and gone afterwards."""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg
from psycopg import sql

from local_services.postgres import free_port, installed_programs, make_cluster, server_account, server_command

_START_SECONDS = 30
_PORTS_TO_TRY = 5


@dataclass
class Server:
    """A server that runs in a folder of its own.

    Attributes:
        programs: Folder of ``postgres`` and ``initdb``.
        folder: Where the server keeps everything.
        password: Password of its superuser, ``postgres``.
        port: Where it listens on 127.0.0.1; zero until it was started.
        wal_segment_mib: Size of the log's pieces, and so of the disk that the log takes.
    """

    programs: Path
    folder: Path
    password: str
    port: int = 0
    wal_segment_mib: int = 1
    _process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return self.url_of("postgres")

    def url_of(self, user: str, password: str | None = None, database: str = "postgres") -> str:
        """The connection of a user, whose password is the superuser's unless it is given."""
        return f"postgresql://{user}:{password or self.password}@127.0.0.1:{self.port}/{database}"

    def make(self) -> None:
        """Make the folder's content: a server that nobody enters without the password."""
        make_cluster(
            self.programs,
            self.folder,
            user="postgres",
            password=self.password,
            options=[f"--wal-segsize={self.wal_segment_mib}"],
        )

    def start(self, *, largest_file: int | None = None) -> None:
        """Start on the port that it had, or on a free one, and wait until it answers.

        Args:
            largest_file: Size in bytes beyond which the system lets no file of the server grow, as on a full disk.
        """
        blocks = "unlimited" if largest_file is None else largest_file // 512
        limited = ["sh", "-c", f'ulimit -S -f {blocks}; exec "$@"', "sh"]
        for _ in range(_PORTS_TO_TRY):
            self.port = self.port or free_port()
            command = server_command(self.programs, self.folder / "cluster", self.port)
            with (self.folder / "log").open("ab") as log:
                self._process = subprocess.Popen(
                    [*limited, *command],
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    cwd=self.folder,
                    start_new_session=True,  # a Ctrl-C that ends the tests must not end the server before them
                    **server_account(),
                )
            if self._answers():
                return
            self.port = 0  # somebody else was quicker to take the port
        raise RuntimeError((self.folder / "log").read_text())

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """Stop: SIGINT is pg_ctl's mode fast, SIGQUIT its mode immediate, which is like a power cut."""
        if self._process is not None:
            self._process.send_signal(how)
            self._process.wait(timeout=_START_SECONDS)
            self._process = None

    def connect(self, schema: str = "public") -> psycopg.Connection:
        """A superuser's connection that commits each statement."""
        return connect(self.url, schema)

    def _answers(self) -> bool:
        assert self._process is not None
        deadline = time.monotonic() + _START_SECONDS
        while self._process.poll() is None and time.monotonic() < deadline:
            try:
                psycopg.connect(self.url, connect_timeout=2).close()
            except psycopg.OperationalError:
                time.sleep(0.02)
            else:
                return True
        return False


def connect(url: str, schema: str) -> psycopg.Connection:
    """A connection that commits each statement, with this schema first."""
    connection = psycopg.connect(url, autocommit=True)
    connection.execute(sql.SQL("SET search_path TO {}").format(sql.Identifier(schema)))
    return connection


@contextmanager
def running_server(programs: Path, *, parent: Path | None = None, wal_segment_mib: int = 1) -> Iterator[Server]:
    """A server for the length of the block, with its folder below ``parent`` or where temporary files go."""
    folder = Path(tempfile.mkdtemp(prefix="taxi_postgres_", dir=parent))
    server = Server(programs, folder, secrets.token_hex(12), wal_segment_mib=wal_segment_mib)
    try:
        server.make()
        server.start()
        yield server
    finally:
        server.stop(signal.SIGQUIT)
        shutil.rmtree(folder)


def other_programs() -> Path | None:
    """Folder of the programs that TAXI_TEST_POSTGRES_BIN names, or of an installed PostgreSQL."""
    return installed_programs(os.environ.get("TAXI_TEST_POSTGRES_BIN"))


def version_of(programs: Path) -> str:
    """``18.4``, as the programs say."""
    text = subprocess.run([programs / "postgres", "--version"], check=True, capture_output=True, text=True).stdout
    return text.split()[2]
