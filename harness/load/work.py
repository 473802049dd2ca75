"""
What one load generator is to do: the whole load of a run, or its share of a scenario's load on a system that somebody
else runs.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from harness.backends.base import Address, Endpoints
from harness.errors import UsageError
from harness.load.arrivals import Arrival, schedule
from harness.load.start import Replicas
from harness.model import Load, Plan, Workflow
from harness.rundir import Journals, RunDir

_WITHOUT_END = 86_400.0
"""Seconds: the longest load there is. A host gets load for as long as Locust runs."""


@dataclass(frozen=True)
class Hosts:
    """
    The replicas of a system that somebody else runs; each answers at the one address that is known of it.
    """

    apps: Mapping[str, Address]
    sidecars: Mapping[str, Address]


@dataclass(frozen=True)
class Work:
    """
    This load against those replicas: one of `shares` shares of the arrivals, whose ids begin with `prefix`.

    `journals` are those where all is written down; None if nobody judges.
    """

    load: Load
    workflow: Workflow
    seed: int
    replicas: Replicas
    journals: Journals | None = None
    share: int = 0
    shares: int = 1
    prefix: str = ""

    def arrivals(self) -> Iterator[Arrival]:
        """
        Its share of the schedule, in order of time.
        """
        of_all = schedule(self.load, self.workflow, self.seed, self.prefix)
        return (arrival for arrival in of_all if arrival.number % self.shares == self.share)


def of_run(run: RunDir) -> Work:
    """
    The whole load of a run that is up.
    """
    plan = run.load_plan()
    return Work(
        load=plan.scenario.load,
        workflow=plan.workflow,
        seed=plan.seed,
        replicas=Endpoints.model_validate_json((run.path / "endpoints.json").read_bytes()),
        journals=run.journals,
    )


def of_hosts(plan: Plan, urls: str, *, share: int, shares: int, prefix: str) -> Work:
    """
    A share of the plan's load, without end, for the replicas at `urls`: `http://host:port`, separated by commas.

    A system that stays up knows the ids of an earlier test, so `prefix` should be another each time. Raises UsageError
    for what is no such address.
    """
    addresses = [_address(url) for url in urls.split(",")]
    load = plan.scenario.load
    return Work(
        load=load.model_copy(update={"duration": _WITHOUT_END}),
        workflow=plan.workflow,
        seed=plan.seed,
        replicas=Hosts(_nodes("app", addresses), _nodes("sidecar", addresses)),
        share=share,
        shares=shares,
        prefix=prefix,
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
