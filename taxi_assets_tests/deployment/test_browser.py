"""What a newcomer does: open the UI, backfill a range of both taxis, look at what came of it. In a real Chromium.

Screenshots go to the folder in TAXI_TEST_SCREENSHOTS, or to pytest's own; `make screenshots` renews those of docs/.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
from playwright.sync_api import Page, expect, sync_playwright

from taxi_assets.taxis import chosen_taxis
from taxi_assets_tests.deployment.running import WAREHOUSES, Running, until

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
OPTIONS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
FIRST, LAST = "2019-01", "2019-03"
TABLES = [f"{warehouse.name}/{taxi.table}" for warehouse in WAREHOUSES for taxi in chosen_taxis().values()]

pytestmark = pytest.mark.skipif(
    CHROMIUM is None, reason="no Chromium here: apt-get install chromium, or another way to get it"
)


@pytest.fixture(scope="module")
def page(running: Running) -> Iterator[Page]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=OPTIONS)
        page = browser.new_page(viewport={"width": 1500, "height": 900}, base_url=running.ui)
        # A busy machine may take its time; nothing here is about speed.
        page.set_default_timeout(60_000)
        expect.set_options(timeout=60_000)
        yield page
        browser.close()


@pytest.fixture(scope="module")
def screenshots(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return Path(os.environ.get("TAXI_TEST_SCREENSHOTS") or tmp_path_factory.mktemp("screenshots"))


@pytest.fixture(scope="module")
def backfilled(running: Running, page: Page, screenshots: Path) -> str:
    """All trips were loaded for a range of months, by the clicks that README names; the backfill's id."""
    page.goto("/jobs")
    page.get_by_role("link", name="load_all").first.click()
    page.get_by_role("button", name="Materialize all").click()
    page.get_by_placeholder("ex: 2019-01").fill(f"[{FIRST}...{LAST}]")
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog")).to_contain_text("3 partitions")
    page.screenshot(path=screenshots / "launch-backfill.png")
    page.get_by_role("button", name="Launch backfill").click()
    expect(page.get_by_text("Created backfill")).to_be_visible()
    launched = running.newest_backfill()
    for key in TABLES:
        until(f"{key} is materialized", lambda key=key: (FIRST, LAST) in running.materialized(key))
    return launched


def test_what_readme_says_is_clicked_is_one_run_of_both_taxis_and_of_nothing_else(running: Running, backfilled: str):
    until("the backfill has ended", lambda: running.backfill(backfilled)["status"] == "COMPLETED_SUCCESS")
    (run,) = running.backfill(backfilled)["runs"]
    tags = {tag["key"]: tag["value"] for tag in run["tags"]}
    assert (tags["taxi"], tags["month"]) == ("green, yellow", f"{FIRST}...{LAST}")
    for key in ("getting_started/hello", "report/duckdb/all_months", "report/duckdb/month", "duckdb/taxi_zones"):
        assert not running.is_made_by(run["id"], key)


def picture(page: Page, path: Path) -> None:
    """The asset graph without what surrounds it."""
    corners = page.locator("svg foreignObject").evaluate_all(
        "shapes => shapes.map(shape => shape.getBoundingClientRect()).map(at => [at.left, at.top, at.right, at.bottom])"
    )
    left, top = min(at[0] for at in corners) - 16, min(at[1] for at in corners) - 16
    right, bottom = max(at[2] for at in corners) + 16, max(at[3] for at in corners) + 16
    page.screenshot(path=path, clip={"x": left, "y": top, "width": right - left, "height": bottom - top})


@pytest.mark.usefixtures("backfilled")
def test_the_asset_graph_shows_what_is_filled_and_checked(page: Page, screenshots: Path):
    groups = quote(",".join(f"global@global:{group}" for group in ("raw", *(each.name for each in WAREHOUSES))))
    selection = " or ".join(f'+key:"*/{taxi.table}"' for taxi in chosen_taxis().values())
    page.set_viewport_size({"width": 1900, "height": 1500})
    page.goto(f"/asset-groups~{quote(selection, safe='')}/?expanded={groups}")
    # 3 of 31 months: of both files, and of both monthly and both main tables in each warehouse.
    expect(page.get_by_text("9% filled")).to_have_count(2 + 4 * len(WAREHOUSES))
    # Every check has passed, so nothing needs an explanation: those of the monthly and of the main tables.
    expect(page.get_by_text(re.compile(r"^(\d+) / \1 Passed$"))).to_have_count(4 * len(WAREHOUSES))
    picture(page, screenshots / "asset-graph.png")
    page.set_viewport_size({"width": 1500, "height": 900})


@pytest.mark.usefixtures("backfilled")
@pytest.mark.parametrize("key", TABLES)
def test_the_months_are_materialized_on_the_page_of_partitions(page: Page, key: str):
    page.goto(f"/assets/{key}?view=partitions")
    expect(page.get_by_text("Materialized (3)")).to_be_visible()
    expect(page.get_by_text("Failed (0)")).to_be_visible()


def wait_until_drawn(page: Page) -> None:
    """Plots are drawn bit by bit; a sign that something is being loaded may turn for ever."""
    page.wait_for_function(
        "() => !document.getAnimations().some("
        "each => each.playState === 'running' && each.effect.getComputedTiming().endTime !== Infinity)"
    )


@pytest.mark.usefixtures("backfilled")
@pytest.mark.parametrize("key", TABLES)
def test_the_checks_have_passed_for_each_month(page: Page, screenshots: Path, key: str):
    page.goto(f"/assets/{key}?view=checks&checkDetail=rows_match_file")
    expect(page.get_by_text("Evaluation result")).to_be_visible()
    expect(page.get_by_text("Passed", exact=True)).to_be_visible()
    for month in ("2019-01", "2019-02", "2019-03"):
        expect(page.get_by_role("row", name=re.compile(f"^{month} yes"))).to_be_visible()
    if key == "duckdb/yellow_tripdata":
        wait_until_drawn(page)
        page.screenshot(path=screenshots / "checks.png")


@pytest.mark.usefixtures("backfilled")
def test_the_page_of_an_asset_plots_its_rows_by_month(page: Page):
    page.goto("/assets/duckdb/yellow_tripdata?view=overview")
    page.get_by_text("Plots", exact=True).click()
    expect(page.get_by_text("dagster/partition_row_count", exact=True)).to_be_visible()
    expect(page.locator("canvas").first).to_be_visible()
