"""Tests of docker-compose.yml, and of the same processes without containers; those that need them share one set."""
