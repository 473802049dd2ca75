"""
Commands about a team's own target.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from harness.cli.console import out, say
from harness.cli.options import DaprVersion
from harness.errors import Exit

_MARKS = {True: "✓", False: "✗", None: "-"}


def check(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="target.yaml of the system under test")],
    dapr_version: DaprVersion = None,
) -> None:
    """
    Start the system, run two instances, and show what each witness sees of them, how many invariants are applicable,
    and what more could be judged. Ends with 0 if every witness that the target offers sees them.
    """
    from harness import pipeline
    from harness.checkers.database import open_database
    from harness.checkers.seen import witnesses
    from harness.model import Checks, Load, Result, Scenario
    from harness.planning import plan as planning
    from harness.planning import target as targets
    from harness.planning.powers import refuse_unservable
    from harness.runtime.versions import DAPR

    described = targets.load(file)
    scenario = Scenario(
        name="target_check",
        claim="Two instances, one on each replica, end as target.yaml says.",
        target=file.resolve(),
        load=Load(rate=0, duration=0),
        checks=Checks(settle=20, determinism=1.0),
    )
    plan = planning.make(scenario, described, seed=1, dapr_version=dapr_version or DAPR)
    place = pipeline.Place()
    refuse_unservable(plan, place.backend)
    with tempfile.TemporaryDirectory(prefix="harness-target-") as runs:
        done = pipeline.run(plan, Path(runs), place, out)
        did = done.folder.load_plan()
        with open_database(did, done.folder.evidence) as database:
            seen = tuple(witnesses(did, database))
    verdict = done.verdict
    table = Table("", "witness", "what it has", box=None)
    for each in seen:
        table.add_row(_MARKS[each.sees], each.witness, each.told)
    out.print(table)
    left = sum(len(each.invariants) for each in verdict.not_applicable)
    say(f"{len(verdict.findings)} of {len(verdict.findings) + left} invariants are applicable")
    for unjudged in verdict.not_applicable:
        say(f"  to judge {', '.join(unjudged.invariants)} too, give {unjudged.give}")
    violated = [finding for finding in verdict.findings if finding.result is Result.VIOLATED]
    for finding in violated:
        say(f"✗ {finding.name}: {finding.witnesses[0].sentence}")
    sound = not violated and all(each.sees is not False for each in seen)
    say(f"try it: harness run baseline --target {file}" if sound else "mend what is marked ✗ first")
    raise typer.Exit(Exit.HOLDS if sound else Exit.VIOLATED if violated else Exit.UNKNOWN)
