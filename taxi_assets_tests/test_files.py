"""A file is written whole: whoever reads it meanwhile, and whatever goes wrong, it is the old one or the new one."""

import resource
import threading

import pytest

from taxi_assets.files import flush_to_disk, write_whole


def test_text_and_bytes_are_written_as_they_are(tmp_path):
    path = tmp_path / "page.html"
    write_whole(path, "größer\n")
    assert path.read_bytes() == "größer\n".encode()
    write_whole(path, b"\xff\x00", flush=True)
    assert path.read_bytes() == b"\xff\x00"
    assert list(tmp_path.iterdir()) == [path]


def test_a_reader_never_finds_a_part(tmp_path):
    path = tmp_path / "page.html"
    editions = [letter * 3_000_000 for letter in (b"a", b"b")]
    write_whole(path, editions[0])
    writers = [
        threading.Thread(target=lambda edition=edition: [write_whole(path, edition) for _ in range(20)])
        for edition in editions
    ]
    for writer in writers:
        writer.start()
    while any(writer.is_alive() for writer in writers):
        assert path.read_bytes() in editions
    assert list(tmp_path.iterdir()) == [path]


def test_what_was_there_stays_when_the_disk_is_full(tmp_path):
    path = tmp_path / "page.html"
    write_whole(path, "old")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000, hard))
    try:
        with pytest.raises(OSError, match="File too large"):
            write_whole(path, "new" * 1_000)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_files_and_folders_are_flushed(tmp_path):
    (tmp_path / "file").write_text("x")
    flush_to_disk(tmp_path / "file")
    flush_to_disk(tmp_path)
    with pytest.raises(FileNotFoundError):
        flush_to_disk(tmp_path / "missing")
