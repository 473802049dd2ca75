"""
Scaling: a replica is added to the application, or taken away from it, under load.
"""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import ClassVar

from typing_extensions import override

from harness import names
from harness.backends.base import Death, Scales
from harness.faults.base import Fault, Hits, NotFeltError, Proof
from harness.model import Seconds

_HOSTS_WITHIN = 20.0
"""
Seconds. Placement tells all sidecars of a new one within a few seconds, and each instance that begins may then be put
there. Under load no sidecar is idle for so long.
"""
_POLL = 0.01


def _sidecar(app: str) -> str:
    return str(names.sidecar_of(names.node(app)))


def _hosted(system: Scales, sidecar: str) -> int:
    """
    Wait until a sidecar hosts workflows or activities, and return how many; 0 if it still hosts none after the longest
    wait.
    """
    deadline = time.monotonic() + _HOSTS_WITHIN
    while not (hosted := system.hosted(sidecar)) and time.monotonic() < deadline:
        time.sleep(_POLL)
    return hosted


class ScaleOut(Fault[float]):
    """
    A spare replica (`topology.spare`) is started, the sidecar and then the app, as a deployment does that gets one more
    replica. It stays when the fault is healed.
    """

    hits: ClassVar[Hits] = "replicas"
    needs: ClassVar[type] = Scales

    @override
    def apply(self, system: Scales, node: str) -> float:
        """
        Start the replica, and wait until it is ready. Return when it was (`time.monotonic`).
        """
        system.start(_sidecar(node))
        system.start(node)
        return time.monotonic()

    @override
    def prove(self, system: Scales, node: str, applied: float) -> Proof:
        """
        Proved by its sidecar, which hosts workflows or activities: work has moved to it.
        """
        hosted = _hosted(system, _sidecar(node))
        proof: Proof = {"hosts": hosted, "after_ms": round((time.monotonic() - applied) * 1000, 3)}
        if not hosted:
            raise NotFeltError(
                f"no workflow and no activity came to {_sidecar(node)} within {_HOSTS_WITHIN:g} s", proof
            )
        return proof

    @override
    def heal(self, system: Scales, node: str) -> None:
        """
        Do nothing: the replica stays.
        """


@dataclass(frozen=True)
class Gone:
    """
    A replica that was taken away: how many workflows and activities its sidecar hosted just before, and how its app and
    its sidecar ended.
    """

    hosted: int
    app: Death
    sidecar: Death


class ScaleIn(Fault[Gone]):
    """
    A replica is taken away for good: its app and its sidecar get SIGTERM at the same time, as the containers of a pod
    do, and SIGKILL after `grace` seconds. Nobody tells the clients.
    """

    hits: ClassVar[Hits] = "replicas"
    needs: ClassVar[type] = Scales

    grace: Seconds = 10.0

    @override
    def apply(self, system: Scales, node: str) -> Gone:
        """
        Wait until the replica has something to do, and end it then. Return what it hosted, and how it ended.
        """
        hosted = _hosted(system, _sidecar(node))
        if not hosted:
            raise NotFeltError(
                f"{_sidecar(node)} hosted no workflow and no activity for {_HOSTS_WITHIN:g} s, so nothing would move",
                {"hosted": 0},
            )
        with ThreadPoolExecutor(2) as pool:
            app, sidecar = pool.map(lambda each: system.stop(each, self.grace), (node, _sidecar(node)))
        return Gone(hosted, app, sidecar)

    @override
    def prove(self, system: Scales, node: str, applied: Gone) -> Proof:
        """
        Proved by the ends of those very processes, and by what the sidecar hosted just before: it had to move.
        """
        return {
            "hosted": applied.hosted,
            "app": {"pid": applied.app.pid, "started": applied.app.started, "status": applied.app.status},
            "sidecar": {
                "pid": applied.sidecar.pid,
                "started": applied.sidecar.started,
                "status": applied.sidecar.status,
            },
        }

    @override
    def heal(self, system: Scales, node: str) -> None:
        """
        Do nothing: the replica is gone for good.
        """
