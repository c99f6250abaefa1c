"""Docker as the compose test needs it: an engine (started where none answers), base images, one compose project."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cli.processes import start, stop, wait_until
from hub.errors import HubError

ROOT = Path(__file__).resolve().parents[2]
PULL_SECONDS = 60
ENGINE_SECONDS = 60.0


def run(command: Sequence[str], *, env: Mapping[str, str] | None = None, seconds: float = 600.0, given: str = "") -> str:
    """A command's standard output. Raises HubError, with the end of what it said, where it fails or takes too long."""
    done = subprocess.run(
        command,
        cwd=ROOT,
        env={**os.environ, **(env or {})},
        input=given,
        capture_output=True,
        text=True,
        timeout=seconds,
        check=False,
    )
    if done.returncode != 0:
        raise HubError(f"{' '.join(command)} ended with {done.returncode}:\n{(done.stdout + done.stderr)[-3000:]}")
    return done.stdout


@contextmanager
def engine() -> Iterator[str]:
    """A Docker engine that answers: the one that runs, else one of our own until the block ends. Yields which."""
    if not shutil.which("docker"):
        raise HubError("no docker here; Debian: apt-get install docker.io docker-compose debootstrap")
    if _answers():
        yield "was running"
        return
    if os.geteuid() != 0 or not shutil.which("dockerd"):
        raise HubError("no Docker engine answers, and one can be started only as root with dockerd installed")
    with tempfile.TemporaryDirectory(prefix="bsshub-dockerd-") as scratch:
        child = start("dockerd", ["dockerd"], Path(scratch) / "dockerd.log", os.environ)
        try:
            wait_until(_answers, [child], seconds=ENGINE_SECONDS, what="the Docker engine did not answer")
            yield "started for this test"
        finally:
            stop([child])


def _answers() -> bool:
    return subprocess.run(["docker", "version"], capture_output=True, check=False).returncode == 0


def base_images() -> str:
    """Sees to the images that the Dockerfile and the compose file build on: there, pulled, or stood in for. Says which."""
    dockerfile, compose_file = (ROOT / "Dockerfile").read_text(), (ROOT / "docker-compose.yml").read_text()
    tags = [line.split()[1] for line in dockerfile.splitlines() if line.startswith("FROM ")]
    tags += [line.split()[1] for line in compose_file.splitlines() if line.strip().startswith("image: postgres:")]
    missing = [tag for tag in tags if not run(["docker", "images", "--quiet", tag]).strip()]
    unpulled = [tag for tag in missing if not _pulled(tag)]
    if unpulled:
        run([str(ROOT / "tests/compose/stand_ins")], seconds=3600)
    return "there already" if not missing else f"stand-ins for {', '.join(unpulled)}" if unpulled else "pulled"


def _pulled(tag: str) -> bool:
    try:
        return (
            subprocess.run(["docker", "pull", "--quiet", tag], capture_output=True, timeout=PULL_SECONDS, check=False).returncode
            == 0
        )
    except subprocess.TimeoutExpired:
        return False


@dataclass(frozen=True)
class Compose:
    """One project of docker-compose.yml under a name of its own, so that another that runs here is left alone."""

    project: str
    variables: Mapping[str, str] = field(repr=False)

    def __call__(self, *words: str, seconds: float = 600.0, given: str = "") -> str:
        return run([*_program(), "-p", self.project, *words], env=self.variables, seconds=seconds, given=given)

    def entry(self, service: str, *words: str, seconds: float = 600.0) -> str:
        """What a command prints that is run in a service's container with the hub's environment."""
        return self("exec", "-T", service, "entrypoint", *words, seconds=seconds)

    def containers(self) -> dict[str, dict[str, Any]]:
        """`docker inspect` of each container, by service; of those that ended, too."""
        label = f"label=com.docker.compose.project={self.project}"
        ids = run(["docker", "ps", "--all", "--quiet", "--filter", label]).split()
        found = json.loads(run(["docker", "inspect", *ids])) if ids else []
        return {container["Config"]["Labels"]["com.docker.compose.service"]: container for container in found}

    def check(self) -> None:
        """Raises HubError, with its log's end, where a service has ended that should run, or is unhealthy."""
        for service, container in self.containers().items():
            state = container["State"]
            ended = state["Status"] == "exited" and (service != "migrate" or state["ExitCode"] != 0)
            if ended or _health(state) == "unhealthy":
                raise HubError(f"{service} is {state['Status']} {_health(state)}:\n{self('logs', '--tail', '30', service)}")

    def await_health(self, seconds: float) -> None:
        """Until every service with a health check is healthy. Raises HubError where one ends, or time runs out."""
        end = time.monotonic() + seconds
        while waiting := [name for name, c in self.containers().items() if _health(c["State"]) not in {"healthy", ""}]:
            self.check()
            if time.monotonic() > end:
                raise HubError(f"not healthy within {seconds:.0f} s: {', '.join(waiting)}")
            time.sleep(2)

    def down(self) -> None:
        self("down", "--volumes", "--timeout", "10")


def _health(state: Mapping[str, Any]) -> str:
    return str(state["Health"]["Status"]) if "Health" in state else ""


def _program() -> list[str]:
    plugin = subprocess.run(["docker", "compose", "version"], capture_output=True, check=False).returncode == 0
    if not plugin and not shutil.which("docker-compose"):
        raise HubError("no Compose here; Debian: apt-get install docker-compose")
    return ["docker", "compose"] if plugin else ["docker-compose"]
