"""
What stands before each sidecar of a plan (docs/tap.md): a tap that records, and before it one that acts, if the plan
asks for that. Both backends start them with the same words. A service whose calls are effects has a tap that records,
too, and one that holds answers, if a fault is aimed at the moment after such an effect.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable

from harness import names
from harness.backends.endpoints import Address
from harness.model import CalledLedger, CallsLedger, Ledger, ObservedLedger, Plan
from harness.names import Node
from harness.rundir import RunDir
from harness.tap.act import Act


class Taps:
    """
    The taps of one run. `take` returns another free address at each call; `points` is where the harness takes
    announcements of activity points, if a step aims at one.
    """

    def __init__(self, plan: Plan, run: RunDir, take: Callable[[], Address], points: Address | None) -> None:
        self._run = run
        self._points = points
        self._share = plan.scenario.checks.determinism
        self._held = plan.points(by_tap=True)
        sidecars = [node for node in plan.nodes if names.role(node) == names.SIDECAR] if plan.tap else []
        self._operations = tuple(
            dict.fromkeys(each.observed for each in plan.held_calls if isinstance(each, ObservedLedger))
        )
        acts = plan.doubles_turns or self._held or self._operations
        self._recording = {node: take() for node in (*sidecars, *_services(plan.target.ledgers))}
        self._acting = {node: take() for node in (*(sidecars if acts else ()), *_services(plan.held_calls))}

    def entrance(self, node: str) -> Address | None:
        """
        Return where the application's link to a sidecar or service leads; None if nothing stands before it.
        """
        return self._acting.get(node) or self._recording.get(node)

    def acting(self, sidecar: str) -> Address | None:
        """
        Return where the tap that acts listens; None if the sidecar has none.
        """
        return self._acting.get(sidecar)

    def words(self, node: str, own: Address) -> tuple[str, ...]:
        """
        Return the words that start what stands before a sidecar or service, which listens at `own` (a sidecar: for
        gRPC); none if nothing does. With a command after them, that command becomes the node. Without one, the taps
        live as long as who starts them.

        Only a replica of the same application has the same workflows, and can execute a turn in its place.
        """
        if node not in self._recording:
            return ()
        record = (sys.executable, "-P", "-m", "harness.tap")
        recording = (*record, str(self._recording[node]), str(own), str(self._run.taps), node)
        if node not in self._acting:
            return recording
        points = self._points.url if self._points else ""
        if names.role(node) != names.SIDECAR:
            service = (sys.executable, "-P", "-m", "harness.tap.service")
            return (*service, str(self._acting[node]), str(self._recording[node]), node, points, *recording)
        act = Act(
            listen=str(self._acting[node]),
            sidecar=str(self._recording[node]),
            node=node,
            journal=str(self._run.journals.turns(node)),
            share=self._share,
            peers={
                other: str(at)
                for other, at in self._acting.items()
                if other != node and names.group(other) == names.group(node)
            },
            points_url=points,
            points=self._held,
            operations=self._operations,
        )
        return (*act.command(), *recording)


def _services(ledgers: Iterable[Ledger | CalledLedger]) -> dict[str, None]:
    """
    Return the services, each once, of the ledgers that are made of calls to one.
    """
    return dict.fromkeys(str(Node(each.calls, 0)) for each in ledgers if isinstance(each, CallsLedger))
