"""The landing zone: only verified files lie there, nothing is fetched twice, and no accident leaves a doubt."""

import errno
import gzip
import hashlib
import json
import logging
import os
import resource
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest
from filelock import FileLock

from taxi_assets.errors import (
    DamagedFileError,
    LandingError,
    NotPublishedError,
    SettingsError,
    SourceUnavailableError,
    UnexpectedContentError,
)
from taxi_assets.months import Month
from taxi_assets.published import PublishedMonth
from taxi_assets.source import landing_folder
from taxi_assets.source.folder import FolderOrigin
from taxi_assets.source.http import HttpOrigin
from taxi_assets.source.landing_folder import FolderLandingZone
from taxi_assets.source.origin import RELEASE_ADDRESS
from taxi_assets.source.raw_files import FileVersion, RawFile, trip_file, zones_file
from taxi_assets.source.resource import TripSource
from taxi_assets.source.retries import HttpRetries
from taxi_assets_tests.paths import REAL_DATA, needs_real_data
from taxi_assets_tests.source.file_server import Fault, FileServer, Served
from taxi_assets_tests.source.made_files import FILE, GREEN, HEADER, made_csv, made_gzip

LOG = logging.getLogger("test")
BODY = made_gzip()
NEW_BODY = made_gzip(seed=1)
QUICK = HttpRetries(timeout_seconds=2, attempts=2, backoff_seconds=0.001, backoff_limit_seconds=0.01)


class FixedOrigin:
    """Gives fixed bytes, and remembers how often they were fetched."""

    name = "fixed"

    def __init__(self, body=BODY, version=None, *, is_release=False):
        self.body = body
        self.stated = version or FileVersion(len(body), etag=hashlib.md5(body).hexdigest())
        self.is_release = is_release
        self.fetches = 0

    def version(self, file: RawFile) -> FileVersion:
        return self.stated

    def fetch(self, file: RawFile, target: Path, log: logging.Logger) -> FileVersion:
        self.fetches += 1
        target.write_bytes(self.body)
        return self.stated


@pytest.fixture
def zone(tmp_path):
    return FolderLandingZone(tmp_path / "landing")


@pytest.fixture
def server():
    with FileServer() as server:
        server.files[f"/{FILE.path}"] = Served(BODY)
        yield server


@pytest.fixture
def web(server):
    return HttpOrigin(server.address, QUICK)


def visible(landed_path):
    return sorted(path.name for path in landed_path.parent.iterdir() if not path.name.startswith("."))


def path_of(tmp_path, file=FILE):
    return tmp_path / "landing" / file.path


@needs_real_data
def test_the_real_file_lands_as_it_was_published(zone):
    file = trip_file(GREEN, Month(2020, 10))
    landed = zone.land(file, FolderOrigin(REAL_DATA / "source"), LOG)
    assert (landed.rows, landed.csv_size, landed.size) == (95_120, 8_594_676, 1_709_547)
    assert landed.sha256 == file.published.gz_sha256
    assert landed.notes == ()
    assert zone.land(zones_file(), FolderOrigin(REAL_DATA / "source"), LOG).rows == 265


def test_a_landed_file_lies_beside_a_manifest_that_people_can_read(zone, web, tmp_path):
    landed = zone.land(FILE, web, LOG)
    path = path_of(tmp_path)
    assert landed.path == path
    assert landed.fetched
    assert landed.seconds > 0
    assert path.read_bytes() == BODY
    assert visible(path) == [path.name, f"{path.name}.json"]
    manifest = json.loads(path.with_name(f"{path.name}.json").read_text())
    assert manifest.pop("landed_at").endswith("+00:00")
    assert manifest == {
        "origin": web.name,
        "version": {"size": len(BODY), "etag": '"v1"', "last_modified": landed.version.last_modified},
        "size": len(BODY),
        "sha256": hashlib.sha256(BODY).hexdigest(),
        "csv_size": len(made_csv()),
        "rows": 2_000,
        "header": list(GREEN.header),
        "is_plain": True,
        "rules": 2,
        "notes": [],
        "unknown_columns": {},
        "mtime_ns": path.stat().st_mtime_ns,
    }


def test_a_file_that_was_found_plain_by_older_rules_is_not_taken_for_plain(zone, web, tmp_path):
    assert zone.land(FILE, web, LOG).is_plain
    manifest = path_of(tmp_path).with_name(f"{FILE.name}.json")
    facts = json.loads(manifest.read_text())
    del facts["rules"]
    manifest.write_text(json.dumps(facts))
    assert not zone.landed(FILE).is_plain
    assert not zone.land(FILE, web, LOG).fetched


def test_a_file_that_is_still_current_is_not_fetched_again(zone, web, server):
    first = zone.land(FILE, web, LOG)
    again = zone.land(FILE, web, LOG)
    assert replace(again, fetched=True, seconds=first.seconds) == first
    assert not again.fetched
    assert len(server.gets) == 1


def test_a_file_that_changed_at_the_source_is_fetched_again(zone, web, server):
    zone.land(FILE, web, LOG)
    server.files[f"/{FILE.path}"] = Served(NEW_BODY, etag='"v2"')
    landed = zone.land(FILE, web, LOG)
    assert landed.fetched
    assert landed.path.read_bytes() == NEW_BODY


def test_another_source_is_never_taken_for_the_same(zone, web, tmp_path):
    zone.land(FILE, web, LOG)
    other = FixedOrigin(version=zone.known(FILE).version)
    assert zone.land(FILE, other, LOG).fetched
    assert zone.known(FILE).origin == "fixed"


@pytest.mark.parametrize(
    ("stated", "fetches"),
    [
        (FileVersion(None), 2),
        (FileVersion(len(BODY)), 1),
        (FileVersion(None, etag="x"), 1),
        (FileVersion(None, last_modified="x"), 1),
    ],
)
def test_a_version_that_says_nothing_is_never_the_same(zone, stated, fetches):
    origin = FixedOrigin(version=stated)
    zone.land(FILE, origin, LOG)
    zone.land(FILE, origin, LOG)
    assert origin.fetches == fetches


def test_an_unknown_length_is_never_the_same_as_a_known_one(zone, web, server):
    zone.land(FILE, web, LOG)
    origin = FixedOrigin(version=FileVersion(None, '"v1"', zone.known(FILE).version.last_modified))
    origin.name = web.name
    assert zone.land(FILE, origin, LOG).fetched
    assert not zone.land(FILE, origin, LOG).fetched
    assert zone.land(FILE, web, LOG).fetched


CUT = len(made_gzip(rows=1_000))
TWO_MEMBERS = made_gzip(rows=1_000) + gzip.compress(made_csv(1_000, seed=2).partition(b"\r\n")[2], mtime=0)


@pytest.mark.parametrize("fault", [Fault(without_length=True, cut_after=CUT), Fault(announce=CUT, cut_after=CUT)])
def test_a_body_that_ends_between_two_gzip_members_does_not_pass_for_the_file(zone, web, server, fault):
    server.files[f"/{FILE.path}"] = Served(TWO_MEMBERS, ranges=False)
    server.faults.extend([fault] * 9)
    with pytest.raises((DamagedFileError, SourceUnavailableError), match=f"{CUT:,} bytes"):
        zone.land(FILE, web, LOG)
    assert zone.known(FILE) is None
    server.faults.clear()
    assert zone.land(FILE, web, LOG).rows == 2_000


def test_a_file_whose_length_was_unknown_is_fetched_again_when_it_is_known(zone, web, server):
    server.files[f"/{FILE.path}"] = Served(TWO_MEMBERS)
    server.faults.append(Fault(without_length=True, cut_after=CUT))
    server.head_faults.extend([Fault(without_length=True)] * 2)
    assert zone.land(FILE, web, LOG).rows == 1_000
    again = zone.land(FILE, web, LOG)
    assert (again.fetched, again.rows) == (True, 2_000)


def test_a_server_that_never_states_a_length_is_not_asked_for_the_same_file_again(zone, web, server):
    server.faults.append(Fault(without_length=True))
    server.head_faults.extend([Fault(without_length=True)] * 3)
    assert zone.land(FILE, web, LOG).fetched
    assert not zone.land(FILE, web, LOG).fetched


@pytest.mark.parametrize("accident", ["touched", "cut", "gone", "manifest gone", "manifest broken", "manifest odd"])
def test_what_is_no_longer_what_was_verified_is_refused_and_fetched_again(zone, tmp_path, accident):
    origin = FixedOrigin()
    path = zone.land(FILE, origin, LOG).path
    manifest = path.with_name(f"{path.name}.json")
    if accident == "touched":
        os.utime(path, ns=(1, path.stat().st_mtime_ns + 1_000))
    if accident == "cut":
        status = path.stat()
        os.truncate(path, 100)
        os.utime(path, ns=(1, status.st_mtime_ns))
    if accident == "gone":
        path.unlink()
    if accident == "manifest gone":
        manifest.unlink()
    if accident == "manifest broken":
        manifest.write_text(manifest.read_text()[:40])
    if accident == "manifest odd":
        manifest.write_text('["something"]')
    with pytest.raises(LandingError, match="materialize raw/green_tripdata for 2019-01 first"):
        zone.landed(FILE)
    assert zone.land(FILE, origin, LOG).fetched
    assert zone.landed(FILE).path.read_bytes() == BODY


def test_a_file_that_never_landed_is_refused_with_the_remedy(zone):
    with pytest.raises(LandingError, match=rf"{FILE.name} is not in the landing zone .*: materialize raw/green"):
        zone.landed(FILE)
    assert zone.known(FILE) is None
    assert not zone.purge(FILE)
    with pytest.raises(LandingError, match="materialize raw/taxi_zones first"):
        zone.landed(zones_file())


def test_a_reader_that_comes_while_a_newer_file_takes_its_place_gets_the_newer_one(zone, tmp_path):
    old = zone.land(FILE, FixedOrigin(), LOG).path
    other = FolderLandingZone(tmp_path / "other")
    new = other.land(FILE, FixedOrigin(NEW_BODY), LOG).path
    with FileLock(old.with_name(f".{old.name}.lock")):
        new.replace(old)
        read = []
        reader = threading.Thread(target=lambda: read.append(zone.landed(FILE)))
        reader.start()
        reader.join(0.1)
        assert reader.is_alive()
        new.with_name(f"{new.name}.json").replace(old.with_name(f"{old.name}.json"))
    reader.join()
    assert read[0].sha256 == hashlib.sha256(NEW_BODY).hexdigest()


def test_a_file_is_refused_when_the_definition_has_other_columns_now(zone):
    zone.land(FILE, FixedOrigin(), LOG)
    wider = replace(FILE, header=(*FILE.header, "airport_fee"))
    with pytest.raises(LandingError):
        zone.landed(wider)
    with pytest.raises(UnexpectedContentError, match="missing: airport_fee"):
        zone.land(wider, FixedOrigin(), LOG)


def test_purging_deletes_the_file_and_keeps_what_is_known_of_it(zone):
    origin = FixedOrigin()
    landed = zone.land(FILE, origin, LOG)
    assert zone.purge(FILE)
    assert not landed.path.exists()
    assert zone.known(FILE) == replace(landed, fetched=False, seconds=0.0)
    assert not zone.purge(FILE)
    with pytest.raises(LandingError):
        zone.landed(FILE)
    assert zone.land(FILE, origin, LOG).fetched


def test_an_older_file_does_not_pass_when_the_source_is_down(zone, web, server):
    zone.land(FILE, web, LOG)
    server.head_faults.extend([Fault(status=500)] * 9)
    with pytest.raises(SourceUnavailableError):
        zone.land(FILE, web, LOG)
    server.head_faults.clear()
    server.files.clear()
    with pytest.raises(NotPublishedError):
        zone.land(FILE, web, LOG)
    assert zone.landed(FILE).path.read_bytes() == BODY


@pytest.mark.parametrize(
    ("arrives", "error"),
    [
        (b"<!DOCTYPE html><html></html>", DamagedFileError),
        (NEW_BODY[:5_000], DamagedFileError),
        (b"", DamagedFileError),
        (made_gzip(rows=0), UnexpectedContentError),
    ],
)
def test_a_bad_arrival_leaves_the_old_file_and_nothing_else(zone, web, server, arrives, error):
    path = zone.land(FILE, web, LOG).path
    server.files[f"/{FILE.path}"] = Served(arrives, etag='"v2"')
    with pytest.raises(error):
        zone.land(FILE, web, LOG)
    assert visible(path) == [path.name, f"{path.name}.json"]
    assert zone.landed(FILE).path.read_bytes() == BODY
    server.files[f"/{FILE.path}"] = Served(NEW_BODY, etag='"v3"')
    assert zone.land(FILE, web, LOG).path.read_bytes() == NEW_BODY


def test_a_server_that_announces_too_few_bytes_does_not_pass_off_the_beginning_as_the_file(zone, web, server):
    server.faults.append(Fault(announce=50_000))
    with pytest.raises(DamagedFileError, match="is truncated"):
        zone.land(FILE, web, LOG)
    assert zone.known(FILE) is None
    assert zone.land(FILE, web, LOG).path.read_bytes() == BODY


def test_what_came_in_pieces_and_is_refused_is_fetched_again_as_a_whole(zone, web, server, caplog):
    """The server continues with other bytes, under the right range and version."""
    server.files[f"/{FILE.path}"].wrong_rest = bytes(len(BODY) - 50_000)
    server.faults.append(Fault(cut_after=50_000))
    assert zone.land(FILE, web, LOG).path.read_bytes() == BODY
    assert [request.headers.get("Range") for request in server.gets] == [None, "bytes=50000-", None]
    assert "came in several pieces: fetching it again as a whole" in caplog.text


def test_what_an_earlier_process_left_and_was_continued_wrongly_is_fetched_again_as_a_whole(zone, web, server):
    server.faults.extend([Fault(cut_after=50_000), *[Fault(status=503)] * 9])
    with pytest.raises(SourceUnavailableError):
        zone.land(FILE, web, LOG)
    server.faults.clear()
    server.files[f"/{FILE.path}"].wrong_rest = bytes(len(BODY) - 50_000)
    assert zone.land(FILE, web, LOG).path.read_bytes() == BODY


def test_what_is_damaged_as_a_whole_too_is_refused_after_two_transfers(zone, web, server):
    body = BODY[:60_000] + bytes(len(BODY) - 60_000)
    server.files[f"/{FILE.path}"] = Served(body, etag='"v1"')
    server.faults.append(Fault(cut_after=50_000))
    with pytest.raises(DamagedFileError) as refused:
        zone.land(FILE, web, LOG)
    assert refused.value.refused_version
    assert [request.headers.get("Range") for request in server.gets] == [None, "bytes=50000-", None]


def test_a_broken_connection_leaves_the_old_file_and_a_part_that_is_continued(zone, web, server):
    path = zone.land(FILE, web, LOG).path
    server.files[f"/{FILE.path}"] = Served(NEW_BODY, etag='"v2"')
    server.faults.extend([Fault(cut_after=30_000), *[Fault(status=503)] * 2])
    with pytest.raises(SourceUnavailableError):
        zone.land(FILE, web, LOG)
    assert zone.landed(FILE).path.read_bytes() == BODY
    assert visible(path) == [path.name, *(f"{path.name}{end}" for end in (".json", ".part", ".part.json"))]
    assert zone.land(FILE, web, LOG).path.read_bytes() == NEW_BODY
    assert server.gets[-1].headers["Range"] == "bytes=30000-"
    assert visible(path) == [path.name, f"{path.name}.json"]


def test_an_interrupted_download_leaves_a_part_that_is_continued(zone, web, server, tmp_path):
    class InterruptedLog(logging.Logger):
        def warning(self, *args, **kwargs):
            raise KeyboardInterrupt

    server.faults.append(Fault(cut_after=30_000))
    with pytest.raises(KeyboardInterrupt):
        zone.land(FILE, web, InterruptedLog("interrupted"))
    assert zone.land(FILE, web, LOG).path.read_bytes() == BODY
    assert server.gets[-1].headers["Range"] == "bytes=30000-"


@pytest.mark.parametrize("interruption", [KeyboardInterrupt, MemoryError, RecursionError("deep")])
def test_a_verification_that_ends_without_a_verdict_leaves_nothing_that_is_taken_up(
    zone, web, server, monkeypatch, interruption
):
    def fail(*args, **kwargs):
        raise interruption

    with monkeypatch.context() as patch:
        patch.setattr(landing_folder, "verify", fail)
        with pytest.raises((KeyboardInterrupt, DamagedFileError)) as raised:
            zone.land(FILE, web, LOG)
    if raised.type is DamagedFileError:
        assert f"{FILE.name} from {web.name} can't be verified (" in str(raised.value)
    assert zone.land(FILE, web, LOG).path.read_bytes() == BODY
    assert [request.headers.get("Range") for request in server.gets] == [None, None]


def test_a_part_of_one_source_is_not_continued_by_another(zone, web, server):
    class BreakingOrigin(FixedOrigin):
        def fetch(self, file, target, log):
            target.write_bytes(NEW_BODY[:40_000])
            raise SourceUnavailableError("gone")

    server.faults.extend([Fault(cut_after=30_000), *[Fault(status=503)] * 2])
    with pytest.raises(SourceUnavailableError):
        zone.land(FILE, web, LOG)
    with pytest.raises(SourceUnavailableError):
        zone.land(FILE, BreakingOrigin(), LOG)
    server.faults.clear()
    assert zone.land(FILE, web, LOG).path.read_bytes() == BODY
    assert "Range" not in server.gets[-1].headers


def known_as(body):
    return replace(FILE, published=PublishedMonth(gz_sha256=hashlib.sha256(body).hexdigest()))


def test_the_release_must_have_the_known_bytes(zone):
    file = known_as(NEW_BODY)
    with pytest.raises(DamagedFileError, match="is not the published file") as raised:
        zone.land(file, FixedOrigin(is_release=True), LOG)
    for body in (BODY, NEW_BODY):
        assert hashlib.sha256(body).hexdigest()[:12] in str(raised.value)
    assert zone.known(file) is None
    assert zone.land(file, FixedOrigin(NEW_BODY, is_release=True), LOG).notes == ()


def test_other_sources_may_have_other_bytes_and_it_is_noted(zone):
    file = known_as(NEW_BODY)
    (note,) = zone.land(file, FixedOrigin(), LOG).notes
    assert note.startswith("differs from the published file (sha256 ")
    assert zone.landed(file).notes == (note,)
    assert zone.land(file, FixedOrigin(NEW_BODY), LOG).notes == ()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork to be killed at many moments in reasonable time")
def test_killed_at_any_moment_it_leaves_the_old_file_or_what_the_next_landing_repairs(tmp_path):
    for name, body in (("old", BODY), ("new", NEW_BODY)):
        (tmp_path / name / FILE.path).parent.mkdir(parents=True)
        (tmp_path / name / FILE.path).write_bytes(body)
    module = "taxi_assets_tests.source.killed_landing"
    done = subprocess.run(
        [sys.executable, "-m", module, tmp_path / "old", tmp_path / "new", tmp_path],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parents[2],
    )
    moments = [json.loads(line) for line in done.stdout.splitlines()]
    old, new = (hashlib.sha256(body).hexdigest() for body in (BODY, NEW_BODY))
    assert len(moments) > 10
    assert [moment["killed"] for moment in moments] == [True] * (len(moments) - 1) + [False]
    assert {moment["after"] for moment in moments} == {old, None, new}
    assert {moment["repaired"] for moment in moments} == {new}
    assert all(moment["left"] == [FILE.name, f"{FILE.name}.json"] for moment in moments)


def test_threads_that_land_the_same_file_fetch_it_once(zone):
    origin = FixedOrigin()
    landed = []
    threads = [threading.Thread(target=lambda: landed.append(zone.land(FILE, origin, LOG))) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [file.fetched for file in landed].count(True) == 1
    assert len(landed) == 6
    assert origin.fetches == 1


def test_whoever_waits_says_what_for(zone, tmp_path, caplog):
    path = path_of(tmp_path)
    path.parent.mkdir(parents=True)
    with FileLock(path.with_name(f".{path.name}.lock")), caplog.at_level(logging.INFO):
        thread = threading.Thread(target=zone.land, args=(FILE, FixedOrigin(), LOG))
        thread.start()
        deadline = time.monotonic() + 5
        while "which is in use by another run" not in caplog.text and time.monotonic() < deadline:
            time.sleep(0.01)
        assert thread.is_alive()
    thread.join()
    assert f"Waiting for {FILE.name}, which is in use by another run that is landing it" in caplog.text
    assert zone.landed(FILE).rows == 2_000


def test_a_landing_folder_that_is_a_file_is_one_sentence(tmp_path):
    (tmp_path / "landing").write_text("in the way")
    with pytest.raises(
        LandingError, match=rf"landing zone {tmp_path}/landing .* MiB free\): check that it is a folder"
    ):
        FolderLandingZone(tmp_path / "landing").land(FILE, FixedOrigin(), LOG)
    with pytest.raises(LandingError):
        FolderLandingZone(tmp_path / "landing").landed(FILE)
    assert FolderLandingZone(tmp_path / "landing").known(FILE) is None


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="needs a folder that not even root may write to")
def test_a_landing_folder_that_may_not_be_written_is_one_sentence():
    with pytest.raises(LandingError, match="choose another"):
        FolderLandingZone(Path("/proc/landing")).land(FILE, FixedOrigin(), LOG)


def test_a_landing_folder_that_is_read_only_is_one_sentence(tmp_path):
    folder = tmp_path / "landing"
    folder.mkdir(mode=0o500)
    if os.access(folder, os.W_OK):
        pytest.skip("this user may write everywhere")
    with pytest.raises(LandingError, match="Permission denied"):
        FolderLandingZone(folder).land(FILE, FixedOrigin(), LOG)


def test_a_disk_that_is_full_is_one_sentence_and_leaves_the_old_file(zone, web, server):
    path = zone.land(FILE, web, LOG).path
    server.files[f"/{FILE.path}"] = Served(made_gzip(rows=4_000, seed=1), etag='"v2"')
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))
    try:
        with pytest.raises(LandingError, match=r"File too large; .* MiB free.*: make room there") as raised:
            zone.land(FILE, web, LOG)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert raised.value.__cause__.errno == errno.EFBIG
    assert visible(path) == [path.name, f"{path.name}.json"]
    assert zone.landed(FILE).path.read_bytes() == BODY


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs the device that is always full")
def test_no_space_left_is_one_sentence(zone):
    class FullOrigin(FixedOrigin):
        def fetch(self, file, target, log):
            target.symlink_to("/dev/full")
            return super().fetch(file, target, log)

    with pytest.raises(LandingError, match=r"No space left on device; .* MiB free.*: make room there"):
        zone.land(FILE, FullOrigin(), LOG)


class TestTripSource:
    def source(self, tmp_path, **settings):
        return TripSource(landing=str(tmp_path / "landing"), backoff_seconds=0.001, attempts=2, **settings)

    def test_the_release_is_the_default(self, tmp_path):
        origin = self.source(tmp_path).origin()
        assert origin.name == RELEASE_ADDRESS
        assert origin.is_release

    def test_an_address_is_a_web_server(self, tmp_path, server):
        source = self.source(tmp_path, address=server.address + "/")
        assert source.origin().name == server.address
        assert source.land(FILE, LOG).rows == 2_000
        assert source.landing_zone().landed(FILE).path == path_of(tmp_path)

    def test_a_folder_that_exists_is_a_source(self, tmp_path):
        assert self.source(tmp_path, address=str(tmp_path)).origin().name == f"folder {tmp_path}"

    @pytest.mark.parametrize("address", ["", "relaese", "/not/there", "ftp://me:secret@host/x?token=secret"])
    def test_anything_else_is_refused_with_what_is_allowed(self, tmp_path, address):
        with pytest.raises(SettingsError, match=r"TAXI_SOURCE .*release.*sample.*folder.*http") as raised:
            self.source(tmp_path, address=address).origin()
        assert "secret" not in str(raised.value)

    def test_the_landing_zone_is_no_source(self, tmp_path):
        (tmp_path / "landing").mkdir()
        with pytest.raises(SettingsError, match=r"the landing zone .* itself"):
            self.source(tmp_path, address=str(tmp_path / "landing")).origin()

    def test_no_more_downloads_run_at_once_than_allowed(self, tmp_path, monkeypatch):
        running, most, guard = 0, 0, threading.Lock()

        class SlowOrigin(FixedOrigin):
            def fetch(self, file, target, log):
                nonlocal running, most
                with guard:
                    running += 1
                    most = max(most, running)
                time.sleep(0.03)
                with guard:
                    running -= 1
                return super().fetch(file, target, log)

        monkeypatch.setattr(TripSource, "origin", lambda self, file: SlowOrigin())
        files = [replace(FILE, path=f"green/{number}.csv.gz") for number in range(7)]
        # Each thread has its own resource, as each step of a run has.
        sources = [self.source(tmp_path, downloads_at_once=3) for _ in files]
        threads = [
            threading.Thread(target=source.land, args=(file, LOG)) for source, file in zip(sources, files, strict=True)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert most == 3
        assert all(sources[0].landing_zone().landed(file) for file in files)

    def test_the_sample_is_the_projects_own(self, tmp_path):
        origin = self.source(tmp_path, address="sample").origin()
        assert origin.name == "sample"
        assert not origin.is_release


def test_the_header_in_files_order_is_kept_in_the_manifest(zone):
    turned = ",".join(reversed(HEADER.split(",")))
    body = made_csv(3).replace(HEADER.encode(), turned.encode(), 1)
    file = replace(FILE, path="green/plain.csv")
    zone.land(file, FixedOrigin(body), LOG)
    assert zone.landed(file).header == tuple(turned.split(","))
