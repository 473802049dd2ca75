"""
What Locust's command line and its start form are told about a run: our options, and the plan that follows from them.
"""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from locust.argument_parser import LocustArgumentParser

from harness.errors import UsageError
from harness.model import Plan
from harness.names import BackendName, Store
from harness.planning import scenario
from harness.planning.powers import refuse_unservable
from harness.planning.request import Request

_Read = TypeVar("_Read")
LOOPBACK = "127.0.0.1"
AS_PLANNED = "scenario"
"""The choice that leaves something to the scenario. Locust's form cannot show an empty one."""


def add(parser: LocustArgumentParser) -> None:
    """
    Add our options. Those of the start form must be added to the parser itself: Locust's form does not show what is in
    a group (locust 2.47, `LocustArgumentParser.args_included_in_web_ui`). All are text, as a form sends them.

    The web page listens on loopback unless `--web-host` says otherwise: whoever reaches it can start runs.
    """
    parser.set_defaults(web_host=LOOPBACK)
    shown = parser.add_argument
    shown("--scenario", default="baseline", env_var="HARNESS_SCENARIO", help="a name, or the path of a YAML file")
    shown("--seed", default="1", env_var="HARNESS_SEED", help="decides targets, arrivals and values")
    shown("--target", default="", env_var="HARNESS_TARGET", help="a target.yaml; empty: the scenario's")
    shown(
        "--backend",
        default=str(BackendName.PROCESSES),
        choices=[str(each) for each in BackendName],
        env_var="HARNESS_BACKEND",
        help="where the system runs",
    )
    shown(
        "--store",
        default=AS_PLANNED,
        choices=[AS_PLANNED, *map(str, Store)],
        env_var="HARNESS_STORE",
        help="Dapr's state store; scenario: as it says",
    )
    shown("--rate", default="", env_var="HARNESS_RATE", help="starts per second; empty: the scenario's")
    shown("--duration", default="", env_var="HARNESS_DURATION", help="of the load, like 40s; empty: the scenario's")
    unseen = {"include_in_web_ui": False}
    parser.add_argument("--dapr-version", default="", help="Dapr release to run; default: the pinned one", **unseen)
    parser.add_argument("--defect", default="", help="plant a defect of the target", **unseen)
    parser.add_argument("--out", default="runs", help="folder that gets the run directories", **unseen)
    parser.add_argument(
        "--shares",
        type=int,
        default=None,
        help="workers that share the load of --host",
        **unseen,
    )


@dataclass(frozen=True)
class Wanted:
    """
    One run, as the user wants it. Of what is None the scenario decides; `dapr_version` and `defect` may be empty.
    """

    scenario: str
    seed: int
    target: str
    backend: BackendName
    store: Store | None
    rate: float | None
    duration: str | None
    dapr_version: str
    defect: str
    out: str

    def plan(self, *, judged: bool = True) -> Plan:
        """
        Return the plan. Planning opens YAML files and no connection, so, unlike a run, it works under gevent.

        Raises UsageError if it cannot be made, if the backend cannot serve it, or if it is to be `judged` and several
        workers share its load.
        """
        request = Request(
            self.scenario,
            Path(self.target) if self.target else None,
            self.dapr_version or None,
            self.defect or None,
            rate=self.rate,
            duration=self.duration,
            store=self.store,
        )
        plan = request.plan(self.seed)
        refuse_unservable(plan, self.backend)
        if judged and plan.scenario.load.workers > 1:
            raise UsageError(
                f"load.workers: {plan.scenario.load.workers}: such a load is made by `harness run`; "
                "under Locust's own command this one process makes it"
            )
        return plan

    @property
    def arguments(self) -> list[str]:
        """
        The same for `harness run`.
        """
        given = {
            "--seed": str(self.seed),
            "--target": self.target,
            "--backend": str(self.backend),
            "--store": self.store or "",
            "--rate": "" if self.rate is None else str(self.rate),
            "--duration": self.duration or "",
            "--dapr-version": self.dapr_version,
            "--defect": self.defect,
            "--out": self.out,
        }
        return [self.scenario, *(part for flag, value in given.items() if value for part in (flag, value))]


def wanted(options: Namespace, form: Mapping[str, str] | None = None) -> Wanted:
    """
    Return the run that the command line asks for; what a form gives comes first. Raises UsageError for a text that is
    none of what is expected there.

    Locust's own `--run-time` is the load's duration, too.
    """

    def given(name: str) -> str:
        return str((form or {}).get(name, getattr(options, name))).strip()

    limit = None if form is not None or not options.run_time else f"{options.run_time}s"
    duration = given("duration") or None
    if limit and duration and limit != duration:
        raise UsageError(f"--duration {duration} and --run-time {limit} are one thing: give one of them")
    store = given("store")
    return Wanted(
        scenario=given("scenario"),
        seed=_read("seed", given("seed"), int, "a whole number"),
        target=given("target"),
        backend=_read("backend", given("backend"), BackendName, f"one of {', '.join(BackendName)}"),
        store=_read("store", store, Store, f"one of {', '.join(Store)}") if store not in ("", AS_PLANNED) else None,
        rate=_read("rate", given("rate"), float, "a number of starts per second") if given("rate") else None,
        duration=duration or limit,
        dapr_version=options.dapr_version,
        defect=options.defect,
        out=options.out,
    )


def shares(options: Namespace) -> int:
    """
    Return how many workers share the load on a host.
    """
    return int(options.shares or options.processes or 1)


def _read(name: str, text: str, kind: Callable[[str], _Read], expected: str) -> _Read:
    try:
        return kind(text)
    except ValueError:
        raise UsageError(f"{name}: {text!r} is not {expected}") from None


def scenarios(current: str) -> list[str]:
    """
    Return what the start form offers: the named scenarios, and what the command line gave if it is a path.
    """
    named = scenario.names()
    return named if current in named else [current, *named]
