"""The services of docker-compose.yml as processes of this machine: ``make up``, ``make down`` and ``make status``.

Their settings are read from docker-compose.yml itself, so that they are written once.
"""
