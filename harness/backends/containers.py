"""
What runs have left in a Docker engine: containers, networks and volumes. They are recognised by a label, and nothing
without the label is touched.

Run as a module, this is the guard of a run in containers. It first ends the processes of the harness that died (one of
them may still be starting containers), then everything that has the label of the run.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Collection, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
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
from harness.errors import LeftError, NodeError

LABEL = "harness.run"
"""A label on every container, network and volume. Its value is the absolute path of the run directory."""
NODE = "com.docker.compose.service"
"""Compose's own label on a container. Its value is the name of the service, which is a node of the plan."""
NETWORK = "com.docker.compose.network"
"""Compose's own label on a network. Its value is the network's name in the compose file."""
WATCHER = __name__

_ANSWERS_WITHIN = 30
"""Seconds for one answer of the engine, or between two parts of it. A loaded engine needs some."""
_RETURNS_WITHIN = 600.0
"""Seconds for which the guard tries to remove what a run left, if the engine does not answer."""
_RETRIED_EVERY = 5.0
_PULLED_WITHIN = 900.0
"""Seconds for one image, over a slow line."""
_IN_FLIGHT = 1.0
"""Seconds after which the engine has done, or dropped, every request of a client that does not exist any more."""
_TRIES = 20
_NEVER_PULLED = ("never", "build")
_CONFLICTS = (404, 409)
"""HTTP status codes of a removal: the object is gone already (404), or is still being removed (409)."""

DockerEngine = Any
"""A docker.DockerClient; the SDK has no types."""
ENGINE_ERRORS = (DockerException, RequestException)

log = structlog.get_logger(__name__)


def connect() -> DockerEngine:
    """
    Connect to the engine that the `docker` command uses too: the one of DOCKER_HOST, or of the current context. The
    caller must close it.

    Raises NodeError if no engine answers.
    """
    try:
        if "DOCKER_HOST" in os.environ:
            engine = docker.from_env(timeout=_ANSWERS_WITHIN)
        else:
            host = ContextAPI.get_current_context().Host
            engine = docker.DockerClient(base_url=host, timeout=_ANSWERS_WITHIN)
        engine.ping()
    except ENGINE_ERRORS as error:
        raise NodeError(
            f"no Docker engine answers ({error}); start Docker, or use `--backend processes`, which needs none"
        ) from error
    return engine


@contextmanager
def answering(project: str = "", nodes: Collection[str] = ()) -> Iterator[None]:
    """
    Raise NodeError if the engine does not answer inside the `with` block, or with an error. It names `nodes`, which may
    be left in the engine as containers of the Compose project `project`, and the command that removes them.
    """
    try:
        yield
    except ENGINE_ERRORS as error:
        raise NodeError(f"the Docker engine no longer answers ({error}); {_left(project, nodes)}") from error


@contextmanager
def removing(project: str, nodes: Collection[str]) -> Iterator[None]:
    """
    Raise as `answering` does, and LeftError, which says the same, at a Ctrl-C inside the `with` block.
    """
    try:
        with answering(project, nodes):
            yield
    except KeyboardInterrupt:
        raise LeftError(f"interrupted before all was removed; {_left(project, nodes)}") from None


def _left(project: str, nodes: Collection[str]) -> str:
    left = f" ({', '.join(nodes)})" if nodes else ""
    by_hand = f", or by `docker compose --project-name {project} down --volumes --timeout 0`" if project else ""
    return (
        f"what the run left in the engine{left} is removed as soon as it answers, if that is within "
        f"{_RETURNS_WITHIN / 60:.0f} minutes; later by `harness down --all`{by_hand}"
    )


def of_run(engine: DockerEngine, run: Path) -> Mapping[str, Any]:
    """
    Return, for each node of a run, its container, running or not.
    """
    return {found.labels[NODE]: found for found in _containers(engine, run) if NODE in found.labels}


def owners(engine: DockerEngine) -> frozenset[Path]:
    """
    Return the run directories to which some object in the engine belongs.
    """
    everything = [*engine.containers.list(all=True, filters={"label": LABEL}, sparse=True)]
    everything += [*engine.networks.list(filters={"label": LABEL}), *engine.volumes.list(filters={"label": LABEL})]
    # The label is empty on a system that somebody started with the compose command alone: it belongs to no run.
    return frozenset(Path(owner) for thing in everything if (owner := (thing.attrs.get("Labels") or {}).get(LABEL)))


def remove(engine: DockerEngine, run: Path) -> int:
    """
    Save the logs of a run's containers, then remove its containers, networks and volumes, until there are none left.

    Return how many there were. Raises NodeError if some cannot be removed.
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
                list(pool.map(_remove, kind, (None if thing.id in removed else run / "logs" for thing in kind)))
            removed |= {thing.id for thing in kind}
    raise NodeError(f"the containers, networks and volumes of {run} cannot be removed: see `docker ps`")


def save_log(container: Any, logs: Path) -> None:
    """
    Append everything that a container has printed since it was created to `<node>.log` in the folder `logs`. Does
    nothing if that folder does not exist.
    """
    if not logs.is_dir():
        return
    printed = container.logs()  # in one piece, as the SDK takes away the time limit of a stream
    with (logs / f"{container.labels.get(NODE, container.name)}.log").open("ab") as file:
        file.write(printed)


def reachable(engine: DockerEngine, run: Path, network: str, port: int) -> str:
    """
    Return the host at which containers on a network of a run reach the harness: the network's gateway, an address that
    only this machine and its containers can use. Raises NodeError if the run has no such network, or if the gateway is
    no address of this machine, where `port` is tried.
    """
    host = gateway(engine, run, network)
    with socket.socket() as trial:
        trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as what listens there does
        try:
            trial.bind((host, port))
        except OSError as error:
            raise NodeError(
                f"containers cannot reach the harness at {host} ({error}), so it can neither record what sidecars say "
                "nor aim a fault: the Docker engine runs on another machine, or in a virtual one"
            ) from error
    return host


def gateway(engine: DockerEngine, run: Path, network: str) -> str:
    """
    Return the address at which containers on a network of a run reach the engine's machine. Raises NodeError if the run
    has no such network.
    """
    labels = [f"{LABEL}={run}", f"{NETWORK}={network}"]
    found = engine.networks.list(filters={"label": labels})
    if not found:
        raise NodeError(f"there is no network {network} with the label {LABEL} in the compose file's project")
    settings = found[0].attrs["IPAM"]["Config"][0]
    # If the engine chose the gateway itself, it may not report it. It then uses the first address of the network.
    return str(settings.get("Gateway") or ip_network(settings["Subnet"])[1])


def have_images(engine: DockerEngine, wanted: Mapping[str, str], say: Say) -> None:
    """
    Pull the images that are not on this machine and may be pulled. `wanted` maps an image to Compose's pull policy for
    it.

    Raises NodeError if an image is missing and cannot be pulled.
    """
    for image, policy in wanted.items():
        try:
            engine.images.get(image)
        except ImageNotFound:
            way_out = "`harness images build` makes it of what this machine has"
            if policy in _NEVER_PULLED:
                raise NodeError(f"the image {image} is not here; {way_out}") from None
            say(f"pulling {image}")
            try:  # by the command, as the SDK waits for a pull without any limit
                subprocess.run(
                    ("docker", "pull", "--quiet", image),  # noqa: S607 - the docker that the user has on the PATH
                    check=True,
                    capture_output=True,
                    text=True,
                    timeout=_PULLED_WITHIN,
                )
            except (OSError, subprocess.SubprocessError) as error:
                said = (getattr(error, "stderr", None) or str(error)).strip()
                raise NodeError(f"the image {image} cannot be pulled ({said}); {way_out}") from error


def _of(engine: DockerEngine, run: Path) -> Iterator[list[Any]]:
    """
    Return what exists of a run, kind by kind, in the order in which the kinds can be removed.
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


def _remove(thing: Any, logs: Path | None) -> None:
    """
    Remove a container, a network or a volume. A conflict is not an error: the caller tries again.
    """
    try:
        if isinstance(thing, Container):
            with suppress(APIError):  # it does not run
                thing.kill()
            if logs is not None:
                save_log(thing, logs)
            thing.remove(force=True, v=True)
        else:
            thing.remove()
    except NotFound:
        return
    except APIError as error:
        if error.status_code not in _CONFLICTS:
            log.warning("could not be removed", what=thing.name, error=str(error))


def end_run(engine: DockerEngine, run: Path) -> None:
    """
    End and remove everything that belongs to a run, processes and containers, including those that are just being
    started.
    """
    ended = guard.end_run(run)
    remove(engine, run)
    if ended:
        time.sleep(_IN_FLIGHT)
        remove(engine, run)


def _watch(run: Path) -> None:
    """
    What the guard does once the harness has ended. An engine that does not answer is asked again for a while.
    """
    deadline = time.monotonic() + _RETURNS_WITHIN
    while True:
        try:
            with closing(connect()) as engine, answering():
                return end_run(engine, run)
        except NodeError:
            guard.end_run(run)
            if time.monotonic() > deadline:
                raise
            time.sleep(_RETRIED_EVERY)


if __name__ == "__main__" and guard.told_to_end():
    _watch(Path(sys.argv[1]))
