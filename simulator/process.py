"""A simulation as a process of its own: `python -m simulator.process --home DIR --night YYYYMMDD …`.

Ready when `HOME/simulation.json` exists (mode 0600, since it holds passwords; written whole, removed at the end):
`{"connections": {"AIRFLOW_CONN_…": "…"}, "control_url", "nights", "truth", "pid"}`. Ends cleanly on SIGTERM and SIGINT.

Control, on loopback: `GET /health`; `POST /night/YYYYMMDD` plays a night and answers when it is played; `POST /fault` with the
fields of `simulator.servers.faults.Fault` answers `{"number"}`; `GET /fault/NUMBER` answers `{"struck"}`; `DELETE /faults`.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import signal
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from simulator import truth
from simulator.dirt import DirtRates
from simulator.servers.faults import Fault
from simulator.servers.rudeness import Rudeness
from simulator.servers.web import Reply, Request, WebServer
from simulator.simulation import LOOPBACK, Simulation
from simulator.world import PROVINCES, World

READY_FILE = "simulation.json"
DIRT = {"default": DirtRates(), "clean": DirtRates.clean(), "tripled": DirtRates().tripled()}
PARENT_POLL_S = 1.0

log = logging.getLogger("simulator")


class Stage:
    """A running simulation with the truth beside it."""

    def __init__(self, simulation: Simulation, world: World, truth_directory: Path, *, truth_rows: bool) -> None:
        self.simulation = simulation
        self.truth_directory = truth_directory
        self._world = world
        self._truth_rows = truth_rows
        self._playing = threading.Lock()

    def play(self, night: str) -> None:
        with self._playing:
            self.simulation.play(night)
            nights = sorted(set(self.simulation.nights))
            truth.write_truth(self._world, nights, self.truth_directory, rows=self._truth_rows)

    def control(self, request: Request) -> Reply:
        match (request.method, *request.path.strip("/").split("/")):
            case ("GET", "health"):
                return _json(200, {"state": "ready", "nights": self.simulation.nights})
            case ("POST", "night", night) if len(night) == 8 and night.isdecimal():
                self.play(night)
                return _json(200, {"nights": self.simulation.nights})
            case ("POST", "fault"):
                return self._fault(request.body)
            case ("GET", "fault", number) if number.isdecimal():
                return self._struck(int(number))
            case ("DELETE", "faults"):
                self.simulation.clear_faults()
                return _json(200, {})
        return _json(404, {"error": "GET /health, POST /night/YYYYMMDD, POST /fault, GET /fault/NUMBER, DELETE /faults"})

    def _fault(self, body: bytes) -> Reply:
        try:
            fault = Fault.parse(json.loads(body))
        except ValueError as error:
            return _json(400, {"error": str(error)})
        return _json(200, {"number": self.simulation.fault(fault)})

    def _struck(self, number: int) -> Reply:
        try:
            return _json(200, {"struck": self.simulation.struck(number)})
        except KeyError:
            return _json(404, {"error": f"no fault {number} in force"})


def main(arguments: Sequence[str] | None = None) -> int:
    options = _parse(arguments)
    parent = os.getppid() if options.with_parent else None
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr)
    ending = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ending.set())
    options.home.mkdir(parents=True, exist_ok=True, mode=0o700)
    ready = options.home / READY_FILE
    ready.unlink(missing_ok=True)
    world = World(seed=options.seed, customers=options.customers, dirt=DIRT[options.dirt])
    rudeness = Rudeness.none() if options.polite else Rudeness(seed=options.seed)
    urls = {province: url for province in PROVINCES if (url := getattr(options, f"orders_url_{province}"))}
    simulation = Simulation(
        options.home, world, urls, rudeness, bind=options.bind, advertise=options.advertise, secret_seed=options.secret_seed
    )
    with simulation:
        stage = Stage(simulation, world, options.home / "truth", truth_rows=options.truth_rows)
        for night in options.night:
            stage.play(night)
        with _control(stage, ready, options):
            _wait(ending, parent)
    return 0


@contextmanager
def _control(stage: Stage, ready: Path, options: argparse.Namespace) -> Iterator[None]:
    control = WebServer(stage.control, options.bind)
    control.start()
    try:
        facts = {
            "connections": stage.simulation.connections(),
            "control_url": f"http://{options.advertise}:{control.port}",
            "nights": stage.simulation.nights,
            "truth": str(stage.truth_directory.resolve()),
            "pid": os.getpid(),
        }
        _write_private(ready, json.dumps(facts, ensure_ascii=False, indent=1))
        yield
    finally:
        ready.unlink(missing_ok=True)
        control.stop()


def _wait(ending: threading.Event, parent: int | None) -> None:
    """Until told to end, or until the parent is gone (killed, it could not tell)."""
    while not ending.wait(PARENT_POLL_S if parent is not None else None):
        if os.getppid() != parent:
            return


def _write_private(path: Path, text: str) -> None:
    """Never half-written and never readable by others, not even for a moment."""
    draft = path.with_suffix(".tmp")
    draft.unlink(missing_ok=True)
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(text)
    draft.replace(path)


def _json(status: int, body: Mapping[str, Any]) -> Reply:
    return Reply(status, json.dumps(body, ensure_ascii=False).encode())


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="simulator.process", description="The simulated source systems, until SIGTERM.")
    parser.add_argument("--home", type=Path, required=True)
    parser.add_argument("--customers", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=20260305)
    parser.add_argument("--dirt", choices=sorted(DIRT), default="default")
    parser.add_argument("--night", action="append", default=[], metavar="YYYYMMDD", help="play it before being ready; repeatable")
    for province in PROVINCES:
        # The environment, too: a URL with a password does not belong in the list of processes.
        default = os.environ.get(f"SIMULATOR_ORDERS_URL_{province.upper()}")
        parser.add_argument(f"--orders-url-{province}", default=default, metavar="URL")
    parser.add_argument("--bind", default=LOOPBACK)
    parser.add_argument("--advertise", default=LOOPBACK, help="the name others reach this machine by")
    parser.add_argument("--secret-seed", type=int, help="the same passwords each start")
    parser.add_argument("--polite", action="store_true", help="no rate limits, errors or delays of the servers' own")
    parser.add_argument("--truth-rows", action="store_true", help="write the clean rows of every feed beside the truth; slow")
    parser.add_argument("--with-parent", action="store_true", help="end when the parent process has gone")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
