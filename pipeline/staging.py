"""Where a batch is staged on this machine, and staging it from landing: a worker may lose its disk, the batch is made again.

Files and a database's extract are staged while they land, aside, for the gate to take.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import accumulate
from pathlib import Path

import duckdb
import pyarrow as pa

from adapters.feeds import feed_of
from adapters.protocol import LandingSink
from adapters.staging import STAGED_GLOB, Staged, StagingSink, stage, sweep, take
from hub.program import program_digest
from pipeline.hub import Hub
from quality import Verdict, judge
from schemas.batch import Layout
from schemas.contract import Contract
from store.ledger import Batch
from store.staged import StagedRows

_PROGRAM = f"{program_digest('adapters', 'hub', 'schemas')}{sys.version}{duckdb.__version__}{pa.__version__}"


def workspace(hub: Hub, batch_id: int) -> Path:
    """The batch's own folder; whatever it holds can be made again."""
    return hub.settings.stage_dir / str(batch_id)


def stage_batch(hub: Hub, batch: Batch, out: Path) -> Staged:
    """The batch's landed bytes as typed Parquet under `out`."""
    objects = [hub.landing.get(item) for item in batch.delivery.objects]
    return stage(batch.contract, batch.period, batch.delivery.layout, objects, out)


@contextmanager
def staging_ahead(hub: Hub, contract: Contract, province: str, period: str) -> Iterator[LandingSink]:
    """Where this feed's bytes are to land. What is staged meanwhile is kept for the gate, unless the block fails."""
    sweep(_ahead(hub))
    layout = feed_of(contract.feed_id).layout
    sink = StagingSink(hub.landing, contract, period, layout, _ahead(hub), ahead_key(contract, layout, province, period))
    try:
        yield sink
    except BaseException:
        sink.forget()
        raise


def _ahead(hub: Hub) -> Path:
    return hub.settings.stage_dir / "ahead"


def ahead_key(contract: Contract, layout: Layout, province: str, period: str) -> str:
    """This program's: what another one staged, whose contracts or types may differ, no gate takes."""
    return f"{contract.feed_id}-{layout}-{province}-{period}-{hashlib.sha256(_PROGRAM.encode()).hexdigest()[:16]}"


def _taken_ahead(hub: Hub, batch: Batch, rows: Path) -> Staged | None:
    key = ahead_key(batch.contract, batch.delivery.layout, batch.province, batch.period)
    return take(_ahead(hub), key, batch.delivery.objects, rows)


def judge_batch(hub: Hub, batch: Batch, out: Path) -> tuple[Staged, Verdict]:
    """Stages the batch, or takes what was staged of the same bytes while they landed, and judges it. A function of the landed
    bytes and the contract alone."""
    out.mkdir(parents=True, exist_ok=True, mode=0o700)  # people's values, for their owner alone
    staged = _taken_ahead(hub, batch, out / "rows") or stage_batch(hub, batch, out / "rows")
    return staged, judge(batch.contract, batch.period, staged, batch.delivery, out / "gate")


def staged_rows(hub: Hub, batch: Batch) -> StagedRows:
    """What the gate left for the load; made again where this machine no longer has it."""
    out = workspace(hub, batch.batch_id)
    done = out / "judged"
    if not done.exists():
        judge_batch(hub, batch, out)
        done.touch()
    return StagedRows(rows=str(out / "rows" / STAGED_GLOB), verdict=out / "gate" / "verdict.parquet")


def object_ends(staged: Staged, objects: int) -> list[int]:
    """The last row number of each of the batch's objects; an object without rows ends where the one before it does."""
    files = [str(path) for path in staged.files]
    last = dict(duckdb.execute("select _object, max(_row_no) from read_parquet(?) group by 1", [files]).fetchall())
    return list(accumulate((last.get(number, 0) for number in range(objects)), max))
