# One image for code server, webserver and daemon.
FROM python:3.11.13-slim-bookworm

ENV PYTHONUNBUFFERED=1 PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore
WORKDIR /app
# For Kubernetes (deploy/helm), build with --build-arg EXTRAS=ui,server,kubernetes
ARG EXTRAS=ui,server
# With --build-arg DBT=yes, dbt's models are in the asset graph; the image is some 800 MB larger.
ARG DBT=no

# The libraries are a layer of their own, built again only if their versions change: here pip sees an empty package.
COPY pyproject.toml constraints.txt ./
RUN mkdir taxi_assets && touch taxi_assets/__init__.py README.md LICENSE \
    && pip install --constraint constraints.txt --editable ".[${EXTRAS}$([ "${DBT}" = yes ] && echo ,dbt)]"
COPY dbt/constraints.txt dbt/
RUN if [ "${DBT}" = yes ]; then python -m venv .venv-dbt && .venv-dbt/bin/pip install \
    --constraint dbt/constraints.txt dbt-core dbt-duckdb dbt-postgres dbt-bigquery; fi

COPY README.md LICENSE ./
COPY deploy deploy
COPY dbt dbt
COPY taxi_assets taxi_assets

# A new volume takes the owner of the folder that it is mounted on.
RUN useradd --system --uid 10001 --no-create-home taxi \
    && mkdir --parents /opt/dagster/storage /var/lib/taxi \
    && cp deploy/dagster.yaml /opt/dagster/ \
    && chown --recursive taxi /opt/dagster /var/lib/taxi
ENV DAGSTER_HOME=/opt/dagster TAXI_HOME=/var/lib/taxi
USER taxi
