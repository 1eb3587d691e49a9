"""A failed installation ends with one sentence: what, why, and what to do."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from environments.__main__ import main
from environments.command import run
from environments.failures import sentence
from taxi_assets_tests.environments.conftest import Made


@pytest.fixture
def fails(capsys: pytest.CaptureFixture[str]):
    """Runs the command, and returns the sentence with which it fails."""

    def command(*arguments: object) -> str:
        assert run([str(argument) for argument in arguments]) == 1
        lines = capsys.readouterr().err.splitlines()
        assert len(lines) == 1
        return lines[0]

    return command


def stand_in(folder: Path, version: str) -> Path:
    """A program that answers like a Python of this version, which this machine need not have."""
    program = folder / "python"
    program.write_text(f"#!/bin/sh\necho {version}\n", "utf-8")
    program.chmod(0o700)
    return program


@pytest.mark.parametrize("version", ["3 10", "3 15"])
def test_a_python_that_is_too_old_or_too_new(fails, version: str, tmp_path: Path) -> None:
    python = stand_in(tmp_path, version)
    said = fails(tmp_path / "venv", "--python", python, "tiny")
    assert said.startswith(f"Python 3.11 to 3.14 is needed, and {python} is {version.replace(' ', '.')}: name another")
    assert not (tmp_path / "venv").exists()


def test_the_python_that_runs_it_is_looked_at_first(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "version_info", (3, 9, 1))
    assert main() == 1
    assert capsys.readouterr().err.startswith(f"Python 3.11 to 3.14 is needed, and {sys.executable} is 3.9: name")


def test_a_python_that_does_not_exist(fails, tmp_path: Path) -> None:
    assert fails(tmp_path / "venv", "--python", "python3.99", "tiny").startswith(
        "python3.99 does not run: name another"
    )


def test_a_python_without_ensurepip(fails, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "ensurepip.py").write_text("raise ImportError('No module named ensurepip')\n", "utf-8")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setenv("TAXI_INSTALLER", "pip")
    said = fails(tmp_path / "venv", "tiny")
    major, minor = sys.version_info[:2]
    assert "because its module ensurepip is missing: install it" in said
    assert f"apt-get install python{major}.{minor}-venv" in said


def test_an_index_that_refuses_connections(fails, made: Made, machine: pytest.MonkeyPatch) -> None:
    machine.setenv("PIP_INDEX_URL", "http://127.0.0.1:1/simple")
    machine.setenv("PIP_RETRIES", "1")
    machine.setenv("UV_HTTP_RETRIES", "0")
    for name in ("PIP_NO_INDEX", "PIP_FIND_LINKS"):
        machine.delenv(name)
    assert fails(made.folder, "absent") == (
        f"The packages for {made.folder} can't be fetched, because the package index can't be reached (Connection "
        "refused): connect this machine, or name another one in PIP_INDEX_URL, then run the command again."
    )


def test_a_version_that_the_index_does_not_have(fails, made: Made, machine: pytest.MonkeyPatch) -> None:
    said = fails(made.folder, "tiny==9.0")
    assert said.startswith(f"The packages for {made.folder} can't be installed (")
    assert "tiny==9.0" in said
    assert said.endswith(f"all that {made.installer} wrote is in {made.folder / 'install.log'}.")
    assert "tiny==9.0" in (made.folder / "install.log").read_text("utf-8")


def test_a_folder_that_is_a_file(fails, tmp_path: Path) -> None:
    (tmp_path / "venv").touch()
    assert fails(tmp_path / "venv", "tiny").startswith(f"{tmp_path / 'venv'} can't be made (File exists): check")


@pytest.mark.parametrize("wanted", ["conda", "uv"])
def test_an_installer_that_is_not_there(fails, wanted: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TAXI_INSTALLER", wanted)
    monkeypatch.setenv("PATH", str(tmp_path))
    said = fails(tmp_path / "venv", "tiny")
    assert said.startswith(f"TAXI_INSTALLER is {wanted}")


@pytest.mark.parametrize(
    ("program", "lines", "words"),
    [
        (
            "pip",
            ["ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device"],
            "There is no space left to install into",
        ),
        (
            "uv",
            [
                "error: Failed to install: numpy-2.4.6-cp311-cp311-manylinux_2_28_x86_64.whl (numpy==2.4.6)",
                "  cause: failed to copy file from /a to /b: No space left on device (os error 28)",
            ],
            "There is no space left to install into",
        ),
        (
            "pip",
            [
                "WARNING: Retrying: connection broken by '[Errno -3] Temporary failure in name resolution': /simple",
                "ERROR: No matching distribution found for tiny",
            ],
            "can't be reached (Temporary failure in name resolution): connect this machine",
        ),
        (
            "uv",
            [
                "error: Request failed after 3 retries in 7.5s",
                "  cause: dns error",
                "  cause: failed to lookup address information: Temporary failure in name resolution",
            ],
            "can't be reached (Temporary failure in name resolution): connect this machine",
        ),
        (
            "pip",
            ["WARNING: … [SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: self-signed certificate in chain"],
            "the certificate of the package index is not trusted",
        ),
        (
            "uv",
            ["  cause: invalid peer certificate: UnknownIssuer"],
            "the certificate of the package index is not trusted",
        ),
        ("uv", ["  cause: HTTP status client error (401 Unauthorized) for url"], "refuses it (401 Unauthorized)"),
        (
            "pip",
            ["ERROR: HTTP error 403 while getting https://packages.example/tiny.whl"],
            "refuses it (HTTP error 403)",
        ),
        ("uv", ["error: failed to create directory `/x`: Permission denied (os error 13)"], "can't be written ("),
        (
            "uv",
            ["error: nothing at https://me:secret@packages.example/simple"],
            "(nothing at https://packages.example/simple)",
        ),
    ],
)
def test_what_installers_write_becomes_a_sentence(program: str, lines: list[str], words: str, tmp_path: Path) -> None:
    said = sentence(lines, tmp_path, program, tmp_path / "install.log")
    assert words in said
    assert said.endswith(".")
    assert "secret" not in said
