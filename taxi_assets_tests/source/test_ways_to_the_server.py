"""Certificates, proxies and redirects: what a company's network puts between this machine and the published files."""

from __future__ import annotations

import logging
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme

from taxi_assets.errors import SourceUnavailableError
from taxi_assets.getting_started.resources.products_source import ProductsSource
from taxi_assets.source import http as http_module
from taxi_assets.source.http import HttpOrigin
from taxi_assets.source.retries import HttpRetries
from taxi_assets_tests.source.file_server import Fault, FileServer, Served
from taxi_assets_tests.source.made_files import FILE, made_gzip

LOG = logging.getLogger("test")
BODY = made_gzip(rows=400)
PRODUCTS = b'{"products": [{"id": 1, "price": 2.5}]}'
QUICK = HttpRetries(timeout_seconds=2, attempts=2, backoff_seconds=0.001, backoff_limit_seconds=0.01)


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No proxy and no certificates but those of the test; the certificates are read anew, as by a new process."""
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    for name in ("SSL_CERT_FILE", "SSL_CERT_DIR"):
        monkeypatch.delenv(name, raising=False)
    http_module._trusted_certificates.cache_clear()
    yield
    http_module._trusted_certificates.cache_clear()


@pytest.fixture
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def secure(authority: trustme.CA) -> Iterator[FileServer]:
    """A server whose certificate is signed by an authority that this machine does not know."""
    with FileServer(server_context(authority, "127.0.0.1")) as server:
        server.files[f"/{FILE.path}"] = Served(BODY)
        yield server


def server_context(authority: trustme.CA, name: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(name).configure_cert(context)
    return context


def trust(authority: trustme.CA, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    authority.cert_pem.write_to_path(folder / "authority.pem")
    monkeypatch.setenv("SSL_CERT_FILE", str(folder / "authority.pem"))


def fetched(address: str, folder: Path) -> bytes:
    HttpOrigin(address, QUICK).fetch(FILE, folder / "file.part", LOG)
    return (folder / "file.part").read_bytes()


def test_a_certificate_of_an_unknown_authority_is_refused(secure, tmp_path):
    with pytest.raises(SourceUnavailableError, match="CERTIFICATE_VERIFY_FAILED"):
        fetched(secure.address, tmp_path)
    assert secure.requests == []


def test_an_authority_in_ssl_cert_file_is_trusted(secure, authority, tmp_path, monkeypatch):
    trust(authority, tmp_path, monkeypatch)
    assert fetched(secure.address, tmp_path) == BODY


def test_a_certificate_for_another_host_is_refused(authority, tmp_path, monkeypatch):
    trust(authority, tmp_path, monkeypatch)
    with FileServer(server_context(authority, "other.example")) as server:
        server.files[f"/{FILE.path}"] = Served(BODY)
        with pytest.raises(SourceUnavailableError, match="CERTIFICATE_VERIFY_FAILED"):
            fetched(server.address, tmp_path)
        assert server.requests == []


def test_a_redirect_from_http_to_https_is_followed_and_its_certificate_verified(
    secure, authority, tmp_path, monkeypatch
):
    to = {"Location": f"{secure.address}/{FILE.path}"}
    with FileServer() as front:
        front.faults.extend([Fault(status=301, headers=to)] * 3)
        with pytest.raises(SourceUnavailableError, match="CERTIFICATE_VERIFY_FAILED"):
            fetched(front.address, tmp_path)
        trust(authority, tmp_path, monkeypatch)
        http_module._trusted_certificates.cache_clear()
        assert fetched(front.address, tmp_path) == BODY


def test_a_redirect_to_another_host_does_not_take_the_password_along(tmp_path):
    with FileServer() as front, FileServer() as back:
        back.files[f"/{FILE.path}"] = Served(BODY)
        elsewhere = back.address.replace("127.0.0.1", "localhost")
        front.faults.append(Fault(status=307, headers={"Location": f"{elsewhere}/{FILE.path}"}))
        assert fetched(front.address.replace("//", "//someone:pa55word@"), tmp_path) == BODY
        assert "Authorization" in front.gets[0].headers
        assert "Authorization" not in back.gets[0].headers


@pytest.mark.parametrize("name", ["HTTP_PROXY", "http_proxy", "ALL_PROXY"])
def test_files_come_through_the_proxy_of_the_environment(tmp_path, monkeypatch, name):
    with FileServer() as proxy:
        proxy.files[f"http://files.example/{FILE.path}"] = Served(BODY)
        monkeypatch.setenv(name, proxy.address)
        assert fetched("http://files.example", tmp_path) == BODY


def test_a_host_in_no_proxy_is_asked_directly(tmp_path, monkeypatch):
    with FileServer() as proxy, FileServer() as server:
        server.files[f"/{FILE.path}"] = Served(BODY)
        monkeypatch.setenv("HTTP_PROXY", proxy.address)
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        assert fetched(server.address, tmp_path) == BODY
        assert proxy.requests == []


def test_a_proxy_s_password_is_sent_to_it_and_said_nowhere(tmp_path, monkeypatch, caplog):
    with FileServer() as proxy:
        proxy.faults.extend([Fault(status=503)] * 2)
        monkeypatch.setenv("HTTP_PROXY", proxy.address.replace("//", "//someone:pa55word@"))
        with caplog.at_level(logging.DEBUG), pytest.raises(SourceUnavailableError) as raised:
            fetched("http://files.example", tmp_path)
        assert "Proxy-Authorization" in proxy.gets[0].headers
        assert "pa55word" not in f"{raised.value}{raised.value.__cause__}{caplog.text}"


def test_products_come_through_the_proxy_of_the_environment(monkeypatch):
    with FileServer() as proxy:
        proxy.files["http://shop.example/products"] = Served(PRODUCTS)
        monkeypatch.setenv("HTTP_PROXY", proxy.address)
        assert ProductsSource(address="http://shop.example/products").fetch() == [{"id": 1, "price": 2.5}]


def test_products_come_after_a_connection_that_broke():
    with FileServer() as server:
        server.files["/products"] = Served(PRODUCTS)
        server.faults.append(Fault(hangs_up=True))
        assert ProductsSource(address=f"{server.address}/products").fetch() == [{"id": 1, "price": 2.5}]
