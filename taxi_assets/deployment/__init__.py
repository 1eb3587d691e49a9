"""What Docker Compose and Kubernetes need of the package: Dagster's run launcher and storage, named in deploy/."""
