"""Downloads: over a real connection that breaks, stalls and lies, the bytes arrive whole or a sentence says why not."""

import base64
import hashlib
import json
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import httpx2
import pytest

from taxi_assets.errors import (
    DamagedFileError,
    NotPublishedError,
    SettingsError,
    SourceUnavailableError,
    SourceUnreachableError,
)
from taxi_assets.progress import Progress
from taxi_assets.source import http as http_module
from taxi_assets.source.answer_deadline import AnswerDeadline
from taxi_assets.source.http import HttpOrigin
from taxi_assets.source.origin import RELEASE_ADDRESS
from taxi_assets.source.raw_files import FileVersion
from taxi_assets.source.retries import HttpRetries, retry_after_seconds
from taxi_assets_tests.source.file_server import Fault, FileServer, Served
from taxi_assets_tests.source.made_files import FILE, made_gzip

LOG = logging.getLogger("test")
BODY = made_gzip(rows=4_000)
QUICK = HttpRetries(timeout_seconds=2, attempts=3, backoff_seconds=0.001, backoff_limit_seconds=0.01)


@pytest.fixture
def server():
    with FileServer() as server:
        server.files[f"/{FILE.path}"] = Served(BODY)
        yield server


@pytest.fixture
def part(tmp_path):
    return tmp_path / "file.part"


@pytest.fixture
def fetch(server, part):
    def fetch(retries=QUICK):
        return HttpOrigin(server.address, retries).fetch(FILE, part, LOG)

    return fetch


def test_a_file_arrives_byte_for_byte_with_its_version(server, part, fetch):
    version = fetch()
    assert part.read_bytes() == BODY
    assert version == FileVersion(len(BODY), '"v1"', server.files[f"/{FILE.path}"].last_modified)
    assert HttpOrigin(server.address, QUICK).version(FILE) == version


def test_the_version_is_asked_for_without_the_body(server):
    HttpOrigin(server.address, QUICK).version(FILE)
    assert [request.method for request in server.requests] == ["HEAD"]


@pytest.mark.parametrize("etag", ['"v1"', None])
def test_a_known_version_is_asked_for_conditionally(server, etag):
    server.files[f"/{FILE.path}"] = Served(BODY, etag=etag)
    origin = HttpOrigin(server.address, QUICK)
    known = origin.version(FILE)
    assert origin.version(FILE, known) == known
    condition = "If-None-Match" if etag else "If-Modified-Since"
    assert condition in server.requests[-1].headers
    server.files[f"/{FILE.path}"] = Served(
        BODY[:-1], etag=etag and '"v2"', last_modified="Tue, 01 Jan 2030 00:00:00 GMT"
    )
    assert origin.version(FILE, known).size == len(BODY) - 1


@pytest.mark.parametrize("status", [403, 405, 501])
def test_a_server_without_head_is_asked_with_get(server, status):
    server.head_faults.append(Fault(status=status))
    assert HttpOrigin(server.address, QUICK).version(FILE).size == len(BODY)


def test_content_encoding_does_not_unpack_the_file(server, part, fetch):
    server.faults.extend([Fault(headers={"Content-Encoding": "gzip"})] * 9)
    fetch()
    assert part.read_bytes() == BODY
    assert server.gets[0].headers["Accept-Encoding"] == "identity"


def test_a_broken_connection_is_continued_where_it_broke(server, part, fetch):
    server.faults.extend([Fault(cut_after=50_000), Fault(cut_after=70_000)])
    fetch()
    assert part.read_bytes() == BODY
    assert [request.headers.get("Range") for request in server.gets] == [None, "bytes=50000-", "bytes=120000-"]
    assert {request.headers.get("If-Range") for request in server.gets[1:]} == {'"v1"'}


def test_attempts_count_only_while_nothing_new_arrives(server, part, fetch):
    server.faults.extend([Fault(cut_after=10_000)] * 8)
    fetch()
    assert part.read_bytes() == BODY


def test_a_server_without_ranges_sends_everything_again(server, part, fetch):
    server.files[f"/{FILE.path}"].ranges = False
    server.faults.append(Fault(cut_after=50_000))
    fetch()
    assert part.read_bytes() == BODY


def test_a_server_that_always_breaks_at_the_same_place_is_given_up(server, fetch):
    server.files[f"/{FILE.path}"].ranges = False
    server.faults.extend([Fault(cut_after=50_000)] * 20)
    with pytest.raises(SourceUnavailableError, match=r"3 attempts in a row failed"):
        fetch()
    assert len(server.gets) == 4


def test_a_single_attempt_is_told_as_one(server, fetch):
    server.faults.append(Fault(status=503))
    with pytest.raises(SourceUnavailableError, match=r"1 attempt failed \(last: the server answered"):
        fetch(HttpRetries(timeout_seconds=2, attempts=1))


def test_a_file_that_changes_between_attempts_is_fetched_anew(server, part, fetch):
    new = Served(made_gzip(rows=4_000, seed=1), etag='"v2"')
    server.faults.extend([Fault(cut_after=50_000), Fault(becomes=new)])
    version = fetch()
    assert part.read_bytes() == new.body
    assert version.etag == '"v2"'


def test_a_server_that_continues_another_version_is_not_believed(server, part, fetch):
    new = Served(BODY[::-1], etag='"v2"')
    lie = {"Content-Range": f"bytes 50000-{len(new.body) - 1}/{len(new.body)}", "ETag": '"v2"'}
    server.faults.extend([Fault(cut_after=50_000), Fault(status=206, headers=lie, body=new.body[50_000:], becomes=new)])
    fetch()
    assert part.read_bytes() == new.body


@pytest.mark.parametrize("wrong", ["bytes 49999-60000/123456", "nonsense"])
def test_a_range_that_was_not_asked_for_is_not_appended(server, part, fetch, wrong):
    server.faults.extend(
        [Fault(cut_after=50_000), Fault(status=206, headers={"Content-Range": wrong}, body=b"x" * 100)]
    )
    fetch()
    assert part.read_bytes() == BODY


def test_range_not_satisfiable_starts_anew(server, part, fetch):
    server.faults.extend([Fault(cut_after=50_000), Fault(status=416)])
    fetch()
    assert part.read_bytes() == BODY
    assert server.gets[2].headers.get("Range") is None


@pytest.mark.parametrize(("etag", "last_modified"), [(None, None), ('W/"weak"', None)])
def test_without_proof_of_the_version_nothing_is_continued(server, part, fetch, etag, last_modified):
    server.files[f"/{FILE.path}"] = Served(BODY, etag=etag, last_modified=last_modified)
    server.faults.append(Fault(cut_after=50_000))
    fetch()
    assert part.read_bytes() == BODY
    assert [request.headers.get("Range") for request in server.gets] == [None, None]


@pytest.mark.parametrize("etag", ['"größe"', '"\x7f"'])
def test_an_etag_that_cannot_be_sent_back_is_not(server, part, fetch, etag):
    served = Served(BODY, etag=etag)
    server.files[f"/{FILE.path}"] = served
    server.faults.append(Fault(cut_after=50_000))
    version = fetch()
    assert part.read_bytes() == BODY
    assert server.gets[1].headers["If-Range"] == served.last_modified
    assert HttpOrigin(server.address, QUICK).version(FILE, version) == version
    assert "If-None-Match" not in server.requests[-1].headers


@pytest.mark.parametrize("headers", [{"Content-MD5": "not base64"}, {"Content-MD5": "AAAA"}, {"Content-MD5": ""}])
def test_a_checksum_that_is_none_is_not_compared(server, part, fetch, headers):
    server.files[f"/{FILE.path}"] = Served(BODY, headers=headers)
    fetch()
    assert part.read_bytes() == BODY


def test_a_stated_content_md5_is_compared_with_the_bytes(server, part, fetch):
    stated = {"Content-MD5": base64.b64encode(hashlib.md5(BODY).digest()).decode()}
    server.files[f"/{FILE.path}"] = Served(BODY, headers=stated)
    fetch()
    server.files[f"/{FILE.path}"] = Served(BODY[:-1] + b"x", headers=stated)
    with pytest.raises(DamagedFileError, match="Content-MD5"):
        fetch()


def test_the_time_of_change_is_proof_where_the_etag_is_weak(server, part, fetch):
    served = Served(BODY, etag='W/"weak"')
    server.files[f"/{FILE.path}"] = served
    server.faults.append(Fault(cut_after=50_000))
    fetch()
    assert part.read_bytes() == BODY
    assert server.gets[1].headers["If-Range"] == served.last_modified


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
def test_a_passing_status_is_tried_again(server, part, fetch, status):
    server.faults.append(Fault(status=status))
    server.head_faults.append(Fault(status=status))
    fetch()
    assert part.read_bytes() == BODY
    assert HttpOrigin(server.address, QUICK).version(FILE).size == len(BODY)


def test_retry_after_is_honoured_up_to_the_limit(server, fetch):
    server.faults.append(Fault(status=429, headers={"Retry-After": "3600"}))
    started = time.monotonic()
    fetch(HttpRetries(timeout_seconds=2, attempts=2, backoff_seconds=0.001, backoff_limit_seconds=0.2))
    assert 0.2 <= time.monotonic() - started < 2


def test_retry_after_is_read_as_seconds_or_date():
    soon = datetime.now(UTC) + timedelta(seconds=30)
    assert retry_after_seconds({"Retry-After": "7"}) == 7
    assert 25 < retry_after_seconds({"Retry-After": format_datetime(soon, usegmt=True)}) <= 30
    assert retry_after_seconds({"Retry-After": "Wed, 21 Oct 2015 07:28:00 GMT"}) == 0
    assert retry_after_seconds({"Retry-After": "soon"}) is None
    assert retry_after_seconds({"Retry-After": "Wed, 21 Oct 999999 07:28:00 GMT"}) is None
    assert retry_after_seconds({"Retry-After": "9" * 400}) == 7 * 24 * 3600
    assert retry_after_seconds({}) is None


def test_pauses_grow_up_to_the_limit_and_vary(server, fetch, caplog):
    server.faults.extend([Fault(status=500)] * 20)
    with caplog.at_level(logging.WARNING), pytest.raises(SourceUnavailableError, match="HTTP 500"):
        fetch(HttpRetries(timeout_seconds=2, attempts=6, backoff_seconds=0.02, backoff_limit_seconds=0.05))
    assert len(server.gets) == 6
    assert len(caplog.records) == 5
    pauses = [record.args[2] for record in caplog.records]
    for pause, longest in zip(pauses, [0.02, 0.04, 0.05, 0.05, 0.05], strict=True):
        assert longest / 2 <= pause <= longest


def test_a_server_that_falls_silent_times_out_and_is_tried_again(server, part, fetch):
    server.faults.append(Fault(hang_after=50_000))
    fetch(HttpRetries(timeout_seconds=0.15, attempts=2, backoff_seconds=0.001))
    assert part.read_bytes() == BODY
    assert server.gets[1].headers["Range"] == "bytes=50000-"


IMPATIENT = replace(QUICK, slowness=0.1)
"""A piece has 0.2 seconds, and a silence two."""


def test_a_server_that_sends_a_byte_now_and_then_is_given_up(server, part, fetch):
    server.faults.extend([Fault(trickle=0.01)] * 9)
    with pytest.raises(SourceUnavailableError, match=r"fewer than 64\.0 KiB arrived in 0 s"):
        fetch(IMPATIENT)
    assert len(server.gets) == 3
    server.faults.clear()
    fetch()
    assert part.read_bytes() == BODY


def test_an_answer_that_is_left_after_its_time_is_left_without_a_fault(server):
    server.faults.append(Fault(trickle=0.01))
    deadline = AnswerDeadline(0.05, piece_bytes=65_536)
    with (
        httpx2.Client(event_hooks={"request": [deadline.watch]}) as client,
        client.stream("GET", f"{server.address}/{FILE.path}") as response,
    ):
        pieces = iter(response.stream)
        next(pieces)
        while any(thread.name == "answer deadline" for thread in threading.enumerate()):
            time.sleep(0.01)
        pieces.close()


def test_a_server_that_sends_the_frame_of_a_chunk_that_never_comes_is_given_up(server, part, fetch):
    server.faults.extend([Fault(endless_chunk=0.01)] * 9)
    with pytest.raises(SourceUnavailableError, match=r"fewer than 64\.0 KiB arrived in 0 s"):
        fetch(IMPATIENT)
    assert len(server.gets) == 3


def test_the_body_of_a_redirect_is_not_waited_for(server, part, fetch):
    to = {"Location": f"/{FILE.path}"}
    server.faults.append(Fault(status=302, headers=to, body=b"moved", announce=10_000_000))
    fetch()
    assert part.read_bytes() == BODY


def test_a_question_that_is_put_once_does_not_wait_for_slow_headers(server):
    server.head_faults.append(Fault(endless_headers=0.01))
    with pytest.raises(SourceUnavailableError, match=r"the headers of the answer did not arrive within 0\.3 s"):
        HttpOrigin(server.address, HttpRetries(timeout_seconds=0.3, attempts=1)).version(FILE)


def test_a_server_whose_headers_come_too_slowly_is_given_up(server, part, fetch):
    server.faults.extend([Fault(endless_headers=0.01)] * 3)
    with pytest.raises(SourceUnavailableError, match=r"the headers of the answer did not arrive within 0\.2 s"):
        fetch(IMPATIENT)
    assert len(server.gets) == 3
    server.head_faults.append(Fault(endless_headers=0.01))
    assert HttpOrigin(server.address, IMPATIENT).version(FILE).size == len(BODY)
    fetch()
    assert part.read_bytes() == BODY


@pytest.mark.parametrize("status", [403, 404, 410])
def test_a_file_that_is_not_there_is_not_tried_again(server, fetch, status):
    server.faults.append(Fault(status=status))
    with pytest.raises(NotPublishedError, match=rf"{FILE.name} is not published at {server.address} \(HTTP {status}\)"):
        fetch()
    assert len(server.gets) == 1


def test_the_version_of_a_file_that_is_not_there_is_refused(server):
    server.files.clear()
    with pytest.raises(NotPublishedError, match="HTTP 404"):
        HttpOrigin(server.address, QUICK).version(FILE)


@pytest.mark.parametrize("status", [400, 401, 418, 204])
def test_another_status_is_not_tried_again(server, fetch, status):
    server.faults.append(Fault(status=status))
    with pytest.raises(SourceUnavailableError, match=f"HTTP {status}"):
        fetch()
    assert len(server.gets) == 1


def test_fewer_bytes_than_announced_are_never_accepted(server, fetch):
    server.faults.extend([Fault(announce=len(BODY) + 10)] * 20)
    with pytest.raises(SourceUnavailableError, match="in a row failed"):
        fetch()


def test_more_bytes_than_the_range_announced_are_never_accepted(server, part, fetch):
    longer = {"Content-Range": f"bytes 50000-{len(BODY) - 1}/{len(BODY)}", "ETag": '"v1"'}
    server.faults.extend([Fault(cut_after=50_000), Fault(status=206, headers=longer, body=BODY[50_000:] + b"more")])
    fetch()
    assert part.read_bytes() == BODY


def test_a_server_that_sends_more_than_the_rest_is_given_up_and_nothing_is_kept(server, part, fetch):
    server.files[f"/{FILE.path}"].wrong_rest = b"x" * len(BODY)
    server.faults.extend([Fault(cut_after=50_000), Fault()] * 20)
    with pytest.raises(SourceUnavailableError, match=rf"more bytes than the {len(BODY):,} that were announced"):
        fetch()
    assert len(server.gets) == 4
    assert not part.exists()


def test_a_server_that_always_sends_more_than_it_announces_is_given_up_before_the_disk_is_full(server, part, fetch):
    server.head_faults.extend([Fault(announce=1_000)] * 20)
    server.faults.extend([Fault(without_length=True)] * 20)
    with pytest.raises(SourceUnavailableError, match="more bytes than the 1,000 that were announced"):
        fetch()
    assert not part.exists()


def test_a_body_without_a_length_that_never_ends_is_given_up(server, part, fetch, monkeypatch):
    monkeypatch.setattr(http_module, "_LONGEST_FILE", 100_000)
    server.head_faults.extend([Fault(without_length=True)] * 20)
    server.faults.extend([Fault(without_length=True)] * 20)
    with pytest.raises(SourceUnavailableError, match="more bytes than the 100,000 that a file may have"):
        fetch()
    assert not part.exists()


def test_attempts_that_bring_a_little_each_are_bounded_too(server, part, fetch):
    server.faults.extend([Fault(cut_after=10)] * 1_000)
    with pytest.raises(SourceUnavailableError, match="60 attempts brought only a part"):
        fetch()
    assert len(server.gets) == 60
    assert part.stat().st_size == 600


def test_the_length_that_head_announces_binds_a_get_without_one(server, part, fetch):
    server.faults.append(Fault(without_length=True, cut_after=60_000))
    assert fetch().size == len(BODY)
    assert part.read_bytes() == BODY
    server.faults.extend([Fault(without_length=True, cut_after=60_000)] * 20)
    server.files[f"/{FILE.path}"].ranges = False
    with pytest.raises(SourceUnavailableError, match=f"60,000 bytes arrived where {len(BODY):,} were announced"):
        fetch()


def test_a_get_without_a_length_is_whole_where_it_has_the_length_that_head_announces(server, part, fetch):
    server.faults.append(Fault(without_length=True))
    assert fetch() == HttpOrigin(server.address, QUICK).version(FILE)
    assert part.read_bytes() == BODY
    assert [request.method for request in server.requests[:2]] == ["GET", "HEAD"]


def test_a_length_that_belongs_to_another_version_binds_nothing(server, part, fetch):
    new = Served(made_gzip(rows=3_000, seed=1), etag='"v2"')
    server.faults.append(Fault(without_length=True, cut_after=60_000))
    server.head_faults.append(Fault(becomes=new))
    assert fetch().etag == '"v2"'
    assert part.read_bytes() == new.body


MD5 = hashlib.md5(BODY).hexdigest()


def changed(place):
    """The file with one bit changed."""
    body = bytearray(BODY)
    body[place] ^= 1
    return bytes(body)


@pytest.mark.parametrize("etag", [f'"{MD5}"', f'"{MD5.upper()}"'])
def test_bytes_that_are_not_those_of_an_etag_that_is_an_md5_are_fetched_again(server, part, fetch, etag):
    server.files[f"/{FILE.path}"] = Served(changed(60_000), etag=etag)
    server.faults.extend([Fault(), Fault(becomes=Served(BODY, etag=etag))])
    assert fetch().etag == etag
    assert part.read_bytes() == BODY
    fetch()
    assert [request.headers.get("Range") for request in server.gets] == [None] * 3


def test_bytes_that_differ_between_two_transfers_and_from_the_etag_are_refused(server, fetch):
    server.files[f"/{FILE.path}"] = Served(changed(60_000), etag=f'"{MD5}"')
    server.faults.extend([Fault(), Fault(becomes=Served(changed(50_000), etag=f'"{MD5}"'))])
    with pytest.raises(DamagedFileError, match=rf"{FILE.name} from {server.address} has other bytes than its ETag"):
        fetch()


@pytest.mark.parametrize(
    "headers", [{"Server": "AmazonS3"}, {"x-amz-request-id": "1"}, {"x-goog-hash": "crc32c=AAAAAA=="}]
)
def test_bytes_that_are_not_those_of_an_object_stores_etag_are_refused_even_twice(server, fetch, headers):
    server.files[f"/{FILE.path}"] = Served(changed(60_000), etag=f'"{MD5}"', headers=headers)
    with pytest.raises(DamagedFileError, match="has other bytes than its ETag"):
        fetch()
    assert len(server.gets) == 2


def test_an_etag_that_only_looks_like_an_md5_is_noted_and_the_same_bytes_twice_are_accepted(
    server, part, fetch, caplog
):
    # Starlette's ETag is the MD5 of time and size, and a proxy before it hides which server it is.
    server.files[f"/{FILE.path}"] = Served(BODY, etag=f'"{"0" * 32}"', headers={"Server": "nginx"})
    fetch()
    assert part.read_bytes() == BODY
    assert len(server.gets) == 2
    (note,) = [record.message for record in caplog.records if record.levelno == logging.WARNING]
    assert note == (
        f"{FILE.name} has an ETag that looks like an MD5 but is not that of its bytes (MD5 {MD5} instead of "
        f"{'0' * 32}). It was fetched twice with the same bytes, so it is taken."
    )


def test_bytes_of_two_attempts_are_compared_together(server, part, fetch):
    server.files[f"/{FILE.path}"] = Served(BODY, etag=f'"{MD5}"')
    server.faults.append(Fault(cut_after=50_000))
    fetch()
    assert len(server.gets) == 2
    server.files[f"/{FILE.path}"].wrong_rest = bytes(len(BODY) - 50_000)
    server.faults.append(Fault(cut_after=50_000))
    fetch()
    assert len(server.gets) == 5
    assert part.read_bytes() == BODY


@pytest.mark.parametrize(
    ("etag", "headers"),
    [
        (f'"{"0" * 32}-2"', {}),  # of a file that was uploaded in parts
        (f'W/"{"0" * 32}"', {}),
        (f'"{"0" * 40}"', {}),
        (f'"{"0" * 32}"', {"x-amz-server-side-encryption": "aws:kms"}),
        (f'"{"0" * 32}"', {"x-amz-server-side-encryption-customer-algorithm": "AES256"}),
        (None, {}),
    ],
)
def test_an_etag_that_is_not_an_md5_is_not_compared(server, part, fetch, etag, headers):
    server.files[f"/{FILE.path}"] = Served(BODY, etag=etag, headers=headers)
    fetch()
    assert part.read_bytes() == BODY
    assert len(server.gets) == 1


def test_a_redirect_to_another_host_is_followed_from_the_start_on_every_attempt(server, part):
    server.faults.append(Fault(cut_after=50_000))
    with FileServer() as front:
        to = {"Location": f"{server.address}/{FILE.path}?signature=hidden"}
        front.faults.extend([Fault(status=302, headers=to)] * 2)
        HttpOrigin(front.address, QUICK).fetch(FILE, part, LOG)
        assert len(front.gets) == 2
    assert part.read_bytes() == BODY


def test_a_redirect_that_never_ends_is_one_sentence(server, fetch):
    server.faults.extend([Fault(status=302, headers={"Location": f"/{FILE.path}"})] * 50)
    with pytest.raises(SourceUnavailableError, match="TooManyRedirects"):
        fetch()


def test_a_server_that_is_not_there_is_one_sentence(part):
    with FileServer() as gone:
        address = gone.address
    with pytest.raises(SourceUnavailableError, match="no connection") as raised:
        HttpOrigin(address, QUICK).fetch(FILE, part, LOG)
    assert raised.value.is_transient
    assert raised.value.__cause__ is not None


def test_a_server_that_never_answered_is_given_up_soon_and_all_files_share_that(part, caplog):
    with FileServer() as gone:
        address = gone.address
    # With these retries alone, it would take an hour.
    patient = HttpRetries(attempts=3600, backoff_limit_seconds=1.0)
    with pytest.raises(SourceUnreachableError, match="check the network and the address in TAXI_SOURCE") as first:
        HttpOrigin(address, patient).version(FILE)
    caplog.clear()
    with caplog.at_level(logging.WARNING), pytest.raises(SourceUnreachableError) as second:
        HttpOrigin(address, patient).fetch(FILE, part, LOG)
    assert str(second.value) == str(first.value)
    assert FILE.name not in str(first.value), "all files have the same cause"
    assert caplog.records == [], "nothing was tried again"


def test_a_name_that_nobody_knows_is_given_up_soon(part):
    origin = HttpOrigin("http://no-such-host.invalid", HttpRetries(attempts=3600, backoff_limit_seconds=1.0))
    with pytest.raises(SourceUnreachableError, match=r"http://no-such-host\.invalid can't be reached: no connection"):
        origin.fetch(FILE, part, LOG)


def test_a_server_that_has_answered_is_waited_for(part):
    with FileServer() as server:
        server.files[f"/{FILE.path}"] = Served(BODY)
        origin = HttpOrigin(server.address, QUICK)
        origin.version(FILE)
    with pytest.raises(SourceUnavailableError, match="3 attempts in a row failed") as raised:
        origin.fetch(FILE, part, LOG)
    assert not raised.value.has_never_worked


def test_secrets_go_to_the_server_and_nowhere_else(server, tmp_path, caplog):
    address = server.address.replace("http://", "http://someone:pa55word@") + "/?token=t0ken"
    origin = HttpOrigin(address, QUICK)
    part = tmp_path / "file.part"
    server.faults.extend([Fault(cut_after=100), *[Fault(status=500)] * 9])
    with caplog.at_level(logging.DEBUG), pytest.raises(SourceUnavailableError) as raised:
        origin.fetch(FILE, part, LOG)
    server.faults.clear()
    server.faults.append(Fault(status=404))
    with pytest.raises(NotPublishedError) as missing:
        origin.fetch(FILE, part, LOG)
    assert all("token=t0ken" in request.path and request.headers["Authorization"] for request in server.requests)
    noted = part.with_name("file.part.json").read_text()
    said = [record.getMessage() for record in caplog.records]
    for text in [str(raised.value), str(missing.value), origin.name, noted, *said, *map(str, chain(raised.value))]:
        assert "pa55word" not in text
        assert "t0ken" not in text
        assert "someone" not in text


def test_a_signed_address_that_a_redirect_leads_to_is_not_logged(server, part, caplog):
    server.faults.append(Fault(status=302, headers={"Location": f"/{FILE.path}?signature=hidden"}))
    with caplog.at_level(logging.DEBUG):
        HttpOrigin(server.address, QUICK).fetch(FILE, part, LOG)
    assert "hidden" in server.gets[1].path
    assert "hidden" not in caplog.text + part.with_name("file.part.json").read_text()


def chain(error):
    while error is not None:
        yield error
        error = error.__cause__


@pytest.mark.parametrize("address", ["http://", "https:///x", "http://u:secret@host:port/", "ftp://host/x"])
def test_an_address_that_is_none_is_refused_without_repeating_it(address):
    with pytest.raises(SettingsError, match="TAXI_SOURCE") as raised:
        HttpOrigin(address)
    assert "secret" not in str(raised.value)
    assert raised.value.__cause__ is None


def test_only_the_release_is_the_release():
    assert HttpOrigin(RELEASE_ADDRESS + "/").is_release
    assert HttpOrigin(RELEASE_ADDRESS).name == RELEASE_ADDRESS
    assert not HttpOrigin("https://mirror.example/releases").is_release


def leave_part(part, *, size, origin, **version):
    part.write_bytes(BODY[:size])
    note = {"origin": origin, "version": {"size": len(BODY), "etag": '"v1"', "last_modified": None, **version}}
    part.with_name(f"{part.name}.json").write_text(json.dumps(note))


def test_what_an_earlier_process_left_of_the_same_version_is_continued(server, part, fetch):
    leave_part(part, size=60_000, origin=server.address)
    fetch()
    assert part.read_bytes() == BODY
    assert server.gets[0].headers["Range"] == "bytes=60000-"


def test_what_is_complete_already_but_was_never_verified_is_fetched_again(server, part, fetch):
    modified = server.files[f"/{FILE.path}"].last_modified
    leave_part(part, size=len(BODY), origin=server.address, last_modified=modified)
    part.write_bytes(b"x" * len(BODY))
    assert fetch().size == len(BODY)
    assert part.read_bytes() == BODY
    assert [request.headers.get("Range") for request in server.gets] == [None]


@pytest.mark.parametrize("left", ["other origin", "other version", "no note", "broken note", "too long"])
def test_what_is_not_provably_the_same_version_is_fetched_anew(server, part, fetch, left):
    leave_part(
        part,
        size=60_000,
        origin="elsewhere" if left == "other origin" else server.address,
        etag='"v0"' if left == "other version" else '"v1"',
    )
    note = part.with_name(f"{part.name}.json")
    part.write_bytes(b"x" * 60_000)
    if left == "no note":
        note.unlink()
    if left == "broken note":
        note.write_text(note.read_text()[:20])
    if left == "too long":
        part.write_bytes(BODY + b"more")
    fetch()
    assert part.read_bytes() == BODY


def test_a_killed_download_is_continued_by_the_next_process(server, part, fetch):
    server.faults.append(Fault(hang_after=100_000))
    code = (
        "import sys, logging, pathlib\n"
        "from taxi_assets.source.http import HttpOrigin\n"
        "from taxi_assets_tests.source.made_files import FILE\n"
        "HttpOrigin(sys.argv[1]).fetch(FILE, pathlib.Path(sys.argv[2]), logging.getLogger())\n"
    )
    process = subprocess.Popen([sys.executable, "-c", code, server.address, str(part)])
    deadline = time.monotonic() + 20
    while not (part.exists() and part.stat().st_size > 50_000) and time.monotonic() < deadline:
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    arrived = part.stat().st_size
    assert 50_000 < arrived <= 100_000
    fetch()
    assert part.read_bytes() == BODY
    assert server.gets[-1].headers["Range"] == f"bytes={arrived}-"


def test_progress_says_share_size_speed_and_time_left(caplog):
    with caplog.at_level(logging.INFO):
        progress = Progress("a.gz", total=8 * 2**20, log=LOG, done=2**20, every_seconds=0)
        time.sleep(0.01)
        progress.advance(3 * 2**20)
        Progress("b.gz", total=None, log=LOG, every_seconds=0).advance(2**20)
    known, unknown = (record.getMessage() for record in caplog.records)
    assert known.startswith("a.gz: 50 %, 4.0 of 8.0 MiB, ")
    assert known.endswith(" s left")
    assert "MiB/s" in known
    assert unknown.startswith("b.gz: 1.0 MiB, ")


def test_progress_is_silent_on_short_transfers(caplog):
    with caplog.at_level(logging.INFO):
        Progress("a.gz", total=100, log=LOG).advance(100)
    assert caplog.records == []
