"""What Docker Compose and `make up` need of the package; deploy/dagster.yaml and docker-compose.yml name it."""
