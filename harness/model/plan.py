"""
A plan: a scenario that a seed has made concrete.
"""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import Field, JsonValue

from harness import names
from harness.model.ledgers import CalledLedger
from harness.model.scenario import Scenario
from harness.model.target import Activity, Target, Workflow, activities
from harness.model.values import NodeName, Point, Value
from harness.names import Store

AROUND: tuple[Point, ...] = ("before_body", "after_return")
"""The points around the body of an activity, which the tap of a sidecar sees."""


class Aim(Value):
    """
    The point at which an aimed fault lands: when the instance number `occurrence` (from 1) reaches `point` of
    `activity`.

    `own`: only those nodes of the step are hit that belong to the replica which announced the execution.
    """

    activity: str
    point: Point
    occurrence: int
    own: bool

    def __str__(self) -> str:
        """
        `after_effect of ship_v1, instance 3`.
        """
        return f"{self.point} of {self.activity}, instance {self.occurrence}"


class Step(Value):
    """
    One fault on its chosen nodes. `at` is in seconds after the load began, and `hold` is how many seconds the fault
    stays in force. An aimed fault (`aim`) waits for its point from `at` on. `step` is the number of the step in the
    plan.
    """

    step: int
    fault: str
    nodes: tuple[NodeName, ...] = Field(min_length=1)
    at: float = Field(ge=0, le=10**6)
    hold: float = Field(ge=0, le=10**6)
    settings: Mapping[str, JsonValue]
    aim: Aim | None = None


class Asked(Value):
    """
    What the user asked for, in the words of the command line: the scenario's name or path, the target's file (None: the
    scenario's own), and the settings (`path=value`) that take the place of the scenario's.
    """

    scenario: str
    target: str | None = None
    settings: tuple[str, ...] = ()


class Plan(Value):
    """
    Exactly what a run does. The same scenario, target and seed give the same plan, byte for byte.
    """

    scenario: Scenario
    target: Target
    seed: int
    dapr_version: str
    defect: str | None = None
    asked: Asked | None = Field(default=None, description="None in a plan of an earlier version")
    tap: bool = Field(default=False, description="a tap records what each app and its sidecar say to each other")
    nodes: tuple[NodeName, ...]
    links: tuple[NodeName, ...]
    steps: tuple[Step, ...]
    copies: int = Field(default=1, ge=1, description="of a run's evidence: more than 1 only if `harness synth` made it")

    @property
    def store(self) -> Store:
        """
        What keeps the state.
        """
        return self.scenario.topology.store

    @property
    def spares(self) -> frozenset[str]:
        """
        The nodes of the replicas that the run begins without.
        """
        first, spare = self.scenario.topology.replicas, self.scenario.topology.spare
        apps = list(map(names.app, range(first, first + spare)))
        return frozenset(map(str, (*apps, *map(names.sidecar_of, apps))))

    @property
    def doubles_turns(self) -> bool:
        """
        Whether workflow turns are executed twice, to see that both order the same.
        """
        return self.tap and self.scenario.checks.determinism > 0

    @property
    def aims(self) -> tuple[Aim, ...]:
        """
        The points at which the aimed faults wait.
        """
        return tuple(step.aim for step in self.steps if step.aim is not None)

    def points(self, *, by_tap: bool) -> tuple[str, ...]:
        """
        Return the points at which aimed faults wait, each as `activity:point`: those that the taps of the sidecars
        announce, or those that the apps announce. After an effect no tap knows the activity: see `held_calls`.
        """
        held = (aim for aim in self.aims if aim.point in AROUND or not by_tap)
        return tuple(
            dict.fromkeys(
                f"{aim.activity}:{aim.point}" for aim in held if by_tap is not self.target.announces(aim.point)
            )
        )

    @property
    def held_calls(self) -> tuple[CalledLedger, ...]:
        """
        The ledgers whose calls make the effects after which aimed faults wait, where the app announces no points. The
        taps hold the answers to such calls.
        """
        activities = [
            self.activities[aim.activity]
            for aim in self.aims
            if aim.point == "after_effect" and not self.target.announces(aim.point)
        ]
        return tuple(dict.fromkeys(of for activity in activities for of in self.target.held_for(activity.effect)))

    @property
    def workflows(self) -> Mapping[str, Workflow]:
        """
        The workflows that the scenario's load starts, by name.
        """
        return {name: self.target.workflows[name] for name in self.scenario.load.shares}

    @property
    def activities(self) -> Mapping[str, Activity]:
        """
        The activities of these workflows, by name.
        """
        return activities(self.workflows.values())
