"""
Whether a node is ready, found out from outside. These functions return at once; every failure counts as not ready.
"""

from __future__ import annotations

import socket

import httpx

from harness.backends import probe, store
from harness.backends.endpoints import Address, StoreAddress
from harness.errors import EvidenceError, NodeError
from harness.model import Program
from harness.model.program import PORT, WORKERS

_TIMEOUT = 2.0


def answers(url: str) -> bool:
    """
    Return whether `url` answers with a 2xx status.
    """
    try:
        with probe.client(timeout=_TIMEOUT) as client:
            return client.get(url).is_success
    except httpx.HTTPError:
        return False


def listens(at: Address) -> bool:
    """
    Return whether something accepts connections at an address.
    """
    try:
        with socket.create_connection((at.host, at.port), _TIMEOUT):
            return True
    except OSError:
        return False


def connected_workers(sidecar: Address) -> int:
    """
    Return how many workflow workers are connected to a sidecar, as its metadata API reports it
    (`workflows.connectedWorkers`, Dapr 1.18). `sidecar` is where it speaks HTTP. Raises NodeError if it does not tell.
    """
    try:
        with probe.client(timeout=_TIMEOUT) as client:
            answer = client.get(f"{sidecar.url}/v1.0/metadata").raise_for_status()
        return int(answer.json().get("workflows", {}).get("connectedWorkers", 0))
    except (httpx.HTTPError, ValueError, AttributeError, TypeError) as error:
        raise NodeError(str(error)) from error


def hosted(sidecar: Address) -> int:
    """
    Return how many actors a sidecar hosts, as its metadata API reports it (`actorRuntime.activeActors`, Dapr 1.18):
    each workflow and each activity that is under way is one. `sidecar` is where it speaks HTTP. Raises NodeError if it
    does not tell.
    """
    try:
        with probe.client(timeout=_TIMEOUT) as client:
            answer = client.get(f"{sidecar.url}/v1.0/metadata").raise_for_status()
        return sum(int(of.get("count", 0)) for of in answer.json()["actorRuntime"].get("activeActors", ()))
    except (httpx.HTTPError, ValueError, AttributeError, TypeError, KeyError) as error:
        raise NodeError(f"a sidecar does not tell what it hosts: {error!r}") from error


def has_worker(sidecar: Address) -> bool:
    """
    Return whether a workflow worker is connected to a sidecar. `sidecar` is where it speaks HTTP.
    """
    try:
        return connected_workers(sidecar) > 0
    except NodeError:
        return False


def is_ready(program: Program, at: Address, sidecar: Address | None) -> bool:
    """
    Return whether a process of the target is ready, in the way that its `health` says. `sidecar` is where its sidecar
    speaks HTTP, if it has one.
    """
    if program.health == WORKERS:
        return sidecar is not None and has_worker(sidecar)
    return listens(at) if program.health == PORT else answers(f"{at.url}{program.health}")


def told(program: Program, at: Address) -> str:
    """
    Return in words what a process of the target answers when it is asked whether it is ready.
    """
    if program.health == WORKERS:
        return "no workflow worker is connected to its sidecar"
    if program.health == PORT:
        return f"nothing listens on its port, {at.port}; PORT in its environment is the port that it is given"
    try:
        with probe.client(timeout=_TIMEOUT) as client:
            status = str(client.get(f"{at.url}{program.health}").status_code)
    except httpx.HTTPError as error:
        status = f"nothing: {error}"
    mend = "another `health`: a route that answers 2xx, `workers` or `port`"
    return f"GET {program.health} on port {at.port} answers {status}; if it has no such route, target.yaml needs {mend}"


def serves(at: StoreAddress) -> bool:
    """
    Return whether a state store answers: Redis once it has loaded its data, PostgreSQL once it has recovered.
    """
    try:
        with store.connect(at, _TIMEOUT) as connected:
            connected.greet()
    except EvidenceError:
        return False
    return True
