"""One night of one province, loaded, unified and published: what tampering, explaining and sweeping are tried on."""

from __future__ import annotations

from dataclasses import dataclass, replace

from hub.errors import FixConnection
from hub.settings import Connection, ConnectionSource
from pipeline import Hub, run_cycle, run_feed, unify
from simulator import billing
from simulator.world import DEFAULT_DIRT
from tests.e2e.conftest import BuildRig
from tests.e2e.spoilt import NIGHT, state_of
from tests.e2e.world import Rig

# Often enough wrong that a world of sixty customers has some of everything.
DIRT = replace(DEFAULT_DIRT, invoice_differs=0.02, terminated_billed=0.004, account_mapped_elsewhere=0.03)


@dataclass(frozen=True)
class Published:
    """`hub` shows its second publication; the first names one batch less."""

    rig: Rig
    hub: Hub


def publish_twice(build_rig: BuildRig) -> Published:
    """The night, and once more after billing sent its accounts again with one amount changed. `js` never comes."""
    rig = build_rig(customers=60, dirt=DIRT)
    rig.play(NIGHT)
    hub = rig.new_hub()
    hub = replace(hub, connections=_only_gd(hub.connections))
    first = run_cycle(hub, NIGHT).unify
    assert first.publication_id is not None, first.reason
    drop = rig.simulation.drop_directory("gd")
    account = str(state_of(hub.engine, "billing.account", "gd")[0][0])
    amend = {"01001": {account: {"arrears_fen": 4_242}}}
    billing.drop(rig.world, NIGHT, "gd", drop, resend=1, units=["01001", "00000"], amend=amend)
    run_feed(hub, "billing.account", "gd", NIGHT)
    second = unify(hub, NIGHT)
    assert second.publication_id is not None, second.reason
    return Published(rig, hub)


def _only_gd(connections: ConnectionSource) -> ConnectionSource:
    def find(conn_id: str) -> Connection:
        if conn_id.endswith("_js"):
            raise FixConnection(f"no connection {conn_id}", conn_id=conn_id)
        return connections(conn_id)

    return find
