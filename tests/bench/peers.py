"""
Judging beside checkers made for other histories: the same orders through Porcupine and through pm4py's token replay.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import duckdb

from harness.errors import ProvisionError
from harness.runtime import golang
from tests.bench import runs
from tests.bench.table import Table

PM4PY = "2.7.23.11"
HERE = Path(__file__).parent
TURNS = 2

Answer = dict[str, float]
Ask = Callable[[Path], Answer]


class _SkippedError(Exception):
    """
    A peer cannot be had here; the message says why.
    """


def measure(folder: Path, say: Callable[[str], None]) -> Table:
    """
    Events (rows of the log) a second, from Parquet to the answer, ours and the peer's in turns; the better of two.
    """
    source = runs.source(folder, "baseline", say)
    drawn, figures, notes = [], {}, []
    for name, opened, instances, goal, seconds in (
        ("Porcupine", _porcupine, 100_000, 5, {"": "check_s"}),
        ("pm4py", _pm4py, 10_000, 20, {", every order": "every_s", ", every variant": "variants_s"}),
    ):
        try:
            ask = opened(folder, say)
        except _SkippedError as reason:
            notes.append(f"{name} is left out: {reason}")
            continue
        notes.append(f"{name} {_trusted(folder, source, ask)}")
        run = runs.synthetic(folder, source, instances, say)
        count = runs.rows(run)
        say(f"judging {count:,} rows, ours and {name}'s")
        turns = [(runs.judged(run)["seconds"], ask(run / "evidence")) for _ in range(TURNS)]
        if any(theirs["rows"] != count for _, theirs in turns):
            raise ValueError(f"{name} read {turns[0][1]['rows']} rows, and there are {count}")
        ours = count / min(took for took, _ in turns)
        for how, key in seconds.items():
            checked = count / min(theirs[key] for _, theirs in turns)
            rate = count / min(theirs["read_s"] + theirs[key] for _, theirs in turns)
            met = "met" if ours >= goal * rate else "missed"
            numbers = (f"{instances:,}", f"{count:,}", f"{ours:,.0f}", f"{rate:,.0f}", f"{ours / rate:.1f}")
            drawn.append((name + how, *numbers))
            notes.append(
                f"{name}{how}: goal at least {goal} times as many: {ours / rate:.1f}, {met}; its reading left out, and "
                f"ours not: {checked:,.0f} events a second, {ours / checked:.1f}"
            )
            label = key.removesuffix("_s")
            figures |= {
                f"{name}_{label}_events_per_s": rate,
                f"{name}_{label}_events_per_s_without_reading": checked,
                f"ours_{instances}_events_per_s": ours,
                f"{name}_{label}_ratio": ours / rate,
            }
        if "variants" in turns[0][1]:
            notes.append(f"{name}: these orders, copies of a few, have {turns[0][1]['variants']:,} variants")
        shutil.rmtree(folder / "synthetic")
    columns = ("peer", "orders", "events", "ours a second", "peer's", "ratio")
    return Table("judging beside peers", columns, tuple(drawn), figures, tuple(notes))


def _trusted(folder: Path, source: Path, ask: Ask) -> str:
    """
    What a peer says of the real run, and of the same run with one effect twice: a checker that sees nothing is fast.
    """
    spoilt = folder / "spoilt"
    shutil.copytree(source / "evidence", spoilt, dirs_exist_ok=True)
    effects = duckdb.read_parquet(str(source / "evidence/effects.parquet"))
    effects.union(effects.limit(1)).write_parquet(str(spoilt / "effects.parquet"))
    fine, wrong = ask(source / "evidence"), ask(spoilt)
    shutil.rmtree(spoilt)
    return (
        f"finds fault with {fine['illegal']} of the real run's {fine['orders']} orders, "
        f"and with {wrong['illegal']} where one has an effect twice"
    )


def _porcupine(folder: Path, say: Callable[[str], None]) -> Ask:
    program = (folder / "porcupine").resolve()
    try:
        go = golang.find()
    except ProvisionError as error:
        raise _SkippedError(str(error)) from error
    say("building the program that asks Porcupine")
    _made((str(go.path), "build", "-o", str(program), "."), HERE / "porcupine")
    return lambda evidence: _answer((str(program), str(evidence)))


def _pm4py(folder: Path, say: Callable[[str], None]) -> Ask:
    """
    In an environment of its own: it is no part of this project, and its licence is the AGPL.
    """
    python = folder.resolve() / "pm4py/bin/python"
    uv = str(Path(sys.executable).with_name("uv"))
    wanted = (f"pm4py=={PM4PY}", f"duckdb=={duckdb.__version__}")
    say(f"installing {wanted[0]} below {folder}")
    if not python.exists():
        _made((uv, "venv", "--quiet", "--python", sys.executable, str(python.parents[1])), folder)
    _made((uv, "pip", "install", "--quiet", "--python", str(python), *wanted), folder)
    return lambda evidence: _answer((str(python), str(HERE / "replay.py"), str(evidence)))


def _made(command: Sequence[str], folder: Path) -> None:
    try:
        subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True)
    except OSError as error:
        raise _SkippedError(str(error)) from error
    except subprocess.CalledProcessError as error:
        raise _SkippedError(" ".join(error.stderr.split())[-300:]) from error


def _answer(command: Sequence[str]) -> Answer:
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
