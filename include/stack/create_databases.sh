# Runs once, in a new database container: a role and a database for Airflow, another for the ledger.
set -eu
psql -v ON_ERROR_STOP=1 -v airflow="$AIRFLOW_DATABASE_PASSWORD" -v ledger="$LEDGER_PASSWORD" \
    --username postgres --dbname postgres <<'SQL'
CREATE ROLE airflow LOGIN PASSWORD :'airflow';
CREATE DATABASE airflow OWNER airflow ENCODING 'UTF8' LC_COLLATE 'C' LC_CTYPE 'C.UTF-8' TEMPLATE template0;
CREATE ROLE passback LOGIN PASSWORD :'ledger';
CREATE DATABASE passback OWNER passback ENCODING 'UTF8' LC_COLLATE 'C' LC_CTYPE 'C.UTF-8' TEMPLATE template0;
SQL
