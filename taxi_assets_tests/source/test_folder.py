"""Folders as a source: the copy is the file, and what is missing or unreadable is said in one sentence."""

import logging
import os
import shutil
import stat

import pytest

from taxi_assets.errors import NotPublishedError, SourceUnavailableError
from taxi_assets.source import folder as folder_module
from taxi_assets.source.folder import FolderOrigin
from taxi_assets.source.origin import Origin
from taxi_assets_tests.source.made_files import FILE, made_gzip

LOG = logging.getLogger("test")
BODY = made_gzip()
real_progress = folder_module.Progress


@pytest.fixture
def folder(tmp_path):
    path = tmp_path / "source" / FILE.path
    path.parent.mkdir(parents=True)
    path.write_bytes(BODY)
    return tmp_path / "source"


@pytest.fixture
def target(tmp_path):
    return tmp_path / "copy.part"


def test_a_file_is_copied_byte_for_byte_in_pieces(folder, target, monkeypatch):
    monkeypatch.setattr(folder_module, "_CHUNK", 1_000)
    origin: Origin = FolderOrigin(folder)
    version = origin.fetch(FILE, target, LOG)
    assert target.read_bytes() == BODY
    assert version == origin.version(FILE)
    assert version.size == len(BODY)


def test_the_name_tells_the_folder_and_it_is_neither_the_release_nor_a_server(folder):
    origin = FolderOrigin(folder)
    assert origin.name == f"folder {folder}"
    assert not origin.is_release
    assert not origin.is_remote


def test_the_version_changes_with_size_and_with_time(folder):
    origin = FolderOrigin(folder)
    first = origin.version(FILE)
    path = folder / FILE.path
    os.utime(path, ns=(1, path.stat().st_mtime_ns + 1))
    second = origin.version(FILE)
    with path.open("ab") as stream:
        stream.write(b"x")
    os.utime(path, ns=(1, int(second.last_modified)))
    assert len({first, second, origin.version(FILE)}) == 3


def test_what_lay_at_the_target_is_replaced(folder, target):
    target.write_bytes(BODY * 2)
    FolderOrigin(folder).fetch(FILE, target, LOG)
    assert target.read_bytes() == BODY


def test_a_file_that_is_not_there_is_one_sentence(folder, target):
    (folder / FILE.path).unlink()
    with pytest.raises(NotPublishedError, match=f"{FILE.name} is not in the folder {folder}"):
        FolderOrigin(folder).version(FILE)
    with pytest.raises(NotPublishedError):
        FolderOrigin(folder).fetch(FILE, target, LOG)


def test_a_folder_that_is_not_there_is_one_sentence(folder, target):
    shutil.rmtree(folder)
    with pytest.raises(SourceUnavailableError, match=f"because the folder {folder} is missing"):
        FolderOrigin(folder).version(FILE)
    with pytest.raises(SourceUnavailableError, match=f"because the folder {folder} is missing"):
        FolderOrigin(folder).fetch(FILE, target, LOG)


def test_a_folder_in_the_files_place_is_one_sentence(folder, target):
    (folder / FILE.path).unlink()
    (folder / FILE.path).mkdir()
    with pytest.raises(NotPublishedError, match="is not a file"):
        FolderOrigin(folder).version(FILE)
    with pytest.raises(SourceUnavailableError):
        FolderOrigin(folder).fetch(FILE, target, LOG)


def test_a_file_that_may_not_be_read_is_one_sentence(folder, target):
    (folder / FILE.path).chmod(stat.S_IWUSR)
    if os.access(folder / FILE.path, os.R_OK):
        pytest.skip("this user may read everything")
    with pytest.raises(SourceUnavailableError, match="Permission denied"):
        FolderOrigin(folder).fetch(FILE, target, LOG)


@pytest.mark.parametrize("change", ["grows", "shrinks", "vanishes", "is replaced"])
def test_a_file_that_changes_while_it_is_copied_is_refused(folder, target, monkeypatch, change):
    path = folder / FILE.path

    class ChangingLog(logging.Logger):
        def info(self, *args, **kwargs):
            if change == "vanishes":
                path.unlink(missing_ok=True)
            elif change == "is replaced":
                path.with_suffix(".new").write_bytes(BODY)
                path.with_suffix(".new").replace(path)
            else:
                os.truncate(path, len(BODY) * 2 if change == "grows" else 10)

    def eager_progress(*args, **kwargs):
        return real_progress(*args, **kwargs, every_seconds=0)

    monkeypatch.setattr(folder_module, "_CHUNK", 10_000)
    monkeypatch.setattr(folder_module, "Progress", eager_progress)
    with pytest.raises((SourceUnavailableError, NotPublishedError)):
        FolderOrigin(folder).fetch(FILE, target, ChangingLog("changing"))


def test_a_file_that_grows_as_fast_as_it_is_copied_is_given_up(folder, target, monkeypatch):
    path = folder / FILE.path

    class GrowingProgress(real_progress):
        def advance(self, size):
            super().advance(size)
            assert self.done < 10 * len(BODY)
            with path.open("ab") as stream:
                stream.write(bytes(2 * size))

    monkeypatch.setattr(folder_module, "_CHUNK", 10_000)
    monkeypatch.setattr(folder_module, "Progress", GrowingProgress)
    with pytest.raises(SourceUnavailableError, match="changed in the folder"):
        FolderOrigin(folder).fetch(FILE, target, LOG)


def test_a_target_that_cannot_be_written_is_the_callers_error(folder, tmp_path):
    with pytest.raises(OSError, match="No such file"):
        FolderOrigin(folder).fetch(FILE, tmp_path / "nowhere" / "copy.part", LOG)
