"""
The commands that set runs side by side: two sets of them, or all of them over time.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from harness.cli.console import err, out

if TYPE_CHECKING:
    from harness.comparing.sets import Found


def compare(
    base: Annotated[Path, typer.Argument(metavar="BASE", help="a run directory, or a folder that holds some")],
    candidate: Annotated[Path, typer.Argument(metavar="CANDIDATE", help="the same, of what is to be judged")],
    to: Annotated[
        Path | None, typer.Option("--out", metavar="DIR", help="folder for the page; default: runs/compare-<utc>")
    ] = None,
) -> None:
    """
    Two sets of runs of the same plans: what is better, worse or no different, and how certain that is.

    Exit code 0: nothing is worse; 1: something is; 2: the runs are not enough to tell anything.
    """
    from harness_reports import comparison

    from harness.comparing.compare import compare as compared

    found = compared(_load(base), _load(candidate), (str(base), str(candidate)))
    page = comparison.write(found, to or Path("runs") / f"compare-{datetime.now(UTC):%Y%m%dT%H%M%SZ}")
    out.print(comparison.terminal(found, page))
    raise typer.Exit(found.exit_code)


def history(
    runs: Annotated[Path, typer.Argument(metavar="[RUNS]", help="a folder that holds run directories")] = Path("runs"),
    to: Annotated[Path | None, typer.Option("--out", metavar="DIR", help="folder for the page; default: RUNS")] = None,
) -> None:
    """
    Runs of each scenario over time: violated runs, throughput, latency, recovery, and from which run on they changed.
    """
    from harness_reports import history as drawing

    from harness.comparing.history import history as told

    found = told(_load(runs))
    page = drawing.write(found, to or runs)
    out.print(drawing.terminal(found, page))


def _load(path: Path) -> Found:
    from harness.comparing import sets

    with err.status(f"reading {path}") as status:
        return sets.load(path, lambda name, number, count: status.update(f"reading {name} ({number} of {count})"))
