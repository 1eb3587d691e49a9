"""A range through the daemon is one run of both taxis; the page of a load job launches its assets and no others."""

from __future__ import annotations

from taxi_assets.taxis import chosen_taxis
from taxi_assets_tests.deployment.running import WAREHOUSES, Running, until

MONTHS = ["2020-04", "2020-05", "2020-06"]
ENDED = {"COMPLETED_SUCCESS", "COMPLETED_FAILED", "COMPLETED", "FAILED", "CANCELED"}


def test_materialize_all_on_the_page_of_load_all_is_one_run_of_the_trips(running: Running):
    assets = running.assets_of_job("load_all")
    tables = {name for taxi in chosen_taxis().values() for name in (taxi.table, taxi.month_asset)}
    files = {("raw", taxi.table) for taxi in chosen_taxis().values()}
    assert {tuple(key) for key in assets} == files | {(each.name, table) for each in WAREHOUSES for table in tables}

    backfill = running.launch_backfill(MONTHS, assets)
    until("the backfill has ended", lambda: running.backfill(backfill)["status"] in ENDED)
    done = running.backfill(backfill)
    assert done["status"] == "COMPLETED_SUCCESS", running.failures(backfill)
    (run,) = done["runs"]
    tags = {tag["key"]: tag["value"] for tag in run["tags"]}
    assert tags["taxi"] == "green, yellow"
    assert tags["month"] == "2020-04...2020-06"
    for key in assets:
        # Other tests may have loaded the months around it.
        ranges = running.materialized("/".join(key))
        assert any(first <= MONTHS[0] and MONTHS[-1] <= last for first, last in ranges)


def test_months_with_a_gap_are_a_run_for_each_range(running: Running):
    backfill = running.launch_backfill(["2021-01", "2021-02", "2021-04"])
    until("the backfill has ended", lambda: running.backfill(backfill)["status"] in ENDED)
    tags = [{tag["key"]: tag["value"] for tag in run["tags"]} for run in running.backfill(backfill)["runs"]]
    assert sorted((each["taxi"], each["month"]) for each in tags) == [
        ("green, yellow", "2021-01...2021-02"),
        ("green, yellow", "2021-04"),
    ]
