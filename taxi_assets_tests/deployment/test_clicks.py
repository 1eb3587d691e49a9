"""The clicks that docs/from-kestra.md names lead to what it says. In a real Chromium."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from taxi_assets_tests.deployment.test_browser import page, pytestmark

__all__ = ["page", "pytestmark"]


def choose_months(page: Page, months: str) -> None:
    page.get_by_placeholder("ex: 2019-01").fill(months)
    page.keyboard.press("Tab")


def close(page: Page) -> None:
    page.get_by_role("dialog").get_by_role("button", name="Cancel", exact=True).click()
    expect(page.get_by_role("dialog")).to_have_count(0)


def test_a_table_is_found_in_the_lineage_with_what_it_is_made_from(page: Page) -> None:
    page.goto("/asset-groups")
    expect(page.get_by_role("button", name="Materialize all…")).to_be_visible()
    page.locator(".CodeMirror").first.click()
    page.keyboard.type('+key:"postgres/green_tripdata"')
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile("asset-groups~"))
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Materialize all…").click()
    expect(page.get_by_role("dialog")).to_contain_text("materialize 3 assets")
    choose_months(page, "2019-01")
    expect(page.get_by_role("button", name="Launch 1 run")).to_be_visible()
    close(page)


def test_a_job_backfills_a_year_of_both_taxis(page: Page) -> None:
    page.goto("/jobs")
    page.get_by_role("link", name="load_postgres").first.click()
    page.get_by_role("button", name="Materialize all…").click()
    choose_months(page, "[2019-01...2019-12]")
    expect(page.get_by_role("dialog")).to_contain_text("12 partitions")
    expect(page.get_by_role("button", name="Launch backfill")).to_be_visible()
    close(page)


def test_the_launchpad_of_a_job_over_assets_is_behind_the_arrow(page: Page) -> None:
    page.goto("/locations/taxi_assets/jobs/hello")
    button = page.get_by_role("button", name="Materialize all")
    expect(button).to_be_visible()
    box = button.bounding_box()
    assert box
    page.mouse.click(box["x"] + box["width"] + 12, box["y"] + box["height"] / 2)
    expect(page.get_by_text("Open launchpad")).to_be_visible()
    page.keyboard.press("Escape")


def test_other_jobs_have_a_launchpad(page: Page) -> None:
    page.goto("/locations/taxi_assets/jobs/remove_month")
    page.get_by_role("tab", name="Launchpad").or_(page.get_by_role("link", name="Launchpad")).first.click()
    expect(page.get_by_role("button", name="Launch Run")).to_be_visible()


@pytest.mark.parametrize(
    ("path", "shown"),
    [("/runs", "Backfills"), ("/automation", "monthly"), ("/deployment/locations", "Reload"), ("/jobs", "hello")],
)
def test_a_page_has_what_is_looked_for_there(page: Page, path: str, shown: str) -> None:
    page.goto(path)
    expect(page.get_by_text(shown).first).to_be_visible()
