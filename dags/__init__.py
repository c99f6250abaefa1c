"""Airflow wiring over `pipeline/`: when what runs, what is retried, what follows what. The only room that imports airflow."""
