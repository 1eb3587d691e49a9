"""A dbt project from a git repository: one commit, without history, in a folder of its own."""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit, urlunsplit

from taxi_assets.errors import DbtError, SettingsError
from taxi_assets.files import make_private_folder, write_whole

_NOTE: Final = "synced.json"
_SECONDS: Final = 600


@dataclass(frozen=True)
class GitSource:
    """The git repository of a dbt project.

    Attributes:
        url: Address of the repository. It may hold a user and a password, so show ``address`` instead.
        branch: The branch; None for the repository's default.
        folder: Folder of the dbt project in the repository; empty for the top folder.
    """

    url: str = field(repr=False)
    branch: str | None = None
    folder: str = ""

    @property
    def address(self) -> str:
        """The address without user, password and query."""
        if "://" not in self.url:
            return self.url.rpartition("@")[2]
        parts = urlsplit(self.url)
        return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))

    def synced(self, state: Path) -> Path | None:
        """The folder of the dbt project, if it has been synced from this repository, branch and folder."""
        try:
            note = json.loads((state / _NOTE).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None
        project = _project(state, str(note.get("commit")), self.folder)
        is_this = (note.get("address"), note.get("branch"), note.get("folder")) == (
            self.address,
            self.branch,
            self.folder,
        )
        return project if is_this and (project / "dbt_project.yml").is_file() else None

    def sync(self, state: Path) -> str:
        """Fetch the newest commit and return its hash. An earlier commit stays in use until the new one is complete.

        Raises:
            SettingsError: The repository has no dbt project in that folder.
            DbtError: git is missing or could not fetch.
        """
        make_private_folder(state)
        with tempfile.TemporaryDirectory(dir=state, prefix="clone_") as temporary:
            clone = Path(temporary) / "clone"
            branch = ["--branch", self.branch] if self.branch else []
            self._git("clone", "--quiet", "--depth", "1", *branch, "--", self._url_without_password(), str(clone))
            commit = self._git("-C", str(clone), "rev-parse", "HEAD").strip()
            if not (clone / self.folder / "dbt_project.yml").is_file():
                raise SettingsError(
                    f"{self.address} has no dbt_project.yml in the folder “{self.folder or '.'}”: "
                    "name the right one in TAXI_DBT_GIT_FOLDER."
                )
            place = _place(state, commit)
            if not place.exists():
                place.parent.mkdir(exist_ok=True)
                clone.rename(place)
        note = {"address": self.address, "branch": self.branch, "folder": self.folder, "commit": commit}
        write_whole(state / _NOTE, json.dumps(note, indent=2))
        for other in place.parent.iterdir():
            if other != place:
                shutil.rmtree(other)
        return commit

    def _git(self, *arguments: str) -> str:
        try:
            done = subprocess.run(  # noqa: S603
                ["git", *arguments],  # noqa: S607
                capture_output=True,
                text=True,
                check=False,
                timeout=_SECONDS,
                env={**os.environ, "GIT_TERMINAL_PROMPT": "0", **self._authorization()},
            )
        except FileNotFoundError as error:
            raise DbtError("git is not installed: install it, or unset TAXI_DBT_GIT_URL.") from error
        except subprocess.TimeoutExpired:
            # The exception shows the command, and so it is not chained.
            raise DbtError(f"{self.address} did not answer for {_SECONDS} seconds: run again later.") from None
        if done.returncode:
            cause = " ".join(done.stderr.split()).rstrip(".")
            for secret in self._secrets():
                cause = cause.replace(secret, "…")
            raise DbtError(
                f"git could not fetch {self.branch or 'the default branch'} of {self.address} ({cause}): "
                "check TAXI_DBT_GIT_URL and TAXI_DBT_GIT_BRANCH."
            )
        return done.stdout

    def _url_without_password(self) -> str:
        """The address for git's command line, which other users can see, and for the clone's settings."""
        return self.address if self._authorization() else self.url

    def _authorization(self) -> Mapping[str, str]:
        """User and password as a setting in git's environment."""
        user, password = self._user_and_password()
        if not user and not password:
            return {}
        token = base64.b64encode(f"{user}:{password}".encode()).decode()
        return {
            "GIT_CONFIG_COUNT": "1",
            "GIT_CONFIG_KEY_0": "http.extraHeader",
            "GIT_CONFIG_VALUE_0": f"Authorization: Basic {token}",
        }

    def _user_and_password(self) -> tuple[str, str]:
        if not self.url.startswith(("http://", "https://")):
            return "", ""
        parts = urlsplit(self.url)
        return unquote(parts.username or ""), unquote(parts.password or "")

    def _secrets(self) -> set[str]:
        """The parts that must not be shown, as written in the address and decoded."""
        parts = urlsplit(self.url) if "://" in self.url else None
        written = {parts.username or "", parts.password or "", parts.query} if parts else set()
        return {text for text in {*written, *self._user_and_password()} if text}


def _place(state: Path, commit: str) -> Path:
    return state / "synced" / commit


def _project(state: Path, commit: str, folder: str) -> Path:
    return _place(state, commit) / folder
