"""
Judging: seconds and peak memory of a verdict on synthetic evidence of 100,000 and of 1,000,000 instances.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

from tests.bench import runs
from tests.bench.table import Table

SIZES = (100_000, 1_000_000)
GOAL_S, GOAL_MB, GOAL_RATIO = 20.0, 1_500.0, 11.0
MOST_SLOW = 6


def measure(folder: Path, say: Callable[[str], None]) -> Table:
    """
    The run whose shape is taken is one of this project's own: `baseline`, run for it if there is none from before.
    """
    source = runs.source(folder, "baseline", say)
    rows, figures, notes, seconds = [], {}, [], {}
    for size in SIZES:
        run = runs.synthetic(folder, source, size, say)
        count = runs.rows(run)
        say(f"judging them: {count:,} rows")
        found = runs.judged(run)
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
