#!/bin/sh
# Run once by the image, when the cluster is new: makes an ordinary role and the database that it owns. The superuser
# keeps no password, so it can be used only through the server's own socket: a leaked password of the database gives
# no access to the server's files and programs.
set -eu
psql --username "$POSTGRES_USER" --dbname postgres --set ON_ERROR_STOP=1 \
  --set owner="$DATABASE_OWNER" --set password="$DATABASE_PASSWORD" --set database="$DATABASE_NAME" <<'SQL'
CREATE ROLE :"owner" LOGIN PASSWORD :'password';
CREATE DATABASE :"database" OWNER :"owner";
ALTER ROLE CURRENT_USER PASSWORD NULL;
SQL
