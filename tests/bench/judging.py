"""
Judging: seconds and peak memory of a verdict on synthetic evidence of 100,000 and of 1,000,000 instances.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import duckdb

from tests.bench.table import Table

SIZES = (100_000, 1_000_000)
GOAL_S, GOAL_MB, GOAL_RATIO = 20.0, 1_500.0, 11.0
MOST_SLOW = 6

JUDGE = """
import json, resource, sys, time
from pathlib import Path
from harness.checkers.judge import judge
from harness.rundir import RunDir

run = RunDir(Path(sys.argv[1]))
steps, plan, began = [], run.load_plan(), time.perf_counter()
verdict = judge(run.name, plan, run.evidence, progress=lambda what, *_: steps.append((what, time.perf_counter())))
ended = time.perf_counter()
ends = [at for _, at in steps[1:]] + [ended]
print(json.dumps({
    "seconds": ended - began,
    "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    "examined": sum(finding.examined for finding in verdict.findings),
    "violations": sum(finding.violations for finding in verdict.findings),
    "steps": {what: end - begin for (what, begin), end in zip(steps, ends)},
}))
"""
"""In a process of its own, so that its peak memory is its own."""


def measure(folder: Path, say: Callable[[str], None]) -> Table:
    """
    The run whose shape is taken is one of this project's own: `baseline`, run for it if there is none from before.
    """
    source = _source(folder, say)
    rows, figures, notes, seconds = [], {}, [], {}
    for size in SIZES:
        say(f"making {size:,} instances")
        shutil.rmtree(folder / "synthetic", ignore_errors=True)
        _harness("synth", size, "--like", source, "--out", folder / "synthetic")
        run = (folder / "synthetic/latest").resolve()
        count = _rows(run)
        say(f"judging them: {count:,} rows")
        found = json.loads(
            subprocess.run([sys.executable, "-c", JUDGE, run], check=True, capture_output=True, text=True).stdout
        )
        seconds[size] = found["seconds"]
        rate = count / found["seconds"]
        rows.append((f"{size:,}", f"{count:,}", f"{found['seconds']:.1f}", f"{found['peak_mb']:,.0f}", f"{rate:,.0f}"))
        figures |= {f"{name}_{size}": found[name] for name in ("seconds", "peak_mb", "examined", "violations")}
        figures |= {f"rows_{size}": count, f"rows_per_s_{size}": rate}
        slow = sorted(found["steps"].items(), key=lambda step: -step[1])[:MOST_SLOW]
        notes.append(f"{size:,}: most time in " + ", ".join(f"{what} {took:.1f} s" for what, took in slow))
    shutil.rmtree(folder / "synthetic")
    small, large = SIZES
    figures["ratio"] = seconds[large] / seconds[small]
    for what, value, goal in (
        (f"seconds for {large:,}", seconds[large], GOAL_S),
        (f"MB at the peak for {large:,}", figures[f"peak_mb_{large}"], GOAL_MB),
        (f"ratio t({large:,})/t({small:,})", figures["ratio"], GOAL_RATIO),
    ):
        notes.append(f"{what}: {value:,.1f}, goal at most {goal:,g}: {'met' if value <= goal else 'missed'}")
    return Table(
        "judging", ("instances", "rows", "seconds", "peak MB", "rows a second"), tuple(rows), figures, tuple(notes)
    )


def _source(folder: Path, say: Callable[[str], None]) -> Path:
    latest = folder / "source/latest"
    if not (latest / "verdict.json").is_file():
        say("running baseline, for the shape of a real run")
        _harness("run", "baseline", "--out", folder / "source")
    return latest.resolve()


def _harness(*arguments: object) -> None:
    """
    Raises CalledProcessError if it fails, with what it printed on standard error.
    """
    subprocess.run([sys.executable, "-m", "harness", *map(str, arguments)], check=True, stdout=subprocess.DEVNULL)


def _rows(run: Path) -> int:
    return sum(duckdb.read_parquet(str(file)).count("*").fetchone()[0] for file in (run / "evidence").glob("*.parquet"))
