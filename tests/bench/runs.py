"""
What sections measure on: real runs of this project's own, made once and kept, and synthetic ones in their shape.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import duckdb

from harness.evidence.schema import ATTEMPTS, EFFECTS, HISTORY, INSTANCES, OPERATIONS

LOG = (OPERATIONS, ATTEMPTS, EFFECTS, INSTANCES, HISTORY)
"""The tables that tell of instances, row by row: those that grow with a run."""


def source(folder: Path, scenario: str, say: Callable[[str], None]) -> Path:
    """
    A real run of `scenario`, made now if there is none from before.
    """
    root = folder / ("source" if scenario == "baseline" else f"source-{scenario}")
    if not (root / "latest/verdict.json").is_file():
        say(f"running {scenario}, for the shape of a real run")
        _harness("run", scenario, "--out", root)
    return (root / "latest").resolve()


def synthetic(folder: Path, like: Path, instances: int, say: Callable[[str], None]) -> Path:
    """
    A run of so many instances in the shape of `like`; the one that was there before is gone.
    """
    say(f"making {instances:,} instances")
    root = folder / "synthetic"
    shutil.rmtree(root, ignore_errors=True)
    _harness("synth", instances, "--like", like, "--out", root)
    return (root / "latest").resolve()


def judged(run: Path) -> dict:
    """
    What judging that run took, and found.
    """
    command = [sys.executable, "-m", "tests.bench.timed", str(run)]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def rows(run: Path) -> int:
    """
    The rows of the run's log.
    """
    return sum(len(duckdb.read_parquet(str(run / "evidence" / f"{table.name}.parquet"))) for table in LOG)


def _harness(*arguments: object) -> None:
    """
    Raises CalledProcessError if it fails; a verdict that is not HOLDS is no failure: the evidence is what counts.
    """
    command = [sys.executable, "-m", "harness", *map(str, arguments)]
    done = subprocess.run(command, check=False, stdout=subprocess.DEVNULL)
    if done.returncode not in (0, 1, 2, 3):
        done.check_returncode()
