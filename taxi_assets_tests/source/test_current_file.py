"""A landed file is looked up when it is read, and nothing is kept of one that is replaced meanwhile."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from taxi_assets.errors import FileReplacedError, NotLandedError, UnexpectedContentError
from taxi_assets.source.current_file import CurrentFile
from taxi_assets.source.folder import FolderOrigin
from taxi_assets.source.landing_folder import FolderLandingZone
from taxi_assets.source.raw_files import LandedFile
from taxi_assets_tests.source.made_files import FILE, made_gzip

LOG = logging.getLogger("test")


class Place:
    """A landing zone, and a source whose file is replaced by one with another number of rows."""

    def __init__(self, folder: Path) -> None:
        self.source, self.zone = folder / "source", FolderLandingZone(folder / "landing")
        (self.source / FILE.path).parent.mkdir(parents=True)

    def land(self, rows: int) -> LandedFile:
        (self.source / FILE.path).write_bytes(made_gzip(rows=rows))
        return self.zone.land(FILE, FolderOrigin(self.source), LOG)


@pytest.fixture
def place(tmp_path: Path) -> Place:
    place = Place(tmp_path)
    place.land(20)
    return place


def test_it_is_what_has_landed_by_then(place: Place):
    current = CurrentFile(place.zone, FILE)
    place.land(30)
    with current.unchanged() as landed:
        assert landed.rows == 30
    assert current.last == landed


def test_one_that_has_not_landed_is_said_to_be_missing(place: Place):
    place.zone.purge(FILE)
    current = CurrentFile(place.zone, FILE)
    with pytest.raises(NotLandedError):
        current.require()


@pytest.mark.parametrize("happens", ["landed anew", "written in its place", "purged"])
def test_one_that_changes_while_it_is_read_is_refused(place: Place, happens: str):
    current = CurrentFile(place.zone, FILE)

    def read() -> None:
        with current.unchanged() as landed:
            if happens == "landed anew":
                place.land(30)
            elif happens == "purged":
                place.zone.purge(FILE)
            else:
                landed.path.write_bytes(landed.path.read_bytes())

    with pytest.raises(FileReplacedError, match=f"{FILE.name} was replaced in the landing zone while it was read"):
        read()
    assert current.last is None


def test_what_is_found_in_one_that_changes_meanwhile_is_not_said_of_it(place: Place):
    current = CurrentFile(place.zone, FILE)

    def read() -> None:
        with current.unchanged():
            place.land(30)
            raise UnexpectedContentError("what the reader saw was half of each")

    with pytest.raises(FileReplacedError):
        read()


def test_one_that_was_replaced_is_read_again(place: Place):
    seen = []

    def read(current: CurrentFile) -> int:
        with current.unchanged() as landed:
            seen.append(landed.rows)
            if len(seen) == 1:
                place.land(30)
        return landed.rows

    assert CurrentFile(place.zone, FILE).read_by(read, LOG) == 30
    assert seen == [20, 30]


def test_one_that_is_replaced_each_time_is_given_up(place: Place):
    rows = iter(range(30, 100))

    def read(current: CurrentFile) -> None:
        with current.unchanged():
            place.land(next(rows))

    with pytest.raises(FileReplacedError) as given_up:
        CurrentFile(place.zone, FILE).read_by(read, LOG)
    assert given_up.value.is_transient
    assert next(rows) == 35
