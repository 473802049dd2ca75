"""The harness as a user runs it: the command, in a process of its own, and what it leaves."""

import json
import sys
from dataclasses import dataclass
from pathlib import Path

import psutil
import tenacity

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(sys.executable).parent


def until(condition, seconds):
    """Wait for a condition; tenacity.RetryError if it is not met in time."""
    tenacity.Retrying(
        stop=tenacity.stop_after_delay(seconds),
        wait=tenacity.wait_fixed(0.05),
        retry=tenacity.retry_if_result(lambda met: not met),
    )(condition)


def left(folder):
    """The living processes of runs in `folder`."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.status() != psutil.STATUS_ZOMBIE and (
                process.environ().get("HARNESS_RUN", "").startswith(str(folder))
                or process.cwd().startswith(str(folder))
            ):
                found.append(process.name())
        except (psutil.Error, OSError):
            continue
    return found


@dataclass(frozen=True)
class Finished:
    """A harness command that has ended, and its run. Does the gate allow what Dapr is known to get wrong?"""

    code: int
    out: str
    runs: Path
    name: str = "latest"
    known_allowed: bool = False

    @property
    def run(self):
        return (self.runs / self.name).resolve()

    @property
    def verdict(self):
        return json.loads((self.run / "verdict.json").read_text())

    def finding(self, name):
        return next(finding for finding in self.verdict["findings"] if finding["name"] == name)

    def names_what_violates(self, invariant):
        """Is it violated, and does its first witness show by which instance?"""
        found = self.finding(invariant)
        witness = next(iter(found["witnesses"]), {"row": None})
        return found["result"] == "VIOLATED" and witness["row"] and witness["instance_id"] in witness["sentence"]

    def holds(self):
        """
        Did the run hold, but for what Dapr is known to get wrong (docs/findings.md)?

        A kill of a sidecar can meet a known finding in any run, and then the harness must say VIOLATED. These tests
        test the harness: they take what does not hold where every row of it is explained.
        """
        if all(finding["result"] == "HOLDS" for finding in self.verdict["findings"]):
            return self.code == 0 and self.verdict["result"] == "HOLDS"
        return self.code == (0 if self.known_allowed else 1) and all(
            finding["result"] == "HOLDS" or 0 < finding["violations"] == finding["explained"]
            for finding in self.verdict["findings"]
        )
