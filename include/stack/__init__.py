"""A whole Passback on one machine: PostgreSQL, the sandbox and Airflow, without Docker and as any user."""
