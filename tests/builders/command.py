"""The harness as a user runs it: the command, in a process of its own, and what it leaves."""

import json
import sys
from dataclasses import dataclass
from pathlib import Path

import duckdb
import psutil
import tenacity

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(sys.executable).parent


DISCARDED = """
    SELECT count(*) > 0 AND bool_and(attempts.started_ns < history.at_ns)
    FROM history JOIN attempts USING (instance_id, task_id)
    WHERE history.instance_id = $1 AND history.event = 'taskScheduled'
        AND history.position = (SELECT max(position) FROM history WHERE instance_id = $1)
"""
"""Was every execution of the instance's last task begun before the task was scheduled?"""


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
    """A harness command that has ended."""

    code: int
    out: str
    runs: Path

    @property
    def run(self):
        return (self.runs / "latest").resolve()

    @property
    def verdict(self):
        return json.loads((self.run / "verdict.json").read_text())

    def finding(self, name):
        return next(finding for finding in self.verdict["findings"] if finding["name"] == name)

    def holds(self):
        """
        Did the run hold, but for what Dapr is known to get wrong (docs/findings.md, 1)?

        A kill of a sidecar can meet that finding in any run, and then the harness must say VIOLATED. These tests
        test the harness: they take `stuck`, and nothing else, where the evidence shows just that finding: the last
        task of each stuck instance was executed before the engine recorded that it was scheduled.
        """
        violated = [finding for finding in self.verdict["findings"] if finding["result"] != "HOLDS"]
        if not violated:
            return self.code == 0 and self.verdict["result"] == "HOLDS"
        if self.code != 1 or [finding["name"] for finding in violated] != ["stuck"]:
            return False
        with duckdb.connect() as db:
            for table in ("history", "attempts"):
                db.read_parquet(str(self.run / f"evidence/{table}.parquet")).create_view(table)
            return all(
                db.execute(DISCARDED, [witness["instance_id"]]).fetchone()[0] for witness in violated[0]["witnesses"]
            )
