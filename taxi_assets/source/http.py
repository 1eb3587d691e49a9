"""Files from a web server: streamed, resumed, retried, and never taken for whole when they are not."""

from __future__ import annotations

import logging
import re
import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Final, NoReturn

import httpx

from taxi_assets.errors import NotPublishedError, SettingsError, SourceUnavailableError
from taxi_assets.progress import Progress, mib
from taxi_assets.source.files import FileVersion, RawFile
from taxi_assets.source.origin import RELEASE_ADDRESS
from taxi_assets.source.part import PartFile
from taxi_assets.source.retries import HttpRetries, TransientFault, retry_after_seconds

_LOG: Final = logging.getLogger(__name__)
# They log whole addresses and redirects, with the tokens that signed addresses carry.
for _library in ("httpx", "httpcore"):
    logging.getLogger(_library).setLevel(logging.WARNING)

_HEADERS: Final = {
    "User-Agent": "taxi-assets",
    # A server that compresses on the way would make lengths and ranges speak of other bytes than the file's.
    "Accept-Encoding": "identity",
}
_NOT_PUBLISHED: Final = frozenset({403, 404, 410})
_PASSING: Final = frozenset({408, 425, 429, 500, 502, 503, 504})
# Servers that don't do HEAD say so with these; addresses that are signed for GET answer a HEAD with 403.
_NO_HEAD: Final = frozenset({403, 405, 501})
_RANGE_NOT_SATISFIABLE: Final = 416
_CONTENT_RANGE: Final = re.compile(r"bytes (\d+)-(\d+)/(\d+|\*)")


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

    def version(self, file: RawFile, known: FileVersion | None = None) -> FileVersion:
        """Ask for the file's headers, or only whether they have changed where a version is known.

        Raises:
            NotPublishedError: The server does not offer the file.
            SourceUnavailableError: The server does not answer, or with an error.
        """
        with self._client() as client:
            try:
                return self._retries.keep_trying(lambda: self._ask(client, file, known), what=file.name, log=_LOG)
            except TransientFault as fault:
                self._give_up(file, fault, "could not be asked for")

    def fetch(self, file: RawFile, target: Path, log: logging.Logger) -> FileVersion:
        """Download the file to ``target``, continuing what is there if the server proves that it is the same version.

        Raises:
            NotPublishedError: The server does not offer the file.
            SourceUnavailableError: The server does not answer, or the connection broke too often.
            OSError: ``target`` can't be written.
        """
        part = PartFile(target, self.name)
        if part.is_complete and part.version is not None:
            if part.version == self.version(file):
                return part.version
            part.discard()
        with self._client() as client:
            try:
                return self._retries.keep_trying(
                    lambda: self._receive(client, file, part, log),
                    what=file.name,
                    log=log,
                    arrived=lambda: part.size,
                )
            except TransientFault as fault:
                self._give_up(file, fault, f"could not be fetched beyond {mib(part.size)} MiB")

    def _client(self) -> httpx.Client:
        user, password = self._base.username, self._base.password
        return httpx.Client(
            headers=_HEADERS,
            auth=(user, password) if user or password else None,
            timeout=self._retries.timeout_seconds,
            verify=_trusted_certificates(),
            follow_redirects=True,
        )

    def _address(self, file: RawFile) -> httpx.URL:
        path = f"{self._base.path.rstrip('/')}/{file.path}"
        return self._base.copy_with(userinfo=b"", path=path, fragment=None)

    def _ask(self, client: httpx.Client, file: RawFile, known: FileVersion | None) -> FileVersion:
        only_if_changed = _conditions(known)
        with self._answer(client, "HEAD", file, only_if_changed) as response:
            if response.status_code not in _NO_HEAD:
                return self._answered_version(file, response, known)
        # The answer's body is left unread: leaving the block closes the connection.
        with self._answer(client, "GET", file, only_if_changed) as response:
            return self._answered_version(file, response, known)

    def _answered_version(self, file: RawFile, response: httpx.Response, known: FileVersion | None) -> FileVersion:
        if known is not None and response.status_code == httpx.codes.NOT_MODIFIED:
            return known
        self._require_success(file, response)
        return _version(response)

    def _receive(self, client: httpx.Client, file: RawFile, part: PartFile, log: logging.Logger) -> FileVersion:
        validator = part.validator
        only_the_rest = {"Range": f"bytes={part.size}-", "If-Range": validator} if validator else {}
        with self._answer(client, "GET", file, only_the_rest) as response:
            if response.status_code == _RANGE_NOT_SATISFIABLE and only_the_rest:
                part.discard()
                raise TransientFault("the server can't continue what has arrived (HTTP 416)")
            self._require_success(file, response)
            version = self._take_up(response, part)
            progress = Progress(file.name, total=version.size, log=log, done=part.size)
            with part.appending() as stream:
                for chunk in response.iter_raw():
                    stream.write(chunk)
                    progress.advance(len(chunk))
        if version.size is not None and part.size != version.size:
            raise TransientFault(f"{part.size:,} bytes arrived where {version.size:,} were announced")
        return version

    def _take_up(self, response: httpx.Response, part: PartFile) -> FileVersion:
        """Make ready for the body: to continue the part where the server does so, to start it anew otherwise."""
        version = _version(response)
        if response.status_code != httpx.codes.PARTIAL_CONTENT:
            part.begin(version)
            return version
        if part.version is None or _first_byte(response) != part.size or _contradict(part.version, version):
            part.discard()
            raise TransientFault("the file changed at the source while it was fetched")
        return part.version

    @contextmanager
    def _answer(
        self, client: httpx.Client, method: str, file: RawFile, headers: Mapping[str, str] | None = None
    ) -> Iterator[httpx.Response]:
        try:
            with client.stream(method, self._address(file), headers=headers) as response:
                yield response
        except httpx.TransportError as error:
            raise TransientFault(self._in_words(error)) from error
        except (httpx.RequestError, httpx.InvalidURL) as error:
            raise SourceUnavailableError(
                f"{file.name} could not be fetched from {self.name} ({type(error).__name__}): "
                "check the address in TAXI_SOURCE."
            ) from error

    def _require_success(self, file: RawFile, response: httpx.Response) -> None:
        status = response.status_code
        if status in (httpx.codes.OK, httpx.codes.PARTIAL_CONTENT):
            return
        if status in _NOT_PUBLISHED:
            raise NotPublishedError(
                f"{file.name} is not published at {self.name} (HTTP {status}): choose a month that is there, "
                "or another source with TAXI_SOURCE."
            )
        if status in _PASSING:
            raise TransientFault(f"the server answered HTTP {status}", retry_after_seconds(response.headers))
        raise SourceUnavailableError(
            f"{file.name} could not be fetched from {self.name}, which answered HTTP {status}: "
            f"check the address in {self._setting} and whether it asks for a user and password or a token."
        )

    def _in_words(self, error: httpx.TransportError) -> str:
        if isinstance(error, httpx.TimeoutException):
            return f"the server was silent for {self._retries.timeout_seconds:g} s"
        if isinstance(error, httpx.ConnectError):
            return f"no connection ({error})"
        return f"the connection broke off ({type(error).__name__})"

    def _give_up(self, file: RawFile, fault: TransientFault, what: str) -> NoReturn:
        raise SourceUnavailableError(
            f"{file.name} {what} at {self.name}, where {self._retries.attempts} attempts in a row brought nothing "
            f"(the last: {fault.reason}): check the network, or try again later."
        ) from fault


@cache
def _trusted_certificates() -> ssl.SSLContext:
    """Read once: reading them takes longer than asking a nearby server for a file's version."""
    return httpx.create_ssl_context()


def public_address(address: httpx.URL) -> str:
    """An address as it may be shown: without user, password, query string and fragment, and without a slash at the end.

    The path is kept, as it tells people where a file came from.
    """
    return str(address.copy_with(userinfo=b"", query=None, fragment=None)).rstrip("/")


def _parsed(base: str, setting: str) -> httpx.URL:
    try:
        address = httpx.URL(base.strip())
    except httpx.InvalidURL:
        address = httpx.URL()
    if address.scheme not in ("http", "https") or not address.host:
        # Neither the address nor the parser's words, as both may hold a password.
        raise SettingsError(f"{setting} is not a valid web address: write it as https://host/path.")
    return address


def _conditions(known: FileVersion | None) -> Mapping[str, str]:
    """Headers that ask for an answer only if the file is no longer the known version."""
    if known is None:
        return {}
    conditions = {"If-None-Match": known.etag, "If-Modified-Since": known.last_modified}
    return {name: value for name, value in conditions.items() if value}


def _version(response: httpx.Response) -> FileVersion:
    if response.status_code == httpx.codes.PARTIAL_CONTENT:
        match = _CONTENT_RANGE.fullmatch(response.headers.get("Content-Range", ""))
        length = match[3] if match else ""
    else:
        length = response.headers.get("Content-Length", "")
    return FileVersion(
        size=int(length) if length.isdecimal() else None,
        etag=response.headers.get("ETag"),
        last_modified=response.headers.get("Last-Modified"),
    )


def _first_byte(response: httpx.Response) -> int | None:
    match = _CONTENT_RANGE.fullmatch(response.headers.get("Content-Range", ""))
    return int(match[1]) if match else None


def _contradict(noted: FileVersion, answered: FileVersion) -> bool:
    """Whether two versions differ in something that both state; a partial answer need not state everything again."""
    pairs = (
        (noted.size, answered.size),
        (noted.etag, answered.etag),
        (noted.last_modified, answered.last_modified),
    )
    return any(one is not None and other is not None and one != other for one, other in pairs)
