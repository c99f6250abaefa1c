"""How every benchmark measures: medians of several runs, the peak of memory with children, one JSON line at the end."""

from __future__ import annotations

import json
import statistics
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import psutil

SAMPLE_SECONDS = 0.1


@dataclass(frozen=True)
class Measured:
    """`peak_mb` is the most resident memory of this process and its children, seen every 100 ms."""

    seconds: float
    peak_mb: float


def measure(work: Callable[[], object]) -> Measured:
    done = threading.Event()
    peak = [0.0]

    def watch() -> None:
        while not done.is_set():
            peak[0] = max(peak[0], _resident_mb())
            done.wait(SAMPLE_SECONDS)

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    began = time.perf_counter()
    try:
        work()
    finally:
        seconds = time.perf_counter() - began
        done.set()
        watcher.join()
    return Measured(seconds, max(peak[0], _resident_mb()))


def median_seconds(runs: list[Measured]) -> float:
    return statistics.median(run.seconds for run in runs)


def result_line(bench: str, rows: int, ours: list[Measured], limit: list[Measured], peers: Mapping[str, float]) -> str:
    """The line a benchmark ends with (ARCHITECTURE, "Benchmarks"); seconds are medians, peers' too."""
    seconds, limit_seconds = median_seconds(ours), median_seconds(limit)
    return json.dumps(
        {
            "bench": bench,
            "rows": rows,
            "seconds": round(seconds, 3),
            "limit_seconds": round(limit_seconds, 3),
            "ratio": round(seconds / limit_seconds, 3),
            "rows_per_s": round(rows / seconds),
            "peak_mb": round(max(run.peak_mb for run in ours)),
            "runs": len(ours),
            "peers": {name: round(value, 3) for name, value in peers.items()},
        }
    )


def _resident_mb() -> float:
    total = 0
    for process in (me := psutil.Process(), *me.children(recursive=True)):
        try:
            total += process.memory_info().rss
        except psutil.NoSuchProcess:
            continue
    return total / (1 << 20)
