"""
What becomes of a run if one of its helpers hangs: stopped by SIGSTOP in each phase of the run, and left so.

`python -m tests.builders.hangs` fills the whole matrix (an hour); `... hangs redis:load locust:settle` these cells;
`... hangs --signals 2` sends two Ctrl-C in each. `test_hangs.py` has some of the cells. The helper `docker` needs an
engine: runs in containers ask it through a relay, and the relay is stopped, never the engine.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import psutil
from rich.console import Console

from harness.backends import containers, guard
from tests.builders import lines
from tests.builders.command import BIN, ROOT, left, until

HELPERS = {
    "toxiproxy": "toxiproxy-server",
    "redis": "redis-server",
    "sidecar": "daprd",
    "scheduler": "scheduler",
    "placement": "placement",
    "service": "target.providers",
    "locust": "locust",
}
"""What the command line of each helper has."""
DOCKER = "docker"
ENGINE = "/var/run/docker.sock"
PHASES = ("up", "load", "heal", "settle", "collect", "down")
LIMIT = 300.0
"""Seconds that a run may take: 60 for nodes and canaries that never get ready, 90 for faults that cannot be healed."""


@dataclass(frozen=True)
class Cell:
    """
    How a run ended, the seconds from the moment at which its helper was stopped, and what of it is left. If that is in
    an engine that hangs, `gone` is the seconds in which it is gone once the engine answers again.
    """

    helper: str
    phase: str
    code: int | None
    seconds: float
    left: tuple[str, ...]
    said: str
    gone: float | None = None

    def __str__(self) -> str:
        ended = "never" if self.code is None else f"exit {self.code} after {self.seconds:.0f} s"
        gone = "" if self.gone is None else f"; gone {self.gone:.0f} s after the engine answers"
        return f"{self.helper:10} {self.phase:8} {ended}; left: {', '.join(self.left) or 'nothing'}{gone}"


def fill(helper: str, phase: str, folder: Path, *, signals: int = 0) -> Cell:
    """
    Run, stop the helper when the phase begins, and wait for the end. `signals` is how many SIGINT are sent, a second
    apart, beginning two seconds after that.
    """
    if helper == DOCKER:
        with _relay(folder) as relay:
            cell = _fill(helper, phase, folder, signals, relay)
            relay.send_signal(signal.SIGCONT)
            began = time.monotonic()
            until(lambda: not in_engine(folder) and not _guarded(folder), LIMIT)
            return replace(cell, gone=time.monotonic() - began)
    return _fill(helper, phase, folder, signals)


def _fill(helper: str, phase: str, folder: Path, signals: int, relay: psutil.Process | None = None) -> Cell:
    in_containers = () if relay is None else ("--backend", "compose")
    environment = {} if relay is None else {"DOCKER_HOST": f"unix://{_socket(folder)}"}
    with subprocess.Popen(
        [BIN / "harness", "run", "tests/e2e/hang.yaml", "--out", folder, *in_containers],
        cwd=ROOT,
        env=os.environ | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        until(lambda: process.poll() is not None or _may_stop(folder / "latest", helper, phase), LIMIT)
        for each in _of(folder, HELPERS[helper]) if relay is None else [relay]:
            each.send_signal(signal.SIGSTOP)
        began = time.monotonic()
        try:
            for _ in range(signals):
                time.sleep(2)
                process.send_signal(signal.SIGINT)
            said, _ = process.communicate(timeout=LIMIT)
            code = process.returncode
        except subprocess.TimeoutExpired:
            code, said = None, ""
            process.kill()
        seconds = time.monotonic() - began
    return Cell(helper, phase, code, seconds, tuple(left(folder) + (in_engine(folder) if relay else [])), said)


@contextmanager
def _relay(folder: Path) -> Iterator[psutil.Process]:
    """
    A relay before the engine. In the end everything that runs in `folder` left in the engine is removed, even if their
    guard failed to.
    """
    command = [sys.executable, "-m", "tests.builders.relay", _socket(folder), ENGINE]
    with psutil.Popen(command, cwd=ROOT) as process:
        until(lambda: _socket(folder).exists(), 10)
        try:
            yield process
        finally:
            process.kill()
    with closing(containers.connect()) as engine:
        for run in containers.owners(engine):
            if run.is_relative_to(folder):
                containers.end_run(engine, run)


def _socket(folder: Path) -> Path:
    return folder / "engine.sock"


def in_engine(folder: Path) -> list[str]:
    """
    The containers of runs in `folder`.
    """
    with closing(containers.connect()) as engine:
        runs = [run for run in containers.owners(engine) if run.is_relative_to(folder)]
        return [node for run in runs for node in containers.of_run(engine, run)]


def _guarded(folder: Path) -> list[Path]:
    """
    The runs in `folder` whose guard still removes what they left.
    """
    return [run for run in guard.guarded() if run.is_relative_to(folder)]


def _may_stop(run: Path, helper: str, phase: str) -> bool:
    """
    Has the phase begun, and does the helper run? The phase `down` has no row: it begins when `collect` has ended.
    Locust comes up when all nodes are up, so its `up` lasts until its load begins. The engine is stopped in `up` when
    it has a container: Compose is the one that asks it then.
    """
    rows = lines.read(run / "journal/phases.jsonl")
    if phase == "down":
        return any(row["phase"] == "collect" and row["event"] == "end" for row in rows)
    if not any(row["phase"] == phase for row in rows):
        return False
    if phase == "load":  # a toxic is on
        faults = lines.read(run / "journal/faults.jsonl")
        return any(row["event"] == "felt" for row in faults)
    if helper == DOCKER:
        return phase != "up" or bool(in_engine(run.resolve().parent))
    if helper == "locust" and phase != "up":
        return True
    return bool(_of(run.resolve().parent, HELPERS[helper]))


def _of(folder: Path, words: str) -> list[psutil.Process]:
    """
    The processes of runs in `folder` whose command line has `words`.
    """
    found = []
    for process in psutil.process_iter():
        try:
            said = " ".join(process.cmdline())
            mine = process.environ().get("HARNESS_RUN", "").startswith(str(folder)) or str(folder) in process.cwd()
        except (psutil.Error, OSError):
            continue
        if mine and words in said and "harness.backends" not in said:
            found.append(process)
    return found


def main() -> None:
    console = Console()
    asked = argparse.ArgumentParser()
    asked.add_argument("cells", nargs="*", metavar="HELPER:PHASE")
    asked.add_argument("--signals", type=int, default=0, help="how many SIGINT are sent to the harness")
    arguments = asked.parse_args()
    cells = [tuple(cell.split(":")) for cell in arguments.cells] or [(h, p) for h in HELPERS for p in PHASES]
    for helper, phase in cells:
        with tempfile.TemporaryDirectory() as folder:
            cell = fill(helper, phase, Path(folder).resolve(), signals=arguments.signals)
            never = "the run ended before that phase: " if cell.seconds < 0.5 else ""
            console.print(f"{never}{cell}", markup=False)
            if cell.code not in (2, 70, 130) or cell.left or "Traceback" in cell.said:
                console.print(cell.said[-2000:], markup=False)


if __name__ == "__main__":
    main()
