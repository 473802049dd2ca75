"""
What runs left in a Docker engine, known by a label: containers, networks and volumes, and nothing else.

Run as a module this is the guard of a run in containers: the processes of a dead harness first (one may still be
starting containers), then whatever carries the run's label.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import docker
import structlog
from docker.context import ContextAPI
from docker.errors import APIError, DockerException, ImageNotFound, NotFound
from docker.models.containers import Container
from requests.exceptions import RequestException

from harness.backends import guard
from harness.backends.base import Say
from harness.errors import NodeError

LABEL = "harness.run"
"""On every container, network and volume: the absolute path of the run directory that it belongs to."""
NODE = "com.docker.compose.service"
"""Compose's own label on a container: its service, which is a node of the plan."""
NETWORK = "com.docker.compose.network"
"""Its label on a network: the name in the compose file."""
WATCHER = __name__

_IN_FLIGHT = 1.0
"""Seconds within which the engine has done, or dropped, what a client asked of it that is gone."""
_TRIES = 20
_NEVER_PULLED = ("never", "build")
_CONFLICTS = (404, 409)
"""Gone meanwhile, or still being removed."""

DockerEngine = Any
"""A docker.DockerClient; the SDK has no types."""
ENGINE_ERRORS = (DockerException, RequestException)

log = structlog.get_logger(__name__)


def connect() -> DockerEngine:
    """
    The engine that the `docker` command uses, too: that of DOCKER_HOST, or of the chosen context. Close it.

    Raises NodeError if none answers.
    """
    try:
        if "DOCKER_HOST" in os.environ:
            engine = docker.from_env()
        else:
            engine = docker.DockerClient(base_url=ContextAPI.get_current_context().Host)
        engine.ping()
    except ENGINE_ERRORS as error:
        raise NodeError(
            f"no Docker engine answers ({error}); start Docker, or use `--backend processes`, which needs none"
        ) from error
    return engine


def of_run(engine: DockerEngine, run: Path) -> Mapping[str, Any]:
    """
    Node -> its container, running or not.
    """
    return {one.labels[NODE]: one for one in _containers(engine, run) if NODE in one.labels}


def owners(engine: DockerEngine) -> frozenset[Path]:
    """
    The run directories that something in the engine belongs to.
    """
    everything = [*engine.containers.list(all=True, filters={"label": LABEL}, sparse=True)]
    everything += [*engine.networks.list(filters={"label": LABEL}), *engine.volumes.list(filters={"label": LABEL})]
    # Without a run the label is empty: a system that somebody started with the compose command alone.
    return frozenset(Path(owner) for one in everything if (owner := (one.attrs.get("Labels") or {}).get(LABEL)))


def remove(engine: DockerEngine, run: Path) -> int:
    """
    Keep the logs of a run's containers, then remove them, their networks and their volumes, until there are none.

    Returns how many there were. Raises NodeError if some cannot be removed.
    """
    removed: set[str] = set()
    for attempt in range(_TRIES):
        found = list(_of(engine, run))
        if not found:
            return len(removed)
        if attempt:
            time.sleep(0.1)
        for kind in found:
            with ThreadPoolExecutor(max_workers=8) as pool:
                list(pool.map(_remove, kind, (None if one.id in removed else run / "logs" for one in kind)))
            removed |= {one.id for one in kind}
    raise NodeError(f"the containers, networks and volumes of {run} cannot be removed: see `docker ps`")


def save_log(container: Any, logs: Path) -> None:
    """
    Append what a container printed since it was made to `<node>.log`, if there is such a folder.
    """
    if not logs.is_dir():
        return
    with (logs / f"{container.labels.get(NODE, container.name)}.log").open("ab") as file:
        for chunk in container.logs(stream=True):
            file.write(chunk)


def gateway(engine: DockerEngine, run: Path, network: str) -> str:
    """
    The address at which containers of one of a run's networks reach the engine's machine.
    """
    labels = [f"{LABEL}={run}", f"{NETWORK}={network}"]
    found = engine.networks.list(filters={"label": labels})
    if not found:
        raise NodeError(f"there is no network {network} with the label {LABEL} in the compose file's project")
    settings = found[0].attrs["IPAM"]["Config"][0]
    # An engine that chose the address itself may not tell it: it takes the first of the network.
    return str(settings.get("Gateway") or ip_network(settings["Subnet"])[1])


def have_images(engine: DockerEngine, wanted: Mapping[str, str], say: Say) -> None:
    """
    Pull what is not here and may be pulled; `wanted` is image -> Compose's pull policy.

    Raises NodeError for what cannot be had.
    """
    for image, policy in wanted.items():
        try:
            engine.images.get(image)
        except ImageNotFound:
            way_out = "`harness images build` makes it of what this machine has"
            if policy in _NEVER_PULLED:
                raise NodeError(f"the image {image} is not here; {way_out}") from None
            say(f"pulling {image}")
            try:
                engine.images.pull(image)
            except ENGINE_ERRORS as error:
                raise NodeError(f"the image {image} cannot be pulled ({error}); {way_out}") from error


def _of(engine: DockerEngine, run: Path) -> Iterator[list[Any]]:
    """
    What is there of a run, kind by kind, in the order in which it can be removed.
    """
    wanted = {"label": f"{LABEL}={run}"}
    kinds = (
        _containers(engine, run),
        engine.networks.list(filters=wanted),
        engine.volumes.list(filters=wanted),
    )
    return (kind for kind in kinds if kind)


def _containers(engine: DockerEngine, run: Path) -> list[Any]:
    return list(engine.containers.list(all=True, filters={"label": f"{LABEL}={run}"}, ignore_removed=True))


def _remove(one: Any, logs: Path | None) -> None:
    """
    Remove a container, a network or a volume; what is in the way is tried again.
    """
    try:
        if isinstance(one, Container):
            with suppress(APIError):  # it does not run
                one.kill()
            if logs is not None:
                save_log(one, logs)
            one.remove(force=True, v=True)
        else:
            one.remove()
    except NotFound:
        return
    except APIError as error:
        if error.status_code not in _CONFLICTS:
            log.warning("could not be removed", what=one.name, error=str(error))


def end_run(engine: DockerEngine, run: Path) -> None:
    """
    End and remove whatever belongs to a run, processes and containers, also what is being started at this moment.
    """
    asked = guard.end_run(run)
    remove(engine, run)
    if asked:
        time.sleep(_IN_FLIGHT)
        remove(engine, run)


def _watch(run: Path) -> None:
    """
    What the guard does once the harness is gone.
    """
    with closing(connect()) as engine:
        end_run(engine, run)


if __name__ == "__main__" and guard.told_to_end():
    _watch(Path(sys.argv[1]))
