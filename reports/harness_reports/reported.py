"""
A run as the reports for CI systems take it: one, or many in one file.

Every run of such a file gets a label of its own, `demo-seed-3`, for the names of its test cases. What is not the
default is part of the label: `demo-seed-3-dapr-1_17_0-compose`. So a label stays the same from one night to the next,
and is different for every scenario, seed, Dapr release, backend and planted defect. No label has a dot: CI systems take
it for the class of a Java package, and some show only what follows the last one.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import count
from pathlib import Path

from harness.checkers.database import UnansweredError
from harness.checkers.gate import Decision, decide
from harness.errors import Exit, HarnessError
from harness.model import Plan, Verdict
from harness.rundir import PROCESSES, RunDir
from harness.runtime.versions import DAPR
from harness_reports import words
from harness_reports.evidence import open_evidence

_PHASES = "SELECT min(started_ns) AS began_ns, max(ended_ns) AS ended_ns FROM phases"


@dataclass(frozen=True)
class ReportedRun:
    """
    One run that was asked for: its plan, what was found, and what the gate makes of it.

    A run that failed has no verdict; then the sentences of its decision say why. `began_ns` (nanoseconds UTC) and
    `took` (seconds) are those of its phases, and None if they are not known.
    """

    plan: Plan
    decision: Decision
    backend: str = PROCESSES
    verdict: Verdict | None = None
    folder: Path | None = None
    began_ns: int | None = None
    took: float | None = None

    @property
    def passes(self) -> bool:
        """
        Does its gate let it pass?
        """
        return self.decision.code is Exit.HOLDS

    @property
    def began(self) -> str | None:
        """
        When it began, as ISO 8601 has it, in UTC; None if that is not known.
        """
        if self.began_ns is None:
            return None
        return datetime.fromtimestamp(self.began_ns // 10**9, UTC).strftime("%Y-%m-%dT%H:%M:%S")

    @property
    def label(self) -> str:
        """
        `demo-seed-3`, and what is not the default. The runs of one file get theirs from `labels`.
        """
        parts = [self.plan.scenario.name, f"seed-{self.plan.seed}"]
        if self.plan.dapr_version != DAPR:
            parts.append(f"dapr-{self.plan.dapr_version}")
        if self.backend != PROCESSES:
            parts.append(self.backend)
        if self.plan.defect is not None:
            parts.append(f"defect-{self.plan.defect}")
        return words.shortened("-".join(parts).replace(".", "_"), 200)


def judged(folder: RunDir, plan: Plan, verdict: Verdict) -> ReportedRun:
    """
    A run that was judged. Raises UsageError if the recorded rates of its gate cannot be used.
    """
    began_ns = ended_ns = None
    try:
        with open_evidence(folder.evidence) as evidence:
            row = evidence.rows(_PHASES)[0]
            began_ns, ended_ns = row["began_ns"], row["ended_ns"]
    except UnansweredError:
        pass
    took = None if began_ns is None or ended_ns is None else (ended_ns - began_ns) / 1e9
    decision = decide(plan, verdict)
    return ReportedRun(plan, decision, folder.backend, verdict, folder.path, began_ns, took)


def failed(plan: Plan, backend: str, error: HarnessError) -> ReportedRun:
    """
    A run that ended without a verdict, with `error`.
    """
    return ReportedRun(plan, Decision(Exit(error.exit_code), (str(error),)), backend)


def labels(runs: Sequence[ReportedRun]) -> list[str]:
    """
    A label for each run, all different: of equal ones the second ends with ` (2)`.
    """
    return all_different(run.label for run in runs)


def all_different(names: Iterable[str]) -> list[str]:
    """
    The names in their order, with ` (2)`, ` (3)` and so on behind those that were there before.
    """
    found: dict[str, None] = {}
    for name in names:
        numbered = (f"{name} ({number})" for number in count(2))
        found[name if name not in found else next(each for each in numbered if each not in found)] = None
    return list(found)
