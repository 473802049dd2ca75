"""
The command that measures at which rate a system keeps up no longer.
"""

from __future__ import annotations

import shutil
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from harness.cli.console import out, say
from harness.cli.options import (
    Backend,
    DaprVersion,
    Defect,
    Duration,
    Name,
    Out,
    Overlays,
    Seed,
    Settings,
    StateStore,
    TargetFile,
)
from harness.errors import Exit, HarnessError, LeftError, UsageError
from harness.names import BackendName

if TYPE_CHECKING:
    from harness.capacity.result import RateStep
    from harness.model import Plan
    from harness.pipeline import Place
    from harness.planning.request import Request


def capacity(
    scenario: Name,
    first: Annotated[
        float | None, typer.Option("--from", help="first rate, in starts/s; default: half the scenario's")
    ] = None,
    last: Annotated[float, typer.Option("--to", help="highest rate, in starts/s")] = 200.0,
    factor: Annotated[float, typer.Option("--step", help="each rate is so many times the one before")] = 2.0,
    refine: Annotated[int, typer.Option(min=0, max=10, help="runs more between the last two of these rates")] = 2,
    most: Annotated[int, typer.Option("--runs", min=1, max=50, help="most runs of a curve")] = 8,
    seed: Seed = 1,
    duration: Duration = None,
    target: TargetFile = None,
    dapr_version: DaprVersion = None,
    settings: Settings = None,
    defect: Defect = None,
    store: StateStore = None,
    backend: Backend = BackendName.PROCESSES,
    overlays: Overlays = None,
    runs: Out = Path("runs"),
    *,
    faults: Annotated[
        bool | None, typer.Option("--with-faults/--without-faults", help="only one of both curves; default: both")
    ] = None,
) -> None:
    """
    Run a scenario at growing rates, with and without its faults, until it keeps up no longer: throughput against
    latency, the knee, and what was full there.

    Exit code 0: every curve has a knee, and no run is violated; 1: one is; 2: no knee, or a run has no verdict.
    """
    from harness_reports import capacity as drawing

    from harness import last as last_command
    from harness import pipeline, rundir
    from harness.capacity import measure, series
    from harness.capacity.result import Capacity, Curve
    from harness.planning import estimate
    from harness.planning.request import Request

    last_command.forget(runs)  # a capacity has a report of its own, and no gate
    asked = Request(scenario, target, dapr_version, defect, tuple(settings or ()), None, duration, store)
    read = replace(asked, duration=None).plan(seed)  # its faults need not fit into a load that has none of them
    begin = min(read.scenario.load.rate / 2, last) if first is None else first
    rates = series.Rates(begin, last, factor, refine, most)
    rates.refuse_unusable()
    asked = replace(asked, settings=(*asked.settings, *series.settings(read.scenario)))
    kinds = _kinds(read, faults)
    requests = {kind: asked if kind else _faultless(asked, read) for kind in kinds}
    place = pipeline.Place(backend, tuple(overlays or ()))
    plans = [replace(request, rate=rates.first).plan(seed) for request in requests.values()]
    for plan in plans:  # whatever can be refused is refused before the first run
        pipeline.backend_of(plan, place)
    expected = most * sum(map(estimate.expected, plans))
    load = plans[0].scenario.load
    found = Capacity(
        scenario=read.scenario.name,
        target=read.target.name,
        seed=seed,
        dapr_version=read.dapr_version,
        store=read.store,
        duration=load.duration,
        warm_up=measure.warm_up(load.duration),
        curves=tuple(Curve(faults=kind) for kind in kinds),
    )
    folder = rundir.new_folder(runs, f"capacity-{read.scenario.name}")
    say(f"{folder}: at most {most * len(kinds)} runs, {estimate.told(expected)} in all")
    try:
        for number, request in enumerate(requests.values()):

            def run(rate: float, request: Request = request) -> RateStep | None:
                return _run(replace(request, rate=rate).plan(seed), rate, folder, place)

            for curve in series.go(found.curves[number], rates, run):
                found = found.with_curve(number, curve)
                drawing.write(found, folder)
                if not curve.ended:
                    say(drawing.in_brief(curve))
            if found.interrupted:
                break
    except LeftError:
        found = found.model_copy(update={"interrupted": True})
        drawing.write(found, folder)
        raise
    except HarnessError as error:
        if not isinstance(error, UsageError):
            say(f"the series ends here, and what it has so far is in {folder}")
        raise
    out.print(drawing.terminal(found, folder))
    raise typer.Exit(found.exit_code)


def _kinds(read: Plan, faults: bool | None) -> tuple[bool, ...]:
    """
    Return the curves that are made: without faults (False), with them (True). Raises UsageError if faults are asked for
    and the scenario has none.
    """
    from harness.capacity import series

    if not series.has_faults(read):
        if faults:
            raise UsageError(f"scenario {read.scenario.name} makes no faults; leave --with-faults out")
        return (False,)
    return (False, True) if faults is None else (faults,)


def _faultless(asked: Request, read: Plan) -> Request:
    from harness.capacity import series

    return replace(asked, settings=(*asked.settings, *series.without_faults(read.scenario)))


def _run(plan: Plan, rate: float, folder: Path, place: Place) -> RateStep | None:
    """
    Make one run; None if the user interrupted it. What its nodes kept on disk (over 100 MB) is deleted if it passes.
    """
    from harness import pipeline
    from harness.capacity import series
    from harness.planning import estimate

    began = time.monotonic()
    faults = "with faults" if plan.steps else "without faults"
    with out.status(f"{rate:g} starts/s, {faults}: {estimate.told(estimate.expected(plan))}"):
        done = pipeline.run(plan, folder, place, Console(quiet=True))
    if done.code == Exit.INTERRUPTED:
        return None
    step = series.step_of(rate, plan, done.folder, done.verdict, done.code, time.monotonic() - began)
    if done.code == Exit.HOLDS:
        shutil.rmtree(done.folder.data, ignore_errors=True)
    return step
