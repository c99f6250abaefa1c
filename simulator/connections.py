"""How the simulated systems are reached, as the values of Airflow's `AIRFLOW_CONN_*` variables (docs/interfaces.md)."""

from __future__ import annotations

import json
import random
import secrets
import string
from collections.abc import Mapping
from pathlib import Path

from sqlalchemy.engine import URL

from simulator.servers.tokens import Login

_LETTERS = string.ascii_letters + string.digits
_PASSWORD_LENGTH = 24


def variable(system: str, province: str) -> str:
    return f"AIRFLOW_CONN_BSS_{system}_{province}".upper()


def make_login(system: str, province: str, seed: int | None) -> Login:
    """A new password each start, or the same for the same seed (an environment whose connections are written down)."""
    chooser = secrets.SystemRandom() if seed is None else random.Random(f"{seed}|{system}|{province}")
    return Login(f"hub-{system}-{province}", "".join(chooser.choices(_LETTERS, k=_PASSWORD_LENGTH)))


def directory(path: Path) -> str:
    return _pack(conn_type="file", schema=str(path.resolve()))


def sftp(host: str, port: int, login: Login, path: str, host_key: str) -> str:
    extra = {"host_key": host_key}
    return _pack(conn_type="sftp", host=host, port=port, login=login.name, password=login.password, schema=path, extra=extra)


def http(host: str, port: int, login: Login, province: str) -> str:
    extra = {"prefix": f"/{province}"}
    return _pack(conn_type="http", host=host, port=port, login=login.name, password=login.password, extra=extra)


def database(url: URL) -> str:
    return _pack(
        conn_type=url.drivername,
        host=url.host,
        port=url.port,
        login=url.username,
        password=url.password,
        schema=url.database,
        extra=dict(url.query),
    )


def _pack(*, extra: Mapping[str, object] | None = None, **fields: object) -> str:
    given = {name: value for name, value in {**fields, "extra": extra}.items() if value}
    return json.dumps(given, ensure_ascii=False)
