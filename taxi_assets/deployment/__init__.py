"""What Docker Compose and `make up` need of the package: a run launcher and a storage, named in deploy/dagster.yaml."""
