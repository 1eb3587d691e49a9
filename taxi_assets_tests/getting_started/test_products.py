"""Products: from JSON over HTTP to a table of average prices by brand."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import duckdb
import pytest

from taxi_assets.errors import SettingsError
from taxi_assets.getting_started.assets.products import choose
from taxi_assets_tests.getting_started.group import Group

ALL = ("raw_products", "chosen_products", "average_price_by_brand")
PRODUCTS = [
    {"id": 1, "brand": "Essence", "price": 9.99, "tags": ["beauty"]},
    {"id": 2, "brand": "Essence", "price": 10, "tags": []},
    {"id": 3, "price": 2.5, "tags": ["fruit"]},
    {"id": 4, "brand": None, "price": 3.5},
    {"id": 5, "brand": "Annibale"},
]


class Service:
    """A web service that gives one answer to everybody."""

    def __init__(self) -> None:
        self.status, self.body = 200, json.dumps({"products": PRODUCTS, "total": len(PRODUCTS)})
        service = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(service.status)
                self.send_header("Content-Type", "application/json")
                self.end_headers()
                self.wfile.write(service.body.encode())

            def log_message(self, *_: Any) -> None:
                """Say nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server.server_port}/products"


@pytest.fixture
def service() -> Iterator[Service]:
    service = Service()
    threading.Thread(target=service.server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    yield service
    service.server.shutdown()
    service.server.server_close()


@pytest.fixture
def served(tmp_path: Path, service: Service) -> Group:
    return Group(tmp_path, products=service.address)


def averages(group: Group) -> list[tuple[Any, ...]]:
    with duckdb.connect(group.database, read_only=True) as connection:
        return connection.execute("FROM average_price_by_brand ORDER BY brand").fetchall()


def test_average_prices_by_brand_are_in_duckdb(served: Group) -> None:
    assert served.run(*ALL).success
    # 9.99 and 10 are 19.99 for two; what has no brand is N/A; what has no price enters no average.
    assert averages(served) == [("Annibale", None, 1), ("Essence", 10.0, 2), ("N/A", 3.0, 2)]


def test_again_the_table_is_replaced(served: Group, service: Service) -> None:
    assert served.run(*ALL).success
    service.body = json.dumps({"products": PRODUCTS[:1]})
    assert served.run(*ALL).success
    assert averages(served) == [("Essence", 9.99, 1)]


def test_a_product_without_a_chosen_column_has_n_a(served: Group) -> None:
    columns = {"chosen_products": {"columns": ["id", "brand", "price", "tags"]}}
    outcome = served.run(*ALL, config=columns)
    assert outcome.success
    frame = served.value("chosen_products")
    assert frame.columns == ["id", "brand", "price", "tags"]
    assert frame["brand"].to_list() == ["Essence", "Essence", "N/A", "N/A", "Annibale"]
    assert frame["tags"].to_list() == ['["beauty"]', "[]", '["fruit"]', "N/A", "N/A"]
    assert frame["id"].to_list() == [1, 2, 3, 4, 5]
    assert served.metadata(outcome, "chosen_products")["dagster/row_count"] == 5


def test_a_column_that_no_product_has_is_n_a_throughout() -> None:
    assert choose(PRODUCTS, ["color"])["color"].to_list() == ["N/A"] * 5


def test_whole_and_broken_numbers_in_a_column_are_both_numbers() -> None:
    assert choose([{"price": 1}, {"price": 2.5}], ["price"])["price"].to_list() == [1.0, 2.5]


def test_columns_that_the_average_lacks_are_named(served: Group) -> None:
    outcome = served.run(*ALL, config={"chosen_products": {"columns": ["title", "brand"]}})
    assert outcome.failure == (
        "The chosen products have no column price, which the average price needs: "
        "add price to columns of getting_started/chosen_products, then run again."
    )
    assert not served.database.exists()


@pytest.mark.parametrize("columns", [[], ["brand", "brand"]])
def test_no_column_or_one_twice_is_refused(columns: list[str]) -> None:
    with pytest.raises(SettingsError, match="choose each of them once"):
        choose(PRODUCTS, columns)


@pytest.mark.parametrize(
    ("status", "body", "sentence"),
    [
        (404, "", "has no products (HTTP 404)"),
        (503, "", "could not answer (HTTP 503)"),
        (200, "<html>", "is not JSON with a list under “products”"),
        (200, '{"products": 3}', "is not JSON with a list under “products”"),
        (200, "[]", "is not JSON with a list under “products”"),
    ],
)
def test_an_answer_that_is_none_is_one_sentence(
    served: Group, service: Service, status: int, body: str, sentence: str
) -> None:
    service.status, service.body = status, body
    assert sentence in served.run("raw_products").failure


def test_a_service_that_is_away_is_one_sentence_without_the_password(tmp_path: Path) -> None:
    group = Group(tmp_path, products="http://me:secret@127.0.0.1:9/products")
    outcome = group.run("raw_products")
    assert "http://127.0.0.1/products did not answer" in outcome.failure
    assert "secret" not in outcome.error


def test_an_address_that_is_none_is_one_sentence(tmp_path: Path) -> None:
    assert "TAXI_PRODUCTS is not an address" in Group(tmp_path, products="nowhere").run("raw_products").failure


def test_the_sample_needs_no_network(group: Group) -> None:
    assert group.run(*ALL).success
    assert ("Northern Line", 10.25, 3) in averages(group)
    assert ("N/A", 1.75, 2) in averages(group)
