"""All source systems of one world, running."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

from sqlalchemy.engine import URL, make_url

from simulator import billing, connections, orders
from simulator.charges import billed_month
from simulator.servers.faults import Fault, FaultBoard
from simulator.servers.proxy import DatabaseProxy
from simulator.servers.rest import CrmServer
from simulator.servers.rudeness import Rudeness
from simulator.servers.sftp import SftpServer
from simulator.servers.soap import GroupServer
from simulator.world import PROVINCES, World

DROP = "drop"
LOOPBACK = "127.0.0.1"


class _Server(Protocol):
    def start(self) -> None: ...
    def stop(self) -> None: ...


class Simulation:
    """Billing `gd` is the directory `home/drop/gd`, `js` an SFTP server over `home/sftp`; CRM and group are HTTP servers; orders
    are the databases of `orders_urls` (province → SQLAlchemy URL; they must exist), reached through a proxy that can drop them.

    Nothing is to be seen before the first `play`. `bind` and `advertise` are for containers: the address listened on, and the
    name by which others reach it. `secret_seed` None makes new passwords each time.
    """

    def __init__(
        self,
        home: Path,
        world: World,
        orders_urls: Mapping[str, str],
        rudeness: Rudeness | None = None,
        *,
        bind: str = LOOPBACK,
        advertise: str = LOOPBACK,
        secret_seed: int | None = None,
    ) -> None:
        rudeness = Rudeness(seed=world.seed) if rudeness is None else rudeness
        self._world = world
        self._orders_urls = dict(orders_urls)
        self._advertise = advertise
        self._playing = threading.Lock()
        self._nights: list[str] = []
        self._months_billed: set[str] = set()
        self._drops = {"gd": home / DROP / "gd", "js": home / "sftp" / DROP}
        for drop in self._drops.values():
            drop.mkdir(parents=True, exist_ok=True)
        logins = {
            system: {province: connections.make_login(system, province, secret_seed) for province in PROVINCES}
            for system in ("billing", "crm", "group")
        }
        self._logins = logins
        self._board = FaultBoard()
        self._sftp = SftpServer(self._drops["js"].parent, logins["billing"]["js"], self._board, bind=bind)
        self._crm = CrmServer(world, logins["crm"], rudeness, self._board, bind=bind)
        self._group = GroupServer(world, logins["group"], rudeness, self._board, bind=bind)
        self._proxies = {
            province: DatabaseProxy(url, self._board, province=province, bind=bind)
            for province, url in self._orders_urls.items()
            if _has_address(make_url(url))
        }
        self._running = ExitStack()

    def start(self) -> None:
        """Raises whatever kept a server from starting; those that had started are stopped."""
        with ExitStack() as starting:
            servers: list[_Server] = [self._sftp, self._crm, self._group, *self._proxies.values()]
            for server in servers:
                starting.callback(server.stop)
                server.start()
            self._running = starting.pop_all()

    def stop(self) -> None:
        self._running.close()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.stop()

    @property
    def nights(self) -> tuple[str, ...]:
        """Played so far, in the order played."""
        return tuple(self._nights)

    def drop_directory(self, province: str) -> Path:
        """Where billing's files of a province lie, for tests that spoil or replace one."""
        return self._drops[province]

    def play(self, night: str) -> None:
        """Every system as it is at the end of `night` (YYYYMMDD): files dropped, database, REST and SOAP moved on.

        Bills of a month come on their due night; where that night was not played, with the first one played after it.
        """
        with self._playing:
            month = billed_month(night)
            overdue = month not in self._months_billed and billing.due_night(month) != night
            for province, drop in self._drops.items():
                if overdue:
                    billing.deliver_month(self._world, month, province, drop)
                billing.drop(self._world, night, province, drop)
            self._months_billed.add(month)
            for province, url in self._orders_urls.items():
                orders.apply(self._world, night, province, url)
            self._crm.show(night)
            self._group.show(night)
            self._nights.append(night)

    def fault(self, fault: Fault) -> int:
        """Puts a scripted fault in force; the number given is for `struck`."""
        return self._board.add(fault)

    def struck(self, number: int) -> int:
        return self._board.struck(number)

    def clear_faults(self) -> None:
        self._board.clear()

    def connections(self) -> dict[str, str]:
        """`AIRFLOW_CONN_BSS_<SYSTEM>_<PROVINCE>` → its value in Airflow's JSON form. Holds passwords. Needs `start`."""
        found = {
            connections.variable("billing", "gd"): connections.directory(self._drops["gd"]),
            connections.variable("billing", "js"): connections.sftp(
                self._advertise, self._sftp.port, self._logins["billing"]["js"], f"/{DROP}", self._sftp.host_key
            ),
        }
        for system, server in (("crm", self._crm), ("group", self._group)):
            for province, login in self._logins[system].items():
                packed = connections.http(self._advertise, server.port, login, province)
                found[connections.variable(system, province)] = packed
        for province in self._orders_urls:
            found[connections.variable("orders", province)] = connections.database(self._orders_url(province))
        return found

    def _orders_url(self, province: str) -> URL:
        if province in self._proxies:
            return self._proxies[province].proxied(self._advertise)
        return make_url(self._orders_urls[province])


def _has_address(url: URL) -> bool:
    """A file database (SQLite) has none, and is reached directly."""
    return bool(url.host or url.query.get("host"))
