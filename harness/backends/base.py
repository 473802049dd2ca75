"""
What a backend is: the one seam between the harness and the system it attacks.

Every backend can bring the system up and down. What else it can do is declared by optional powers, small
protocols that it also satisfies, so that a plan which needs a power it lacks is refused before anything starts.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol, runtime_checkable

from pydantic import JsonValue

from harness.model import Value

Say = Callable[[str], None]
"""Takes one line of progress for the user."""


class Address(Value):
    """
    A TCP address on this machine.
    """

    host: str
    port: int

    def __str__(self) -> str:
        """
        `host:port`.
        """
        return f"{self.host}:{self.port}"

    @property
    def url(self) -> str:
        """
        `http://host:port`.
        """
        return f"http://{self}"


class Endpoints(Value):
    """
    Where the running system can be reached; saved as `endpoints.json` for the load generator.

    `apps` and `sidecars` are by node; `redis` is the store itself and `scheduler` the scheduler itself, past
    Toxiproxy, for evidence; `links` are the listeners of Toxiproxy.
    """

    backend: str = "processes"
    apps: Mapping[str, Address]
    sidecars: Mapping[str, Address]
    services: Mapping[str, Address]
    redis: Address
    scheduler: Address
    links: Mapping[str, Address]
    points: Address | None = None
    """Where the harness takes announcements of activity points; None if the plan aims at none."""


@dataclass(frozen=True)
class Death:
    """
    How a process ended: which one it was (pid and start time, seconds since the epoch) and its exit status
    (negative: the signal that killed it).
    """

    pid: int
    started: float
    status: int


@dataclass(frozen=True)
class Toxic:
    """
    One toxic, as Toxiproxy 2.12 defines it: type, stream, toxicity from 0 to 1, attributes.
    """

    name: str
    type: str
    attributes: Mapping[str, JsonValue]
    stream: str = "downstream"
    toxicity: float = 1.0


class Backend(Protocol):
    """
    Where the system runs.
    """

    def up(self, say: Say) -> Endpoints:
        """
        Start everything and return once every node answers as ready.

        Raises NodeError, with the end of the node's log, if one does not. Must leave nothing running then.
        """

    def quiesce(self) -> None:
        """
        Stop whatever could still change evidence (app replicas and sidecars); stores and ledgers stay up.
        """

    def down(self) -> None:
        """
        Stop everything that `up` started. Must be safe to call at any time, and twice.
        """

    def leave(self) -> None:
        """
        Let everything run on when this process ends, until `harness down`. After `up`, and instead of `down`.
        """

    def deaths(self) -> Mapping[str, Death]:
        """
        Nodes that ended although nobody asked them to, so far.
        """

    def usage(self) -> Mapping[str, tuple[float, int]]:
        """
        Node -> (CPU since the last call in percent of one core, resident bytes), for nodes that run.
        """


@runtime_checkable
class Kills(Protocol):
    """
    Power to end a node and to start it again.
    """

    def kill(self, node: str) -> Death:
        """
        SIGKILL, and wait for the exit status of that very process. Raises NodeError if it does not run.
        """

    def stop(self, node: str, grace: float) -> Death:
        """
        SIGTERM, then SIGKILL if it still runs after `grace` seconds. Raises NodeError if it does not run.
        """

    def start(self, node: str) -> None:
        """
        Start a node as it was, unless it runs; return once it is ready. Raises NodeError if it is not in time.
        """


@runtime_checkable
class Store(Protocol):
    """
    Power to speak to the state store itself.
    """

    def store(self) -> Address:
        """
        Where Redis listens, past Toxiproxy.
        """


@runtime_checkable
class Misbehaves(Protocol):
    """
    Power to make a service of the target misbehave (docs/target-contract.md, "Services that misbehave").
    """

    def misbehave(self, node: str, wanted: Mapping[str, float] | None) -> Mapping[str, int]:
        """
        Tell a service what to do from now on, {} for nothing, None for what it does; return how often it did each
        kind so far. Raises NodeError if it does not answer as the contract says.
        """


@runtime_checkable
class Wipes(Kills, Store, Protocol):
    """
    Power to take from a node, while it does not run, what it keeps over its restarts.
    """

    def wipe(self, node: str) -> int:
        """
        Remove the node's files; return how many there were.
        """


@runtime_checkable
class Probes(Protocol):
    """
    Power to ask a node whether it answers.
    """

    def probe_node(self, node: str, timeout: float) -> float:
        """
        Seconds that the node takes to answer the smallest exchange, asked directly. Raises as Links.probe.
        """


@runtime_checkable
class Pauses(Probes, Protocol):
    """
    Power to stop a node in its tracks, and to let it go on.
    """

    def pause(self, node: str) -> None:
        """
        SIGSTOP. Raises NodeError if the node does not run.
        """

    def resume(self, node: str) -> None:
        """
        SIGCONT; of a node that does not run, or is not paused, no error.
        """


@runtime_checkable
class Starves(Protocol):
    """
    Power to hold a node to a share of CPU.
    """

    def throttle(self, node: str, share: float) -> None:
        """
        Let the node use no more than `share` of one core from now on. Raises NodeError if it does not run.
        """

    def unthrottle(self, node: str) -> None:
        """
        Let the node run as it wants; of one that does not run, or was not held back, no error.
        """

    def consumed(self, node: str) -> tuple[float, float]:
        """
        Seconds of CPU that the node's process used so far, and seconds for which `throttle` has kept it stopped.
        Raises NodeError if it does not run.
        """


@runtime_checkable
class Fills(Kills, Protocol):
    """
    Power to let a node find its disk full.
    """

    def fill(self, node: str) -> None:
        """
        Every write of the node to a file fails from now on; that it ends of it is no surprise. Raises NodeError if it
        does not run.
        """

    def empty(self, node: str) -> None:
        """
        Let the node write again; of one that does not run, or could write, no error.
        """

    def written_ns(self, node: str) -> int:
        """
        When a file that the node keeps was last written to (nanoseconds since the epoch); 0 if it keeps none.
        """

    def ended(self, node: str) -> Death | None:
        """
        How the node's process ended, if it did.
        """


@runtime_checkable
class Isolates(Probes, Protocol):
    """
    Power to take a node off its networks.
    """

    def isolate(self, node: str) -> int:
        """
        Take the node off every network, without closing a connection; return how many there were. Raises NodeError if
        it does not run.
        """

    def reconnect(self, node: str) -> None:
        """
        Put it back on the networks that it was taken off; of one that was taken off none, no error.
        """

    def connections(self, node: str) -> int:
        """
        How many connections the node has now, those of probes left out.
        """


@runtime_checkable
class Links(Protocol):
    """
    Power over the links that go through Toxiproxy.
    """

    def add_toxic(self, link: str, toxic: Toxic) -> None:
        """
        Put a toxic on a link.
        """

    def remove_toxic(self, link: str, name: str) -> None:
        """
        Take a toxic off a link; one that is not there is no error.
        """

    def disable(self, link: str) -> None:
        """
        Close the link's listener and break its connections.
        """

    def enable(self, link: str) -> None:
        """
        Open the link's listener again; one that is open is no error.
        """

    def users(self, link: str) -> int:
        """
        How many connections go through the link now, those of probes left out.
        """

    def probe(self, link: str, timeout: float) -> float:
        """
        Seconds that one smallest exchange takes through the link. Raises TimeoutError after `timeout` seconds,
        ConnectionError if the link does not carry it.
        """

    def probe_end(self, link: str, timeout: float) -> float:
        """
        Seconds from our end of a connection through the link to the other side's end of it. Raises as `probe`.
        """


class BackendName(StrEnum):
    """
    The backends.
    """

    PROCESSES = "processes"
    COMPOSE = "compose"


POWERS: Mapping[BackendName, tuple[type, ...]] = {
    BackendName.PROCESSES: (Wipes, Misbehaves, Pauses, Starves, Fills, Links),
    BackendName.COMPOSE: (Wipes, Misbehaves, Pauses, Starves, Isolates, Links),
}
"""What each backend can do, so that a plan can be refused without importing one; a test holds their classes to it."""
