"""All source systems together, reached only by the connections they give."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import paramiko
import psycopg
import pytest
import requests
from sqlalchemy import create_engine, text
from sqlalchemy.engine import URL
from sqlalchemy.exc import OperationalError

from hub.settings import environment_connection
from simulator.servers.faults import Fault, FaultKind
from simulator.servers.rudeness import Rudeness
from simulator.simulation import Simulation
from simulator.world import BASE_NIGHT, FIRST_NIGHT, PROVINCES, World

pytestmark = pytest.mark.postgres


@pytest.fixture(scope="module")
def world() -> World:
    return World(seed=7, customers=60)


@pytest.fixture(scope="module")
def simulation(tmp_path_factory: pytest.TempPathFactory, world: World, new_database: Callable[..., str]) -> Iterator[Simulation]:
    urls = {province: new_database() for province in PROVINCES}
    with Simulation(tmp_path_factory.mktemp("sim"), world, urls, Rudeness.none()) as running:
        running.play(BASE_NIGHT)
        yield running


def connection(simulation: Simulation, system: str, province: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(simulation.connections()[f"AIRFLOW_CONN_BSS_{system}_{province}".upper()])
    return found


def test_the_hub_and_airflow_read_every_connection(simulation: Simulation, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in simulation.connections().items():
        monkeypatch.setenv(name, value)
    systems = ("billing", "orders", "crm", "group")
    read = {(s, p): environment_connection(f"bss_{s}_{p}") for s in systems for p in PROVINCES}
    assert {found.conn_type for found in read.values()} == {"file", "sftp", "postgresql+psycopg", "http"}
    assert read["crm", "js"].extra == {"prefix": "/js"}
    assert Path(read["billing", "gd"].schema) == simulation.drop_directory("gd")
    assert read["billing", "js"].schema == "/drop"


def test_files_are_dropped_in_the_directory_and_over_sftp(simulation: Simulation) -> None:
    names = [path.name for path in simulation.drop_directory("gd").iterdir()]
    found = connection(simulation, "billing", "js")
    kind, body = found["extra"]["host_key"].split()
    with paramiko.Transport((found["host"], found["port"])) as transport:
        host_key = paramiko.PKey.from_type_string(kind, base64.b64decode(body))
        transport.connect(hostkey=host_key, username=found["login"], password=found["password"])
        sftp = paramiko.SFTPClient.from_transport(transport)
        assert sftp is not None
        remote = sftp.listdir(found["schema"])
    assert {f"i_gd_{BASE_NIGHT}_01001_00_001.dat", f"i_gd_{BASE_NIGHT}_01001_00_001.verf"} <= set(names)
    assert {name.replace("_gd_", "_js_") for name in names} == set(remote)
    assert "i_gd_202602_01003_00_001.dat" in names, "the last month's bills are there on the first night"


@pytest.mark.parametrize("province", PROVINCES)
def test_crm_shows_the_world(simulation: Simulation, world: World, province: str) -> None:
    found = connection(simulation, "crm", province)
    base = f"http://{found['host']}:{found['port']}{found['extra']['prefix']}"
    with requests.Session() as session:
        session.trust_env = False
        grant = session.post(
            f"{base}/oauth/token",
            data={"grant_type": "client_credentials"},
            auth=(found["login"], found["password"]),
            timeout=20,
        ).json()
        session.headers["Authorization"] = f"Bearer {grant['access_token']}"
        for resource, feed in {"customers": "customer", "product-instances": "product_instance", "resources": "resource"}.items():
            page = session.get(f"{base}/api/v1/{resource}", params={"limit": "500"}, timeout=20).json()
            rows = world.rows(f"crm.{feed}", province, BASE_NIGHT)
            assert page["total"] == len(rows) > 0
            assert page["data"] == rows[:500]


def orders_url(simulation: Simulation, province: str) -> URL:
    found = connection(simulation, "orders", province)
    return URL.create(
        found["conn_type"],
        username=found.get("login"),
        password=found.get("password"),
        host=found["host"],
        port=found["port"],
        database=found["schema"],
    )


def test_orders_are_read_through_the_proxy_which_can_break(simulation: Simulation, world: World) -> None:
    engine = create_engine(orders_url(simulation, "gd"), connect_args={"connect_timeout": 20})
    count, rows = text("select count(*) from t_product_order"), text("select * from t_product_order")
    try:
        with engine.connect() as database:
            assert database.execute(count).scalar_one() == len(world.rows("orders.product_order", "gd", BASE_NIGHT)) > 0
            number = simulation.fault(Fault(FaultKind.DROP_CONNECTION, "orders", "gd", after_bytes=1))
            with pytest.raises(OperationalError):
                database.execute(rows)
        assert simulation.struck(number) == 1
        with engine.connect() as database:
            assert len(database.execute(rows).all()) == len(world.rows("orders.product_order", "gd", BASE_NIGHT))
    finally:
        engine.dispose()


def test_a_second_start_has_other_passwords_unless_seeded(tmp_path: Path, world: World) -> None:
    def passwords(seed: int | None) -> set[str]:
        with Simulation(tmp_path, world, {}, secret_seed=seed) as simulation:
            return {json.loads(value).get("password", "") for value in simulation.connections().values()}

    assert passwords(5) == passwords(5)
    assert passwords(None) & passwords(None) == {""}
    assert len(passwords(5)) == 6  # billing js, two of crm, two of group, and the directory's none


def test_nothing_listens_after_the_end(tmp_path: Path, world: World, new_database: Callable[..., str]) -> None:
    with Simulation(tmp_path, world, {"gd": new_database()}, Rudeness.none()) as simulation:
        crm, url = connection(simulation, "crm", "gd"), orders_url(simulation, "gd")
    with pytest.raises(requests.exceptions.ConnectionError):
        requests.get(f"http://127.0.0.1:{crm['port']}/gd/api/v1/customers", timeout=5)
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(url.set(drivername="postgresql").render_as_string(hide_password=False), connect_timeout=5)


def test_nights_move_every_system_on(tmp_path: Path, world: World, new_database: Callable[..., str]) -> None:
    with Simulation(tmp_path, world, {"js": new_database()}, Rudeness.none()) as simulation:
        simulation.play(FIRST_NIGHT)
        before = {path.name for path in simulation.drop_directory("js").iterdir()}
        simulation.play(BASE_NIGHT)
        after = {path.name for path in simulation.drop_directory("js").iterdir()}
        assert simulation.nights == (FIRST_NIGHT, BASE_NIGHT)
    assert before < after
    assert any(BASE_NIGHT in name for name in after - before)
    assert {name.split("_")[2] for name in before} == {"202601", FIRST_NIGHT}
    assert {name.split("_")[2] for name in after - before} == {"202602", BASE_NIGHT}
