"""Files from a web server: streamed, continued where they broke off, and never taken for whole when they are not."""

from __future__ import annotations

import base64
import binascii
import hashlib
import logging
import re
import ssl
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any, Final, NamedTuple, NoReturn

import httpx2

from taxi_assets.errors import (
    DamagedFileError,
    NotPublishedError,
    SourceUnavailableError,
    SourceUnreachableError,
)
from taxi_assets.progress import Progress, mib
from taxi_assets.reachability import Address, known_address
from taxi_assets.source.address import not_a_web_address
from taxi_assets.source.answer_deadline import AnswerDeadline
from taxi_assets.source.origin import RELEASE_ADDRESS
from taxi_assets.source.part import PartFile, can_be_sent
from taxi_assets.source.raw_files import FileVersion, RawFile
from taxi_assets.source.retries import AttemptsExhaustedError, HttpRetries, TransientFault, retry_after_seconds

_LOG: Final = logging.getLogger(__name__)
# These libraries log whole addresses and redirects, with the tokens that signed addresses carry.
for _library in ("httpx2", "httpcore2"):
    logging.getLogger(_library).setLevel(logging.WARNING)

_HEADERS: Final = {
    "User-Agent": "taxi-assets",
    # If a server compressed the file for the transfer, lengths and ranges would be those of other bytes.
    "Accept-Encoding": "identity",
}
_NOT_PUBLISHED: Final = frozenset({403, 404, 410})
_TRANSIENT: Final = frozenset({408, 425, 429, 500, 502, 503, 504})
# Servers without HEAD answer so; an address that is signed for GET answers a HEAD with 403.
_NO_HEAD: Final = frozenset({403, 405, 501})
_RANGE_NOT_SATISFIABLE: Final = 416
_LENGTH: Final = re.compile(r"\d{1,18}", re.ASCII)
_CONTENT_RANGE: Final = re.compile(r"bytes (\d{1,18})-(\d{1,18})/(\d{1,18}|\*)", re.ASCII)
_LONGEST_FILE: Final = 4 * 1024**3
"""Bytes after which a file without a stated length is given up: the largest published ones have half a gigabyte."""

_PIECE_BYTES: Final = 64 * 1024
"""An attempt is given up if fewer bytes than these arrive in the time that a piece may take."""

_MOST_REDIRECTS: Final = 20

_PATIENCE_SECONDS: Final = 1.5
"""How long a server that has never answered is tried: three attempts, for a network that is just coming up."""

_CONNECT_SECONDS: Final = 10.0
"""Longest wait for a connection. A server that works takes less than a second; some firewalls don't answer at all."""

_MD5: Final = re.compile(r'"([0-9a-f]{32})"', re.IGNORECASE)
_MD5_BYTES: Final = 16
_ENCRYPTED: Final = "x-amz-server-side-encryption"
_OBJECT_STORES: Final = frozenset({"x-amz-request-id", "x-goog-hash"})


class _OtherMd5(NamedTuple):
    """The MD5 of what arrived, the other one that the server stated, and whether the server is known to state MD5s."""

    found: str
    stated: str
    is_of_object_store: bool


class _Client(httpx2.Client):
    """A client whose answers must get on; ``deadline`` is told of each piece that has arrived."""

    def __init__(self, server: Address, deadline: AnswerDeadline, **options: Any) -> None:
        hooks = {"request": [deadline.watch], "response": [lambda _: server.answered()]}
        super().__init__(event_hooks=hooks, **options)
        self.deadline = deadline


class HttpOrigin:
    """Files below a base address: ``<base>/<taxi>/<file>``.

    Attributes:
        name: The base address without user, password and query string.
        is_release: Whether it is the published release.
        is_remote: Always.
    """

    is_remote = True

    def __init__(self, base: str, retries: HttpRetries | None = None, *, setting: str = "TAXI_SOURCE") -> None:
        """Take a base address; a query string, such as an access token, goes with every file's address.

        ``setting`` is the variable that names the address, for messages.

        Raises:
            SettingsError: The address is not an http(s) address with a host.
        """
        self._base = _parsed(base, setting)
        self._setting = setting
        self._retries = retries or HttpRetries()
        self.name = public_address(self._base)
        self.is_release = self.name == RELEASE_ADDRESS
        self._server = known_address(public_address(self._base.copy_with(path="/")), _PATIENCE_SECONDS)

    def version(self, file: RawFile, known: FileVersion | None = None) -> FileVersion:
        """Ask for the file's headers, or only whether they have changed if a version is known.

        Raises:
            NotPublishedError: The server does not offer the file.
            SourceUnavailableError: The server does not answer, or answers with an error.
        """
        with self._client() as client:
            try:
                return self._retries.keep_trying(
                    lambda: self._ask(client, file, known), what=file.name, log=_LOG, address=self._server
                )
            except AttemptsExhaustedError as fault:
                self._give_up(f"The version of {file.name} could not be read from {self.name}", fault)

    def fetch(self, file: RawFile, target: Path, log: logging.Logger) -> FileVersion:
        """Download the file to ``target``, continuing what is there if the server proves that it is the same version.

        A length that the answer doesn't state is asked for by HEAD. What has arrived completely is fetched again: its
        verification ended without a verdict, and to verify the same bytes again could end in the same way.

        Some servers' ETags look like an MD5 but are that of the file's time and size. So an ETag that differs makes
        the file be fetched once more, and the same bytes twice are accepted.

        Raises:
            NotPublishedError: The server does not offer the file.
            SourceUnavailableError: The server does not answer, or the connection broke too often.
            DamagedFileError: The bytes are not those whose Content-MD5 the server states, or two transfers brought
                different bytes, or an object store's, and the second ones are not those of the ETag either.
            OSError: ``target`` can't be written.
        """
        part = PartFile(target, self.name)
        if part.is_complete:
            log.info("%s has arrived before but was not verified: fetching it again.", file.name)
            part.discard()
        with self._client() as client:
            version, other = self._transfer(client, file, part, log)
            if other is None:
                return version
            log.info("%s: its ETag is not the MD5 of what arrived; fetching it again to compare.", file.name)
            part.discard()
            version, other_again = self._transfer(client, file, part, log)
        if other_again is None:
            return version
        if other_again.found != other.found or other_again.is_of_object_store:
            self._refuse(file, other_again)
        log.warning(
            "%s has an ETag that looks like an MD5 but is not that of its bytes (MD5 %s instead of %s). "
            "It was fetched twice with the same bytes, so it is taken.",
            file.name,
            other.found,
            other.stated,
        )
        return version

    def _transfer(
        self, client: _Client, file: RawFile, part: PartFile, log: logging.Logger
    ) -> tuple[FileVersion, _OtherMd5 | None]:
        """The version that has arrived completely, and the two MD5s if the ETag is not that of the bytes."""
        try:
            return self._retries.keep_trying(
                lambda: self._receive(client, file, part, log),
                what=file.name,
                log=log,
                arrived=lambda: part.size,
                address=self._server,
            )
        except AttemptsExhaustedError as fault:
            self._give_up(f"{file.name} could not be fetched from {self.name} beyond {mib(part.size)} MiB", fault)

    def _client(self) -> _Client:
        user, password = self._base.username, self._base.password
        seconds = self._retries.timeout_seconds
        return _Client(
            self._server,
            AnswerDeadline(self._retries.piece_seconds, _PIECE_BYTES),
            headers=_HEADERS,
            auth=(user, password) if user or password else None,
            timeout=httpx2.Timeout(seconds, connect=min(seconds, _CONNECT_SECONDS)),
            verify=_trusted_certificates(),
        )

    def _address(self, file: RawFile) -> httpx2.URL:
        path = f"{self._base.path.rstrip('/')}/{file.path}"
        return self._base.copy_with(userinfo=b"", path=path, fragment=None)

    def _ask(self, client: _Client, file: RawFile, known: FileVersion | None) -> FileVersion:
        only_if_changed = _conditions(known)
        with self._answer(client, "HEAD", file, only_if_changed) as response:
            if response.status_code not in _NO_HEAD:
                return self._answered_version(file, response, known)
        # The body is not read: leaving the block closes the connection.
        with self._answer(client, "GET", file, only_if_changed) as response:
            return self._answered_version(file, response, known)

    def _answered_version(self, file: RawFile, response: httpx2.Response, known: FileVersion | None) -> FileVersion:
        if known is not None and response.status_code == httpx2.codes.NOT_MODIFIED:
            return known
        self._require_success(file, response)
        return _version(response)

    def _receive(
        self, client: _Client, file: RawFile, part: PartFile, log: logging.Logger
    ) -> tuple[FileVersion, _OtherMd5 | None]:
        validator = part.validator
        only_the_rest = {"Range": f"bytes={part.size}-", "If-Range": validator} if validator else {}
        with self._answer(client, "GET", file, only_the_rest) as response:
            if response.status_code == _RANGE_NOT_SATISFIABLE and only_the_rest:
                part.discard()
                raise TransientFault("the server can't continue what has arrived (HTTP 416)")
            self._require_success(file, response)
            version = self._prepare(file, response, part)
            progress = Progress(file.name, total=version.size, log=log, done=part.size)
            with part.appending() as stream:
                for chunk in _bounded(response.iter_raw(), version.size, part, client.deadline):
                    stream.write(chunk)
                    progress.advance(len(chunk))
        _require_length(part, version.size)
        if (content_md5 := _content_md5(response)) is not None:
            other = _compared(part, content_md5, response)
            if other is not None:
                self._refuse(file, other)
            return version, None
        etag_md5 = _etag_md5(response)
        return version, None if etag_md5 is None else _compared(part, etag_md5, response)

    def _prepare(self, file: RawFile, response: httpx2.Response, part: PartFile) -> FileVersion:
        """Make the part ready for the body of an answer: to be continued, or to be started again."""
        version = _version(response)
        if response.status_code == httpx2.codes.PARTIAL_CONTENT:
            if part.version is None or _first_byte(response) != part.size or part.version.contradicts(version):
                part.discard()
                raise TransientFault("the file changed at the source while it was fetched")
            part.continue_(part.version)
            return part.version
        if version.size is None:
            # Each client watches one answer at a time, and this one's is still to be read.
            with self._client() as another:
                announced = self._ask(another, file, None)
            if announced.contradicts(version):
                raise TransientFault("the file changed at the source while it was fetched")
            version = replace(version, size=announced.size)
        part.begin(version)
        return version

    def _refuse(self, file: RawFile, other: _OtherMd5) -> NoReturn:
        raise DamagedFileError(
            f"{file.name} from {self.name} has other bytes than its ETag or Content-MD5 states (MD5 {other.found} "
            f"instead of {other.stated}): nothing of it was kept, so fetch it again, and if it happens again choose "
            f"another source with {self._setting}."
        )

    @contextmanager
    def _answer(
        self, client: _Client, method: str, file: RawFile, headers: Mapping[str, str] | None = None
    ) -> Iterator[httpx2.Response]:
        try:
            with closing(_sent(client, client.build_request(method, self._address(file), headers=headers))) as response:
                yield response
        except httpx2.TransportError as error:
            is_unreachable = isinstance(error, httpx2.ConnectError | httpx2.ConnectTimeout | httpx2.ProxyError)
            raise TransientFault(self._in_words(error), is_unreachable=is_unreachable) from error
        except (httpx2.RequestError, httpx2.InvalidURL) as error:
            raise SourceUnavailableError(
                f"{file.name} could not be fetched from {self.name} ({type(error).__name__}): "
                f"check the address in {self._setting}."
            ) from error

    def _require_success(self, file: RawFile, response: httpx2.Response) -> None:
        status = response.status_code
        if status in (httpx2.codes.OK, httpx2.codes.PARTIAL_CONTENT):
            return
        if status in _NOT_PUBLISHED:
            raise NotPublishedError(
                f"{file.name} is not published at {self.name} (HTTP {status}): choose a month that is there, "
                "or another source with TAXI_SOURCE."
            )
        if status in _TRANSIENT:
            raise TransientFault(f"the server answered HTTP {status}", retry_after_seconds(response.headers))
        raise SourceUnavailableError(
            f"{file.name} could not be fetched from {self.name}, which answered HTTP {status}: "
            f"check the address in {self._setting} and whether it asks for a user and password or a token."
        )

    def _in_words(self, error: httpx2.TransportError) -> str:
        if isinstance(error, httpx2.ConnectTimeout):
            return f"no connection within {min(self._retries.timeout_seconds, _CONNECT_SECONDS):g} s"
        if isinstance(error, httpx2.TimeoutException):
            return f"the server was silent for {self._retries.timeout_seconds:g} s"
        if isinstance(error, httpx2.ConnectError | httpx2.ProxyError):
            return f"no connection ({error})"
        return f"the connection broke off ({type(error).__name__})"

    def _give_up(self, what: str, fault: AttemptsExhaustedError) -> NoReturn:
        if fault.is_unreachable and not self._server.has_answered:
            # Without the file's name, since all files have the same cause.
            raise SourceUnreachableError(
                f"{self.name} can't be reached: {fault.reason}; check the network and the address in {self._setting}, "
                "or set TAXI_SOURCE=sample to load sample months without a network."
            ) from fault.__cause__
        raise SourceUnavailableError(
            f"{what}: {fault.attempts} (last: {fault.reason}): check the network, or try again later."
        ) from fault


def _sent(client: _Client, request: httpx2.Request) -> httpx2.Response:
    """The answer to a request, after all redirects, whose own bodies are not read: they may never end.

    Raises:
        httpx2.RequestError: There is none, or too many redirects.
    """
    response = client.send(request, stream=True)
    for _ in range(_MOST_REDIRECTS):
        if response.next_request is None:
            return response
        response.close()
        # What the address of a redirect needs is in the request; user and password are not for other hosts.
        response = client.send(response.next_request, stream=True, auth=None)
    response.close()
    raise httpx2.TooManyRedirects(f"more than {_MOST_REDIRECTS} redirects", request=request)


@cache
def _trusted_certificates() -> ssl.SSLContext:
    """Read once, because reading them takes longer than asking a nearby server for a file's version."""
    return httpx2.create_ssl_context()


def public_address(address: httpx2.URL) -> str:
    """An address as it may be shown: without user, password, query string, fragment and final slash."""
    return str(address.copy_with(userinfo=b"", query=None, fragment=None)).rstrip("/")


def _parsed(base: str, setting: str) -> httpx2.URL:
    try:
        address = httpx2.URL(base.strip())
    except httpx2.InvalidURL:
        address = httpx2.URL()
    if address.scheme not in ("http", "https") or not address.host:
        raise not_a_web_address(setting)
    return address


def _conditions(known: FileVersion | None) -> Mapping[str, str]:
    """Headers that ask for an answer only if the file has another version than the known one."""
    if known is None:
        return {}
    conditions = {"If-None-Match": known.etag, "If-Modified-Since": known.last_modified}
    return {name: value for name, value in conditions.items() if value and can_be_sent(value)}


def _version(response: httpx2.Response) -> FileVersion:
    if response.status_code == httpx2.codes.PARTIAL_CONTENT:
        match = _CONTENT_RANGE.fullmatch(response.headers.get("Content-Range", ""))
        length = match[3] if match else ""
    else:
        length = response.headers.get("Content-Length", "")
    return FileVersion(
        size=int(length) if _LENGTH.fullmatch(length) else None,
        etag=response.headers.get("ETag"),
        last_modified=response.headers.get("Last-Modified"),
    )


def _first_byte(response: httpx2.Response) -> int | None:
    match = _CONTENT_RANGE.fullmatch(response.headers.get("Content-Range", ""))
    return int(match[1]) if match else None


def _bounded(
    chunks: Iterator[bytes], announced: int | None, part: PartFile, deadline: AnswerDeadline
) -> Iterator[bytes]:
    """The chunks of a body, while they are not more than were announced and don't come too slowly.

    Raises:
        TransientFault: They do. If they are more, everything that has arrived is discarded.
    """
    room = (_LONGEST_FILE if announced is None else announced) - part.size
    arrived = 0
    for chunk in chunks:
        room -= len(chunk)
        arrived += len(chunk)
        if arrived >= _PIECE_BYTES:
            deadline.advance()
            arrived = 0
        elif deadline.has_passed:
            raise deadline.too_slow()
        if room < 0:
            part.discard()
            limit = (
                f"{_LONGEST_FILE:,} that a file may have" if announced is None else f"{announced:,} that were announced"
            )
            raise TransientFault(f"the server sent more bytes than the {limit}")
        yield chunk


def _require_length(part: PartFile, announced: int | None) -> None:
    if announced is not None and part.size != announced:
        raise TransientFault(f"{part.size:,} bytes arrived where {announced:,} were announced")


def _content_md5(response: httpx2.Response) -> str | None:
    """The MD5 of the whole file in hexadecimal, if an answer states it as such."""
    stated = _decoded(response.headers.get("Content-MD5", ""))
    return stated.hex() if response.status_code == httpx2.codes.OK and len(stated) == _MD5_BYTES else None


def _etag_md5(response: httpx2.Response) -> str | None:
    """The ETag in hexadecimal, if it looks like the MD5 of the whole file.

    Amazon S3, Cloud Storage and stores like them give the MD5 of a file that was uploaded in one piece as its ETag.
    """
    headers = response.headers
    is_encrypted = headers.get(_ENCRYPTED, "AES256") != "AES256" or f"{_ENCRYPTED}-customer-algorithm" in headers
    etag = _MD5.fullmatch(headers.get("ETag", ""))
    return None if etag is None or is_encrypted else etag[1].lower()


def _compared(part: PartFile, stated: str, response: httpx2.Response) -> _OtherMd5 | None:
    with part.path.open("rb") as stream:
        found = hashlib.file_digest(stream, _md5).hexdigest()
    # By these, the ETag is known to be an MD5; a cache between may keep damaged bytes and send them every time.
    is_of_object_store = response.headers.get("Server") == "AmazonS3" or not _OBJECT_STORES.isdisjoint(response.headers)
    return None if found == stated else _OtherMd5(found, stated, is_of_object_store)


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error:
        return b""


def _md5() -> hashlib._Hash:
    return hashlib.md5(usedforsecurity=False)
