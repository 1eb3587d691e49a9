"""A process that is killed between any two steps leaves the old month or the new one, and the next load needs no help.

(Emulator tests.)
"""

from __future__ import annotations

import logging
import signal

from taxi_assets.source.raw_files import trip_file
from taxi_assets_tests.csv_files import made_trips
from taxi_assets_tests.gcp.killed import load_january, load_until
from taxi_assets_tests.gcp.project import GcpProject
from taxi_assets_tests.project import GREEN, JANUARY, processes

OLD, NEW = 20, 25
STEPS = (
    ("the external table is made", ("POST", "CREATE OR REPLACE EXTERNAL TABLE"), OLD),
    ("the month is typed", ("POST", "CREATE OR REPLACE TABLE"), OLD),
    ("the month is published", ("POST", "COPY `"), OLD),
    ("the month's view shows it", ("POST", "CREATE OR REPLACE VIEW"), OLD),
    ("the staging table is dropped", ("DELETE", "/tables/green_tripdata_2019_01_staging"), OLD),
    ("the month is merged", ("POST", "MERGE INTO"), OLD),
    ("the month's view shows the main table", ("POST", "a part of green_tripdata"), NEW),
    ("the loaded table is dropped", ("DELETE", "/tables/green_tripdata_2019_01_loaded"), NEW),
    ("the external table is dropped", ("DELETE", "/tables/green_tripdata_2019_01_ext"), NEW),
)


def test_a_load_that_is_killed_before_each_of_its_steps_in_turn_always_leads_to_the_new_month(project: GcpProject):
    log = logging.getLogger(__name__)
    for rows in (OLD, NEW):
        project.put(made_trips(GREEN, JANUARY, rows))
        project.trip_source().land(trip_file(GREEN, JANUARY), log)
        if rows == OLD:
            load_january(project)

    context = processes("taxi_assets_tests.gcp.killed")
    for step, deadly, rows in STEPS:
        # Each load begins with what the one before it left behind, and comes a step further.
        arguments = (project.folder, project.emulators, (project.bucket, project.dataset), deadly)
        child = context.Process(target=load_until, args=arguments)
        child.start()
        child.join()
        assert child.exitcode == -signal.SIGKILL, f"not killed before {step}"
        assert project.query("SELECT COUNT(*) FROM green_tripdata") == [(rows,)], f"killed before {step}"

    load_january(project)
    assert project.query("SELECT COUNT(*) FROM green_tripdata") == [(NEW,)]
    assert project.query("SELECT COUNT(*) FROM green_tripdata_2019_01") == [(NEW,)]
    assert project.tables() == {"green_tripdata": "TABLE", "green_tripdata_2019_01": "VIEW"}
    assert [name for name in project.object_names() if "leases" in name] == []
