"""Environments are made with uv or pip, with the same result, and with a line every few seconds."""

from __future__ import annotations

import ast
import os
import pty
import re
import signal
import subprocess
import sys
import time
from itertools import pairwise
from pathlib import Path

import psutil
import pytest
from filelock import FileLock
from packaging.specifiers import SpecifierSet

from environments.making import LOCK, can_make, make, python_of
from environments.pip_settings import variables_for_uv
from environments.versions import refusal
from taxi_assets_tests.environments.conftest import Made, use, variables
from taxi_assets_tests.environments.package_index import package_index
from taxi_assets_tests.paths import PROJECT

MODULES = sorted((PROJECT / "environments").glob("*.py"))
BEFORE_THE_VERSION_IS_KNOWN = ("__init__", "__main__", "versions")


def output_of(environment: Path, code: str) -> str:
    return subprocess.run([python_of(environment), "-c", code], capture_output=True, text=True, check=True).stdout


def test_the_constrained_version_is_installed_and_so_is_pip(made: Made) -> None:
    said = output_of(made.folder, "import pip, tiny, sys; print(tiny.VERSION, sys.prefix != sys.base_prefix)")
    assert said.split() == ["1.0", "True"]


def test_the_first_line_says_what_is_installed_with_what_and_the_last_that_it_is_done(made: Made) -> None:
    assert made.lines[0] == f"Installing a small package into {made.folder} with {made.installer}"
    assert re.fullmatch(rf"{made.folder} is ready: \d+ packages after \d+ s", made.lines[-1])
    assert all(re.fullmatch(rf"{made.folder}: [\w ]+.*, \d+ s", line) for line in made.lines[1:-1])


def test_an_environment_that_exists_is_kept(made: Made, machine: pytest.MonkeyPatch) -> None:
    before = (made.folder / "pyvenv.cfg").stat().st_mtime_ns
    make(made.folder, ["tiny==1.0"], say=lambda _: None)
    assert (made.folder / "pyvenv.cfg").stat().st_mtime_ns == before


def test_an_environment_whose_python_is_gone_is_made_anew(tmp_path: Path, wheels: Path) -> None:
    with pytest.MonkeyPatch.context() as monkeypatch:
        use(monkeypatch, variables("uv", tmp_path, wheels))
        folder = tmp_path / "venv"
        (folder / "bin").mkdir(parents=True)
        python_of(folder).symlink_to(tmp_path / "removed")
        (folder / "of-the-old-one").touch()
        # Who makes it may hold a lock in it, which uv's own must not wait for.
        with FileLock(folder / LOCK):
            make(folder, ["tiny"], say=lambda _: None)
        assert output_of(folder, "import tiny; print(tiny.VERSION)").strip() == "2.0"
        assert not (folder / "of-the-old-one").exists()
        assert (folder / LOCK).exists()


def test_while_nothing_happens_a_line_comes_every_few_seconds(
    made: Made, machine: pytest.MonkeyPatch, wheels: Path
) -> None:
    said: list[tuple[float, str]] = []
    with package_index(wheels) as index:
        machine.setenv("PIP_INDEX_URL", index.url)
        for name in ("PIP_NO_INDEX", "PIP_FIND_LINKS"):
            machine.delenv(name)

        def say(line: str) -> None:
            said.append((time.monotonic(), line))
            # The index answers after this line, so it was written while nothing else happened.
            if len(said) == 2:
                index.may_answer.set()

        make(made.folder, ["tiny==2.0"], say=say)
    times = [when for when, _ in said]
    assert max(later - earlier for earlier, later in pairwise(times)) < 5
    assert output_of(made.folder, "import tiny; print(tiny.VERSION)").strip() == "2.0"


def test_on_a_terminal_one_line_is_rewritten(made: Made, machine: pytest.MonkeyPatch) -> None:
    ours, theirs = pty.openpty()
    machine.setenv("TERM", "xterm")
    with os.fdopen(ours, "rb", buffering=0) as screen:
        process = subprocess.Popen(
            [sys.executable, "-m", "environments", str(made.folder), "tiny"], cwd=PROJECT, stdout=theirs, stderr=theirs
        )
        os.close(theirs)
        written = b""
        try:
            while part := screen.read(65536):
                written += part
        except OSError:  # what Linux says when the other end is closed
            pass
        assert process.wait() == 0
    rows = [row.rpartition("\x1b[K")[2] for row in written.decode().split("\r\n")]
    assert written.count(b"\r\x1b[K") > 2
    assert [row.partition(" ")[0] for row in rows if row] == ["Installing", str(made.folder)]


@pytest.mark.parametrize(
    ("number", "ending"),
    [
        (signal.SIGINT, (130, "The installation was stopped: run the same command again, and it goes on.")),
        (signal.SIGTERM, (143, "")),
    ],
)
def test_who_is_stopped_stops_the_installer(
    made: Made, machine: pytest.MonkeyPatch, wheels: Path, number: signal.Signals, ending: tuple[int, str]
) -> None:
    with package_index(wheels) as index:
        machine.setenv("PIP_INDEX_URL", index.url)
        for name in ("PIP_NO_INDEX", "PIP_FIND_LINKS"):
            machine.delenv(name)
        process = subprocess.Popen(
            [sys.executable, "-m", "environments", str(made.folder), "a-package-that-is-not-there"],
            cwd=PROJECT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert index.asked.wait(600)
        installers = psutil.Process(process.pid).children(recursive=True)
        process.send_signal(number)
        _, errors = process.communicate()
        assert installers
        assert psutil.wait_procs(installers, timeout=300)[1] == []
    assert (process.returncode, errors.strip()) == ending


def test_the_package_index_that_pip_is_told_is_told_to_uv(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = tmp_path / "pip.conf"
    settings.write_text(
        "[global]\nindex-url = https://one.example/simple\nextra-index-url =\n  https://two.example/simple\n"
        "  https://three.example/simple\n[install]\nfind-links = /wheels /more\n",
        "utf-8",
    )
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("UV_", "PIP_", "SSL_"))}
    use(
        monkeypatch, {**kept, "PIP_CONFIG_FILE": str(settings), "PIP_CERT": "/ca.pem", "XDG_CONFIG_HOME": str(tmp_path)}
    )
    told = {name: value for name, value in variables_for_uv().items() if name not in os.environ}
    assert {name: value for name, value in told.items() if value != "true"} == {
        "UV_DEFAULT_INDEX": "https://one.example/simple",
        "UV_INDEX": "https://two.example/simple https://three.example/simple",
        "UV_INDEX_STRATEGY": "unsafe-best-match",
        "UV_FIND_LINKS": "/wheels,/more",
        "SSL_CERT_FILE": "/ca.pem",
    }


def test_who_has_told_uv_itself_gets_that(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_INDEX_URL", "https://one.example/simple")
    monkeypatch.setenv("UV_DEFAULT_INDEX", "https://mine.example/simple")
    assert variables_for_uv()["UV_DEFAULT_INDEX"] == "https://mine.example/simple"


def test_only_versions_of_the_project_are_accepted() -> None:
    (stated,) = re.findall(r'^requires-python = "(.+)"', (PROJECT / "pyproject.toml").read_text("utf-8"), re.MULTILINE)
    accepted = [minor for minor in range(30) if refusal("python", (3, minor)) is None]
    assert accepted == [minor for minor in range(30) if SpecifierSet(stated).contains(f"3.{minor}.1")]


@pytest.mark.parametrize("module", BEFORE_THE_VERSION_IS_KNOWN)
def test_an_older_python_can_read_what_refuses_it(module: str) -> None:
    text = (PROJECT / "environments" / f"{module}.py").read_text("utf-8")
    ast.parse(text, feature_version=(3, 6))
    assert "from __future__" not in text  # Python 3.6 does not know annotations there


@pytest.mark.parametrize("file", MODULES, ids=lambda file: file.stem)
def test_nothing_has_to_be_installed_for_it(file: Path) -> None:
    roots = set()
    for node in ast.walk(ast.parse(file.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            roots.update(alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            roots.add(str(node.module).partition(".")[0])
    assert roots <= {*sys.stdlib_module_names, "environments"}


def test_without_ensurepip_only_uv_can_make_environments(
    made: Made, machine: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    # As on Debian without the package python3-venv.
    (tmp_path / "ensurepip.py").write_text("raise ImportError('No module named ensurepip')\n", "utf-8")
    machine.setenv("PYTHONPATH", str(tmp_path))
    assert can_make(Path(sys.executable)) == (made.installer == "uv")
