"""Makes every broken mapping file an import error in Airflow, and leaves the good districts' DAGs alone."""

from passback.dag import refuse_broken_mappings

refuse_broken_mappings()
