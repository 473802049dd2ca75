"""
The work of one load generator: the whole load of a run, or its share of a scenario's load on a system that somebody
else runs.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from harness.backends.endpoints import Address, Endpoints
from harness.errors import UsageError
from harness.journal import Journals
from harness.load.arrivals import Arrival, schedule
from harness.load.start import Replicas
from harness.model import Load, Plan, Workflow
from harness.rundir import RunDir

RUN = "HARNESS_LOAD"
"""Environment variable with the run directory for which a Locust makes the load."""
WORKER_MARK = "HARNESS_WORKER"
"""Environment variable of a Locust that shares the load with others; its standard input says what it sends."""


@dataclass(frozen=True)
class Hosts:
    """
    The replicas of a system that somebody else runs. Of each replica one address is known, which is used for the app
    and for the sidecar.
    """

    apps: Mapping[str, Address]
    sidecars: Mapping[str, Address]


@dataclass(frozen=True)
class Work:
    """
    A load, and the replicas to which it is sent. This generator sends one of `shares` shares of the arrivals, the one
    with number `share` (from 0). Their instance ids begin with `prefix`. Load that is `endless` continues for as long
    as Locust runs.

    `journals` is where everything is recorded; None if no verdict is made.
    """

    load: Load
    workflows: Mapping[str, Workflow]
    seed: int
    replicas: Replicas
    journals: Journals | None = None
    share: int = 0
    shares: int = 1
    prefix: str = ""
    endless: bool = False

    def arrivals(self) -> Iterator[Arrival]:
        """
        Return this share of the schedule, in order of time.
        """
        every_arrival = schedule(self.load, self.workflows, self.seed, self.prefix, endless=self.endless)
        return (arrival for arrival in every_arrival if arrival.number % self.shares == self.share)


def of_run(run: RunDir) -> Work:
    """
    Return the whole load of a run whose system is up.
    """
    plan = run.load_plan()
    return Work(
        load=plan.scenario.load,
        workflows=plan.workflows,
        seed=plan.seed,
        replicas=Endpoints.model_validate_json((run.path / "endpoints.json").read_bytes()),
        journals=run.journals,
    )


def of_hosts(plan: Plan, urls: str, *, share: int, shares: int, prefix: str) -> Work:
    """
    Return a share of the plan's load, without an end, for the replicas at `urls`: `http://host:port`, separated by
    commas.

    A system that stays up knows the ids of an earlier test, so `prefix` should differ in each test. Raises UsageError
    if a URL is not such an address.
    """
    addresses = [_address(url) for url in urls.split(",")]
    return Work(
        load=plan.scenario.load,
        workflows=plan.workflows,
        seed=plan.seed,
        replicas=Hosts(_nodes("app", addresses), _nodes("sidecar", addresses)),
        share=share,
        shares=shares,
        prefix=prefix,
        endless=True,
    )


def _nodes(role: str, addresses: Sequence[Address]) -> Mapping[str, Address]:
    return {f"{role}-{i}": address for i, address in enumerate(addresses)}


def _address(url: str) -> Address:
    parts = urlsplit(url.strip())
    try:
        port = parts.port
    except ValueError:
        port = None
    if parts.scheme != "http" or not parts.hostname or port is None:
        raise UsageError(f"--host {url}: a replica is http://host:port, several are separated by commas")
    return Address(host=parts.hostname, port=port)
