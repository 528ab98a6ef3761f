"""One Airflow DAG for every good mapping file in include/mappings/."""

from passback.dag import district_dags

globals().update(district_dags())
