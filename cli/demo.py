"""`make demo` and `make up`: the world started, one night run in a real Airflow, and what came of it, told.

`python -m cli.demo [run|up]`; `run` is checked and stopped at the end, `up` stays until Ctrl-C.
"""

from __future__ import annotations

import hashlib
import json
import time
from dataclasses import asdict
from typing import Annotated

import typer

from cli.night import run_night
from cli.output import console, errors_told, show
from cli.summary import tell_night, tell_where_to_look
from cli.world import Say, Scene, World, ends_on_signal, running_world
from hub.errors import InvariantBroken
from hub.logging import configure
from hub.settings import settings
from pipeline import open_hub, verify_store, write_report
from store.checksums import checksums

app = typer.Typer(add_completion=False, no_args_is_help=True, pretty_exceptions_show_locals=False)
WATCH_SECONDS = 5.0

Customers = Annotated[int, typer.Option(help="Big customers of the simulated world.", min=10)]
Seed = Annotated[int, typer.Option(help="The same seed gives the same world.")]
Night = Annotated[str, typer.Option(help="The night to run, YYYYMMDD (Shanghai date).")]
Port = Annotated[int | None, typer.Option(help="Port of Airflow's UI; a free one unless given.")]

DEFAULT = Scene()


@app.command()
def run(customers: Customers = DEFAULT.customers, seed: Seed = DEFAULT.seed, night: Night = DEFAULT.nights[-1]) -> None:
    """Start everything, run one night, tell what came of it, check the store, stop everything."""
    configure(30)
    say = _timed()
    with errors_told(), ends_on_signal(), running_world(settings(), Scene(customers, seed, (night,)), say) as world:
        _night(world, night, say)
        say("checking the invariants over the whole store")
        _verify()
        say("stopping")
    tell_where_to_look(settings().home)
    say("done")


@app.command()
def up(
    customers: Customers = DEFAULT.customers,
    seed: Seed = DEFAULT.seed,
    night: Night = DEFAULT.nights[-1],
    port: Port = None,
) -> None:
    """The same world, kept running until Ctrl-C."""
    configure(30)
    say = _timed()
    with (
        errors_told(),
        ends_on_signal(),
        running_world(settings(), Scene(customers, seed, (night,)), say, airflow_port=port) as world,
    ):
        _tell_addresses(world)
        try:
            _night(world, night, say)
            _tell_addresses(world)
            while True:
                world.check()
                time.sleep(WATCH_SECONDS)
        except KeyboardInterrupt:
            say("stopping")


def _night(world: World, night: str, say: Say) -> None:
    runs = run_night(world, night, say)
    with open_hub() as hub:
        tell_night(hub.engine, night, runs)


def _verify() -> None:
    """The invariants, and one checksum of all that portals may read: a second run of the same night shows the same."""
    with open_hub() as hub:
        findings = verify_store(hub)
        write_report(hub, hub.settings.report_dir, findings)
        content = json.dumps(checksums(hub.engine), sort_keys=True)
    console.print(f"core, recon and portal_v1 sum to {hashlib.sha256(content.encode()).hexdigest()[:16]}")
    show([asdict(finding) for finding in findings], json_output=False, title="verify", empty="no findings; the invariants hold")
    if findings:
        raise InvariantBroken(f"verify has {len(findings)} findings")


def _tell_addresses(world: World) -> None:
    airflow = world.airflow
    console.print(f"Airflow   {airflow.url}  user {airflow.api.user}, password in {airflow.password_file}", soft_wrap=True)
    console.print(f"report    {world.settings.report_dir / 'index.html'}", soft_wrap=True)
    console.print(f"store     {world.settings.store_url}", soft_wrap=True)
    console.print("Ctrl-C stops it all")


def _timed() -> Say:
    began = time.monotonic()

    def say(what: str) -> None:
        console.print(f"{time.monotonic() - began:6.1f} s  {what}", soft_wrap=True)

    return say


if __name__ == "__main__":
    app()
