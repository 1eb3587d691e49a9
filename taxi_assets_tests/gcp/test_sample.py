"""Sample months are removed from BigQuery, and months that were loaded since stay. (Emulator tests.)"""

from __future__ import annotations

from taxi_assets_tests.csv_files import made_trips
from taxi_assets_tests.gcp.project import GcpProject
from taxi_assets_tests.project import FEBRUARY, GREEN
from taxi_assets_tests.test_removing_the_sample import remove_sample


def test_only_the_sample_is_removed(project: GcpProject) -> None:
    project.address = "sample"
    assert project.run("2019-01...2019-02", checks=False).success
    other = GcpProject(project.folder, project.emulators, names=(project.bucket, project.dataset))
    other.put(made_trips(GREEN, FEBRUARY, 30), FEBRUARY)
    assert other.run("2019-02", checks=False).success
    assert remove_sample(project).success
    assert project.query("SELECT file_month, COUNT(*) FROM green_tripdata GROUP BY file_month") == [
        (FEBRUARY.first_day, 30)
    ]
    assert project.tables() == {"green_tripdata": "TABLE", "green_tripdata_2019_02": "VIEW"}
