"""
A target's compose file: what the harness tells it, by environment variables, and what it must hold to serve a plan.

The variables are described in docs/target-contract.md, "In containers".
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import tempfile
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness import names
from harness.backends import guard
from harness.backends.base import Say
from harness.errors import NodeError, UsageError
from harness.model import Plan
from harness.rundir import RunDir

TOXIPROXY = "toxiproxy"
HEALTH = "_HEALTH"
NOBODY = 65532
"""Whom programs of the target run as where the harness is root; else as its own user, who owns the run directory."""

_PORT = re.compile(r"\bHARNESS_PORT_[A-Z0-9_]+")
_UNJUDGED = re.compile(r"""^x-unjudged: ["']?(.*?)["']?$""", re.MULTILINE)
_AS_THEY_ARE = ("--no-build", "--pull", "never")
"""Images are had before, where it can be said what is missing."""


@dataclass(frozen=True)
class Files:
    """
    The compose file of a target, and those laid over it, in that order.
    """

    paths: tuple[Path, ...]

    @property
    def ports(self) -> frozenset[str]:
        """
        The variables for published ports that they name.
        """
        return frozenset(name for path in self.paths for name in _PORT.findall(path.read_text(encoding="utf-8")))


def of(plan: Plan, overlays: Sequence[str] = (), *, judged: bool = True) -> Files:
    """
    The compose files of a plan's target; the overlay NAME of `compose.yaml` is `compose.NAME.yaml` beside it.

    Raises UsageError if there is no such file, if they publish too little for the plan, or if the run is to be judged
    and a file says that it cannot be.
    """
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
    The variable for the published port of a node, or of a link's listener.
    """
    kind = "LINK_" if isinstance(names.parse(name), names.Link) else ""
    return f"HARNESS_PORT_{kind}{re.sub('[^A-Z0-9]+', '_', name.upper())}"


def _needed(plan: Plan) -> frozenset[str]:
    return frozenset(map(port, (TOXIPROXY, *plan.nodes, *plan.links)))


def settings(plan: Plan, run: RunDir, ports: Collection[str], take: Callable[[], int]) -> dict[str, str]:
    """
    The variables of one run: what it is told, and a free port for every one that may be published.
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
    }


def _silent(_: str) -> None:
    pass


class Command:
    """
    The `docker compose` command on some files, as one project, with the variables of one run.
    """

    def __init__(self, files: Files, project: str, variables: Mapping[str, str]) -> None:
        self._files = files
        self._project = project
        self._variables = variables

    def services(self) -> Mapping[str, Any]:
        """
        Service -> what the files say of it, merged and with every variable filled in.
        """
        found: Mapping[str, Any] = json.loads(self._run("config", "--format", "json"))["services"]
        return found

    def up(self, services: Collection[str], say: Say) -> None:
        """
        Start services and what they depend on, in the files' own order, and say when each was started.
        """
        self._run("up", "--detach", *_AS_THEY_ARE, *services, say=say)

    def create(self, service: str) -> None:
        """
        Make the container of a service, and its volumes, without starting it.
        """
        self._run("up", "--no-start", "--no-deps", *_AS_THEY_ARE, service)

    def _run(self, *arguments: str, say: Say = _silent) -> str:
        """
        What it prints. Raises NodeError with what it complains of.
        """
        started = re.compile(rf"Container {re.escape(self._project)}-(.+)-\d+\s+Started")
        named = [word for path in self._files.paths for word in ("--file", str(path))]
        command = ["docker", "compose", *named, "--project-name", self._project, "--progress", "plain", *arguments]
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
                    start_new_session=True,  # a Ctrl-C at the terminal is for the harness alone
                )
            except OSError as error:
                raise NodeError(f"`docker` cannot be started: {error}; install it with its Compose plugin") from error
            complaints = []
            with process:
                for line in process.stderr or ():
                    complaints.append(line)
                    if found := started.search(line):
                        say(f"started {found[1]}")
            if process.returncode:
                raise NodeError(_complaint(arguments[0], complaints))
            printed.seek(0)
            return printed.read()


def _complaint(command: str, said: Sequence[str]) -> str:
    if any("not a docker command" in line or "unknown flag: --file" in line for line in said):
        return "`docker compose` is not there; install the Compose plugin (v2 or newer) of Docker"
    return f"`docker compose {command}` failed: " + " | ".join(line.strip() for line in said[-5:] if line.strip())
