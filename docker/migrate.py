"""Makes the databases of the compose world and brings the store to its newest shape."""

import os

from pipeline import open_hub
from store.server import ensure_databases

ensure_databases(os.environ["BSSHUB_STORE_URL"], ["airflow", "orders_gd", "orders_js"])
with open_hub():
    pass
