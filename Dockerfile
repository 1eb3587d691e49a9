# One image for code server, webserver and daemon.
FROM python:3.11.13-slim-bookworm

ENV PYTHONUNBUFFERED=1 PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore
WORKDIR /app
# On Kubernetes with the launcher of deploy/helm: --build-arg EXTRAS=ui,server,kubernetes
ARG EXTRAS=ui,server

# The libraries are a layer of their own, which only other versions renew: pip sees a package without content here.
COPY pyproject.toml constraints.txt ./
RUN mkdir taxi_assets && touch taxi_assets/__init__.py README.md LICENSE \
    && pip install --constraint constraints.txt --editable ".[${EXTRAS}]"

COPY README.md LICENSE ./
COPY deploy deploy
COPY taxi_assets taxi_assets

# Volumes take over the owner of the folders that they are mounted on.
RUN useradd --system --uid 10001 --no-create-home taxi \
    && mkdir --parents /opt/dagster/storage /var/lib/taxi \
    && cp deploy/dagster.yaml /opt/dagster/ \
    && chown --recursive taxi /opt/dagster /var/lib/taxi
ENV DAGSTER_HOME=/opt/dagster TAXI_HOME=/var/lib/taxi
USER taxi
