"""
The interface between the harness and the system that it attacks.

Every backend can start the system and end it. Everything else that a backend can do is declared as an optional power. A
power is a small protocol that the backend class also inherits. A plan that needs a power which the backend does not
have is refused before anything starts.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from pydantic import JsonValue

from harness.backends.endpoints import Endpoints, StoreAddress
from harness.names import BackendName

Say = Callable[[str], None]
"""Takes one line of progress for the user."""


@dataclass(frozen=True)
class Death:
    """
    How a process ended: which process it was (pid, and start time in seconds since the epoch) and its exit status. A
    status of -N means that signal N killed it.
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
    The place where the system runs.
    """

    def up(self, say: Say) -> Endpoints:
        """
        Start everything and return once every node answers that it is ready.

        Raises NodeError, with the end of the node's log, if a node does not become ready. In that case nothing is left
        running.
        """

    def quiesce(self) -> None:
        """
        Stop everything that could still change evidence: replicas of the app and their sidecars. Stores and ledgers
        stay up.
        """

    def down(self) -> None:
        """
        Stop everything that `up` started. Must be safe to call at any time, and twice.
        """

    def leave(self) -> None:
        """
        Let everything continue to run after this process ends, until `harness down`. It is called after `up`, and in
        place of `down`.
        """

    def deaths(self) -> Mapping[str, Death]:
        """
        Return the nodes that have ended so far although nobody asked them to, each with how it ended.
        """

    def halted(self) -> Collection[str]:
        """
        Return the nodes whose process a signal has stopped (SIGSTOP), and so keeps from going on; Toxiproxy among them.
        A node that a fault pauses is such a one.
        """

    def usage(self) -> Mapping[str, tuple[float, int]]:
        """
        Return, for each node that runs: (CPU since the last call in percent of one core, resident memory in bytes). A
        tap before a node is measured under the name of the node and `names.TAP`, where the backend can tell it apart.
        """


@runtime_checkable
class Kills(Protocol):
    """
    Power to end a node and to start it again.
    """

    def kill(self, node: str) -> Death:
        """
        Send SIGKILL and wait for the exit status of that process. Raises NodeError if the node does not run.
        """

    def stop(self, node: str, grace: float) -> Death:
        """
        Send SIGTERM, then SIGKILL if the node still runs after `grace` seconds. Raises NodeError if the node does not
        run.
        """

    def start(self, node: str) -> None:
        """
        Start a node again as it was, unless it runs already, and return once it is ready. Raises NodeError if the node
        is not ready in time.
        """


@runtime_checkable
class Upgrades(Kills, Protocol):
    """
    Power to start a node again as another version of its program (`versions` in target.yaml).
    """

    def become(self, node: str, version: str) -> None:
        """
        Start the node as this version from its next start on, whoever starts it.
        """

    def version(self, node: str) -> tuple[int, str | None]:
        """
        Return (pid of the node's process, the version as which it runs): what its own environment and command line say,
        not what was asked for. The version is None if they are those of no version. Raises NodeError if the node does
        not run.
        """


@runtime_checkable
class Scales(Kills, Protocol):
    """
    Power to start replicas that the run begins without (`topology.spare`), and to end replicas for good.
    """

    def hosted(self, sidecar: str) -> int:
        """
        Return how many workflows and activities a sidecar hosts now, as it tells itself. Raises NodeError if it does
        not tell.
        """


@runtime_checkable
class Store(Protocol):
    """
    Power to connect to the state store itself.
    """

    def store(self) -> StoreAddress:
        """
        Return the address at which the store itself listens, not the listener at Toxiproxy.
        """


@runtime_checkable
class Misbehaves(Protocol):
    """
    Power to make a service of the target misbehave (docs/target-contract.md, "Services that misbehave").
    """

    def misbehave(self, node: str, wanted: Mapping[str, float] | None) -> Mapping[str, int]:
        """
        Tell a service how to misbehave from now on: `wanted` is as in the contract, {} ends all misbehaviour, and None
        changes nothing. Return how often the service did each kind of misbehaviour so far. Raises NodeError if the
        service does not answer as the contract says.
        """


@runtime_checkable
class Wipes(Kills, Store, Protocol):
    """
    Power to remove the files that a node keeps over its restarts, while the node does not run.
    """

    def wipe(self, node: str) -> int:
        """
        Remove the node's files and return how many there were.
        """


@runtime_checkable
class Probes(Protocol):
    """
    Power to ask a node whether it answers.
    """

    def probe_node(self, node: str, timeout: float) -> float:
        """
        Ask the node directly, not through Toxiproxy, and return the seconds that the smallest exchange takes. Raises as
        Links.probe.
        """


@runtime_checkable
class Pauses(Probes, Protocol):
    """
    Power to stop a node where it is, and to let it continue.
    """

    def pause(self, node: str) -> None:
        """
        Send SIGSTOP, or freeze the container. Raises NodeError if the node does not run.
        """

    def resume(self, node: str) -> None:
        """
        Undo `pause`. Does nothing if the node does not run or is not paused.
        """


@runtime_checkable
class Starves(Protocol):
    """
    Power to limit the CPU that a node gets.
    """

    def throttle(self, node: str, share: float) -> None:
        """
        Limit the node to `share` of one core from now on. Raises NodeError if the node does not run.
        """

    def unthrottle(self, node: str) -> None:
        """
        Remove the limit that `throttle` set. Does nothing if the node does not run or has no limit.
        """

    def consumed(self, node: str) -> tuple[float, float]:
        """
        Return (seconds of CPU that the node's process used so far, seconds for which `throttle` held it back). Raises
        NodeError if the node does not run.
        """


@runtime_checkable
class Fills(Kills, Protocol):
    """
    Power to make a node find its disk full.
    """

    def fill(self, node: str) -> None:
        """
        Make every write of the node to a file fail from now on. If the node ends because of this, that does not count
        as a death that nobody asked for. Raises NodeError if the node does not run.
        """

    def empty(self, node: str) -> None:
        """
        Let the node write again. Does nothing if the node does not run or can write.
        """

    def written_ns(self, node: str) -> int:
        """
        Return when the node last wrote to one of the files that it keeps (nanoseconds since the epoch); 0 if it keeps
        none.
        """

    def ended(self, node: str) -> Death | None:
        """
        Return how the node's process ended; None if it has not ended.
        """


@runtime_checkable
class Isolates(Probes, Protocol):
    """
    Power to disconnect a node from its networks.
    """

    def isolate(self, node: str) -> int:
        """
        Disconnect the node from every network, without closing a connection. Return how many networks there were.
        Raises NodeError if the node does not run.
        """

    def reconnect(self, node: str) -> None:
        """
        Connect the node again to the networks from which `isolate` disconnected it. Does nothing if there are none.
        """

    def connections(self, node: str) -> int:
        """
        Return how many connections the node has now, without those of probes.
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
        Remove a toxic from a link. Does nothing if the link has no such toxic.
        """

    def disable(self, link: str) -> None:
        """
        Close the link's listener and break its connections.
        """

    def enable(self, link: str) -> None:
        """
        Open the link's listener again. Does nothing if it is open.
        """

    def users(self, link: str) -> int:
        """
        Return how many connections go through the link now, without those of probes.
        """

    def probe(self, link: str, timeout: float) -> float:
        """
        Return the seconds that one smallest exchange takes through the link. Raises TimeoutError after `timeout`
        seconds, and ConnectionError if the link breaks or refuses the connection.
        """

    def probe_end(self, link: str, timeout: float) -> float:
        """
        Open a connection through the link, end our side of it, and return the seconds until the other side ends its
        side. Raises as `probe`.
        """


POWERS: Mapping[BackendName, tuple[type, ...]] = {
    BackendName.PROCESSES: (Wipes, Misbehaves, Upgrades, Scales, Pauses, Starves, Fills, Links),
    BackendName.COMPOSE: (Wipes, Misbehaves, Pauses, Starves, Isolates, Links),
}
"""
What each backend can do. With this table a plan can be refused without importing a backend. A test checks that the
backend classes agree with it.
"""
