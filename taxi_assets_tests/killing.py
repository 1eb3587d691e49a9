"""Kills loads at chosen moments of their lives, however fast the machine is at that moment."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path

from taxi_assets_tests.project import Project, processes


@dataclass
class Loads:
    """Child processes that load January into a project, one after the other.

    Attributes:
        folder: The project's folder.
        make: Makes the project of a folder, in the child process.
        seconds: How long a load takes that is left alone, as far as is known.
    """

    folder: Path
    make: Callable[[Path], Project] = Project
    seconds: float = field(default=0.0, init=False)

    def finish_one(self) -> None:
        """Let a load live to its end, which tells how long a life is."""
        with self._child() as (child, pipe):
            start = time.monotonic()
            assert pipe.recv() == "end"
            self.seconds = time.monotonic() - start
        assert child.exitcode == 0

    def kill_one(self, part: float) -> bool:
        """Kill a load after that part of a life; returns whether it was still alive.

        If not, lives are as short as that one from now on: asked again and again, a load is killed at last.
        """
        with self._child() as (child, pipe):
            start = time.monotonic()
            finished = pipe.poll(self.seconds * part)
            if finished:
                assert pipe.recv() == "end"
                self.seconds = time.monotonic() - start
            else:
                child.kill()
        assert child.exitcode in (0, -signal.SIGKILL)
        return not finished

    @contextmanager
    def _child(self) -> Iterator[tuple[BaseProcess, Connection]]:
        """A child process that is just beginning to load, and the pipe on which it says that it has finished."""
        context = processes()
        mine, its = context.Pipe()
        child = context.Process(target=_load, args=(self.folder, self.make, its))
        child.start()
        its.close()
        with mine:
            assert mine.recv() == "begin"
            yield child, mine
            child.join()


def _load(folder: Path, make: Callable[[Path], Project], pipe: Connection) -> None:
    # A run that finds nothing to land brings in all that a process needs once, so that kills fall into the load.
    (folder / "nothing").mkdir(exist_ok=True)
    assert not make(folder / "nothing").run(stages=("raw",)).success
    project = make(folder)
    pipe.send("begin")
    assert project.run(checks=False).success
    pipe.send("end")


def moments(number: int, *, part: int, parts: int) -> list[float]:
    """One of several shares of that many moments of a life, each as a part of it."""
    return [(moment + 0.5) / number for moment in range(part, number, parts)]
