"""
A target's compose file: the environment variables by which the harness configures it, and what it must contain to serve
a plan.

The variables are described in docs/target-contract.md, "In containers".
"""

from __future__ import annotations

import json
import os
import re
import secrets
import subprocess
import tempfile
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, Queue
from threading import Thread
from typing import IO, Any

import psutil
from pydantic import SecretStr

from harness import names
from harness.backends import guard
from harness.backends.base import Say
from harness.backends.endpoints import Login
from harness.errors import NodeError, UsageError
from harness.model import Plan
from harness.names import Store
from harness.rundir import RunDir

TOXIPROXY = "toxiproxy"
HEALTH = "_HEALTH"
GRPC = "_GRPC"
NOBODY = 65532
"""
The user id with which the target's programs run if the harness runs as root. Otherwise they run as the user of the
harness, who owns the run directory.
"""

_PORT = re.compile(r"\bHARNESS_PORT_[A-Z0-9_]+")
_UNJUDGED = re.compile(r"""^x-unjudged: ["']?(.*?)["']?$""", re.MULTILINE)
_AS_THEY_ARE = ("--no-build", "--pull", "never")
"""Compose must neither build nor pull. `containers.have_images` has done that before, with a better error message."""
_SILENT_FOR = 60.0
"""
Seconds that Compose may take from one line to the next: as long as a node may take until it is ready. Compose itself
waits for the engine without any limit.
"""


@dataclass(frozen=True)
class Files:
    """
    The compose file of a target, then the overlay files, in the order in which Compose merges them.
    """

    paths: tuple[Path, ...]

    @property
    def ports(self) -> frozenset[str]:
        """
        The variables for published ports that occur in the files.
        """
        return frozenset(name for path in self.paths for name in _PORT.findall(path.read_text(encoding="utf-8")))


def of(plan: Plan, overlays: Sequence[str] = (), *, judged: bool = True) -> Files:
    """
    Return the compose files of a plan's target. The overlay NAME of `compose.yaml` is the file `compose.NAME.yaml` in
    the same folder. A state store that is not Redis has an overlay of its name, which comes first.

    Raises UsageError if a file does not exist, if the files publish too few ports for the plan, if an overlay is that
    of another state store, or if the run is to be judged and a file says (`x-unjudged`) that a run with it cannot be.
    """
    if other := set(overlays) & set(Store) - {plan.store}:
        raise UsageError(f"--overlay {min(other)} is the state store {min(other)}: use --store {min(other)}")
    if plan.store is not Store.REDIS and plan.store not in overlays:
        overlays = (plan.store, *overlays)
    base = plan.target.compose
    if base is None:
        raise UsageError(
            f"target {plan.target.name} names no compose file, so it cannot run with `--backend compose`; "
            "add `compose: FILE` to its description (docs/target-contract.md)"
        )
    files = Files((base, *(base.with_name(f"{base.stem}.{name}{base.suffix}") for name in overlays)))
    for path in files.paths:
        if not path.is_file():
            raise UsageError(f"{path}: there is no such compose file")
        if judged and (unjudged := _UNJUDGED.search(path.read_text(encoding="utf-8"))):
            raise UsageError(f"{path}: a run with it cannot be judged: {unjudged[1]}; `harness up` takes it")
    if missing := sorted(_needed(plan) - files.ports):
        raise UsageError(
            f"{base} publishes no port as {missing[0]}; "
            f"the plan needs {len(missing)} that it does not name: {', '.join(missing)}"
        )
    return files


def port(name: str) -> str:
    """
    Return the name of the variable for the published port of a node, or of a link's listener.
    """
    kind = "LINK_" if isinstance(names.parse(name), names.Link) else ""
    return f"HARNESS_PORT_{kind}{re.sub('[^A-Z0-9]+', '_', name.upper())}"


def _needed(plan: Plan) -> frozenset[str]:
    tapped = [port(node) + GRPC for node in plan.nodes if plan.tap and names.role(node) == names.SIDECAR]
    return frozenset((*map(port, (TOXIPROXY, *plan.nodes, *plan.links)), *tapped))


def settings(plan: Plan, run: RunDir, ports: Collection[str], take: Callable[[], int]) -> dict[str, str]:
    """
    Return the environment variables of one run: the settings of the run, and a free port for every variable in `ports`.
    """
    user = f"{NOBODY}:{NOBODY}" if os.getuid() == 0 else f"{os.getuid()}:{os.getgid()}"
    return {
        **{name: str(take()) for name in sorted(ports)},
        guard.MARK: str(run.path),
        "HARNESS_JOURNAL": str(run.journals.folder),
        "HARNESS_USER": user,
        "DAPR_VERSION": plan.dapr_version,
        "DEFECT": plan.defect or "",
        "POINTS_URL": "",
        "POINTS": "",
        "HARNESS_POSTGRES_PASSWORD": secrets.token_urlsafe(),
    }


def login(services: Mapping[str, Any], store: Store) -> Login | None:
    """
    Return how to log in at the state store, by the environment of its service: for PostgreSQL the variables that its
    official image takes (docker-library/docs, postgres). None for Redis, which asks nobody.
    """
    if store is Store.REDIS:
        return None
    given = services[store].get("environment") or {}
    user = given.get("POSTGRES_USER") or "postgres"
    return Login(
        user=user,
        password=SecretStr(given.get("POSTGRES_PASSWORD") or ""),
        database=given.get("POSTGRES_DB") or user,
    )


def published(service: Mapping[str, Any]) -> list[str]:
    """
    Return the addresses on this machine at which a service's ports are published.
    """
    return [f"{port['host_ip']}:{port['published']}" for port in service.get("ports", ())] or ["no port"]


def _silent(_: str) -> None:
    pass


class Command:
    """
    The `docker compose` command for some files, as one project, with the environment variables of one run.
    """

    def __init__(self, files: Files, project: str, variables: Mapping[str, str]) -> None:
        self._files = files
        self._project = project
        self._variables = variables

    def services(self) -> Mapping[str, Any]:
        """
        Return, for each service, its definition in the files, merged and with every variable filled in.
        """
        services: Mapping[str, Any] = json.loads(self._run("config", "--format", "json"))["services"]
        return services

    def up(self, services: Collection[str], say: Say) -> None:
        """
        Start services and the services on which they depend, in the order of the files. Report each one as it starts.
        """
        self._run("up", "--detach", *_AS_THEY_ARE, *services, say=say)

    def create(self, service: str) -> None:
        """
        Create the container of a service, and its volumes, without starting it.
        """
        self._run("up", "--no-start", "--no-deps", *_AS_THEY_ARE, service)

    def _run(self, *arguments: str, say: Say = _silent) -> str:
        """
        Run the command and return what it prints. Raises NodeError, with the last error messages, if it fails, or if it
        says nothing for too long, because the engine does not answer it. It is ended then.
        """
        started = re.compile(rf"Container {re.escape(self._project)}-(.+)-\d+\s+Started")
        files = [word for path in self._files.paths for word in ("--file", str(path))]
        command = ["docker", "compose", *files, "--project-name", self._project, "--progress", "plain", *arguments]
        with tempfile.TemporaryFile("w+", errors="replace") as printed:
            try:
                process = subprocess.Popen(
                    command,
                    env={**os.environ, **self._variables},
                    stdin=subprocess.DEVNULL,
                    stdout=printed,
                    stderr=subprocess.PIPE,
                    text=True,
                    errors="replace",
                    start_new_session=True,  # a Ctrl-C at the terminal must reach only the harness
                )
            except OSError as error:
                raise NodeError(f"`docker` cannot be started: {error}; install it with its Compose plugin") from error
            complaints = []
            with process:
                try:
                    for line in _lines(process.stderr):
                        complaints.append(line)
                        if found := started.search(line):
                            say(f"started {found[1]}")
                except BaseException as error:  # Ctrl-C, too
                    _kill(process)
                    if isinstance(error, Empty):
                        raise NodeError(_hung(arguments[0], complaints)) from None
                    raise
            if process.returncode:
                raise NodeError(_complaint(arguments[0], complaints))
            printed.seek(0)
            return printed.read()


def _lines(source: IO[str] | None) -> Iterator[str]:
    """
    Yield the lines of a pipe as they come. Raises Empty if the next one does not come in time.
    """
    lines: Queue[str | None] = Queue()

    def read() -> None:
        for line in source or ():
            lines.put(line)
        lines.put(None)

    reader = Thread(target=read, daemon=True)
    reader.start()
    while (line := lines.get(timeout=_SILENT_FOR)) is not None:
        yield line
    reader.join()


def _kill(process: subprocess.Popen[str]) -> None:
    """
    Kill `docker` and its plugin, which has a process group of its own.
    """
    with suppress(psutil.NoSuchProcess):
        docker = psutil.Process(process.pid)
        for each in (*docker.children(recursive=True), docker):
            with suppress(psutil.NoSuchProcess):
                each.kill()


def _hung(command: str, said: Sequence[str]) -> str:
    last = f"; the last was: {said[-1].strip()}" if said else ""
    return (
        f"`docker compose {command}` said nothing for {_SILENT_FOR:g} s, so the Docker engine no longer answers{last}"
    )


def _complaint(command: str, said: Sequence[str]) -> str:
    if any("not a docker command" in line or "unknown flag: --file" in line for line in said):
        return "`docker compose` is not there; install the Compose plugin (v2 or newer) of Docker"
    return f"`docker compose {command}` failed: " + " | ".join(line.strip() for line in said[-5:] if line.strip())
