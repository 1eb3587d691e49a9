"""The processes of docker-compose.yml on this machine without containers: ``make up``, ``make down``, ``make status``.

The settings are read from docker-compose.yml itself, so that there is one place for them.
"""
