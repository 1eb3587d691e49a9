"""Sample months are known in PostgreSQL, and are removed without anything else."""

from __future__ import annotations

from pathlib import Path

from taxi_assets.assets.origins import sample_months
from taxi_assets_tests.csv_files import made_trips
from taxi_assets_tests.postgres.project import PostgresProject
from taxi_assets_tests.project import FEBRUARY, GREEN, JANUARY
from taxi_assets_tests.test_removing_the_sample import remove_sample


def test_a_month_is_a_sample_month_until_other_rows_are_merged_or_it_is_removed(
    tmp_path: Path, server_url: str, schema: str
):
    project = PostgresProject(tmp_path, server_url, schema, address="sample")
    assert project.run("2019-01...2019-02", checks=False).success
    project.put(made_trips(GREEN, JANUARY, 20))
    project.address = str(project.source)
    assert project.run("2019-01", checks=False).success
    assert set(sample_months(project.instance, project.kind, GREEN)) == {FEBRUARY}
    january = project.rows("green_tripdata_2019_01")
    assert remove_sample(project).success
    assert project.rows("green_tripdata") == january
    assert "green_tripdata_2019_02" not in project.tables()
    assert sample_months(project.instance, project.kind, GREEN) == {}
