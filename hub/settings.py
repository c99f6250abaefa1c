"""Where things are, read from the environment once, when asked."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qsl, unquote, urlsplit

from pydantic import SecretStr

from hub.errors import FixConnection


@dataclass(frozen=True)
class Connection:
    """How a source is reached. The same facts an Airflow Connection holds; the password is declared secret."""

    conn_id: str
    conn_type: str
    host: str = ""
    port: int | None = None
    login: str = ""
    password: SecretStr = field(default_factory=lambda: SecretStr(""))
    schema: str = ""
    extra: dict[str, object] = field(default_factory=dict, repr=False)

    def __str__(self) -> str:
        where = f"{self.host}:{self.port}" if self.port else self.host
        return f"{self.conn_id} ({self.conn_type}://{where})"


ConnectionSource = Callable[[str], Connection]


@dataclass(frozen=True)
class Settings:
    """`home` holds everything the hub writes beside the store; `store_url` None means the embedded server. `four_eyes`: a
    steward's decision waits for a second person's yes. `spark`: the URL of the Spark master that weighs pairs of records; None
    means DuckDB, in the task's own process."""

    home: Path
    store_url: str | None
    landing_url: str
    four_eyes: bool = False
    spark: str | None = None

    @property
    def stage_dir(self) -> Path:
        """Staged Parquet; rebuilt from landing at will, so a worker may lose it."""
        return self.home / "stage"

    @property
    def docs_dir(self) -> Path:
        """Great Expectations results and Data Docs, by batch."""
        return self.home / "gx"

    @property
    def report_dir(self) -> Path:
        return self.home / "report"


def settings() -> Settings:
    home = Path(os.environ.get("BSSHUB_HOME") or ".bsshub").resolve()
    landing = os.environ.get("BSSHUB_LANDING_URL") or (home / "landing").as_uri()
    store = os.environ.get("BSSHUB_STORE_URL") or None
    return Settings(home, store, landing, _switched_on("BSSHUB_FOUR_EYES"), _spark_master("BSSHUB_SPARK"))


def _switched_on(name: str) -> bool:
    """Raises FixConnection for a word that is neither yes nor no: a safeguard must not be off by a slip of the pen."""
    word = os.environ.get(name, "").strip().lower()
    if word not in {"", "0", "no", "off", "false", "1", "yes", "on", "true"}:
        raise FixConnection(f"{name} is {word!r}; allowed: 1, yes, on, true, 0, no, off, false")
    return word in {"1", "yes", "on", "true"}


def _spark_master(name: str) -> str | None:
    """Raises FixConnection for what no Spark master is called (Spark's documentation, "Master URLs")."""
    master = os.environ.get(name, "").strip()
    if master and not re.fullmatch(r"local(\[[\d*,\s]+\])?|yarn|(spark|k8s)://\S+", master):
        raise FixConnection(f"{name} is {master!r}; allowed: local[N], spark://HOST:PORT, yarn, k8s://…, or unset for DuckDB")
    return master or None


def connection_id(system: str, province: str) -> str:
    return f"bss_{system}_{province}"


def environment_connection(conn_id: str) -> Connection:
    """The `AIRFLOW_CONN_*` variable, as a URI or JSON (Airflow's own two forms). Raises FixConnection where it is missing."""
    name = f"AIRFLOW_CONN_{conn_id.upper()}"
    text = os.environ.get(name)
    if not text:
        raise FixConnection(f"no connection {conn_id}: set {name}, or define it in Airflow", conn_id=conn_id)
    try:
        return _from_json(conn_id, text) if text.lstrip().startswith("{") else _from_uri(conn_id, text)
    except (ValueError, TypeError):
        # The text holds a password, so neither it nor the parser's message may be shown.
        raise FixConnection(f"{name} is neither a connection URI nor its JSON form", conn_id=conn_id) from None


def _from_json(conn_id: str, text: str) -> Connection:
    data = json.loads(text)
    extra = data.get("extra") or {}
    return Connection(
        conn_id=conn_id,
        conn_type=data.get("conn_type", ""),
        host=data.get("host") or "",
        port=int(data["port"]) if data.get("port") else None,
        login=data.get("login") or "",
        password=SecretStr(data.get("password") or ""),
        schema=data.get("schema") or "",
        extra=json.loads(extra) if isinstance(extra, str) else dict(extra),
    )


def _from_uri(conn_id: str, text: str) -> Connection:
    parts = urlsplit(text)
    query: dict[str, object] = dict(parse_qsl(parts.query))
    packed = query.pop("__extra__", None)
    extra = json.loads(str(packed)) if packed else query
    path = unquote(parts.path)
    return Connection(
        conn_id=conn_id,
        conn_type=parts.scheme.replace("-", "_"),
        host=unquote(parts.hostname or ""),
        port=parts.port,
        login=unquote(parts.username or ""),
        password=SecretStr(unquote(parts.password or "")),
        schema=path if parts.scheme in {"file", "sftp"} else path.lstrip("/"),
        extra=extra,
    )
