"""Where a batch is staged on this machine, and staging it from landing: a worker may lose its disk, the batch is made again."""

from __future__ import annotations

from itertools import accumulate
from pathlib import Path

import duckdb

from adapters.staging import Staged, stage
from pipeline.hub import Hub
from quality import Verdict, judge
from store.ledger import Batch
from store.staged import StagedRows

STAGED_GLOB = "rows-*.parquet"


def workspace(hub: Hub, batch_id: int) -> Path:
    """The batch's own folder; whatever it holds can be made again."""
    return hub.settings.stage_dir / str(batch_id)


def stage_batch(hub: Hub, batch: Batch, out: Path) -> Staged:
    """The batch's landed bytes as typed Parquet under `out`."""
    objects = [hub.landing.get(item) for item in batch.delivery.objects]
    return stage(batch.contract, batch.period, batch.delivery.layout, objects, out)


def judge_batch(hub: Hub, batch: Batch, out: Path) -> tuple[Staged, Verdict]:
    """Stages the batch and judges it. A function of the landed bytes and the contract alone."""
    staged = stage_batch(hub, batch, out / "rows")
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
