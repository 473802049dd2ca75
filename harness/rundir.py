"""
The run directory: all files of a run, and the only thing that the stages of a run share (docs/run-directory.md).
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from pydantic import ValidationError

from harness.errors import EvidenceError, UsageError
from harness.files import BY_HARNESS, is_there, no_plain_file, read_up_to, write_whole
from harness.journal import Journals
from harness.model import Plan, SelfTest, Stall, Verdict

LATEST, TRIAL = "latest", "trial"
_READ = ("evidence", "invariants", "journal", "known", "logs", TRIAL, "violations")
"""The folders of a run in which files are read or written after it. What is in `data` is the nodes' own."""
JUNIT = "junit.xml"
SUMMARY = "summary.md"
PROCESSES = "processes"
"""The backend that is used if none is named."""


@dataclass(frozen=True)
class RunDir:
    """
    The files and folders of one run.
    """

    path: Path

    @property
    def name(self) -> str:
        """
        The run's name: `<utc>-<scenario>-<seed>`.
        """
        return self.path.name

    @property
    def plan(self) -> Path:
        """
        The plan: what the run does.
        """
        return self.path / "plan.json"

    @property
    def journals(self) -> Journals:
        """
        What was recorded during the run.
        """
        return Journals(self.path / "journal")

    @property
    def taps(self) -> Path:
        """
        The folder of what the taps recorded, `<sidecar>-<life>.tap`: all that was said, also secrets. Nothing but the
        collector reads it, and it is not packed.
        """
        return self.path / "taps"

    @property
    def evidence(self) -> Path:
        """
        The folder of what was collected afterwards: `*.parquet`.
        """
        return self.path / "evidence"

    @property
    def invariants(self) -> Path:
        """
        The folder of the invariants of the target and of installed packages, as they were at the time of the run:
        `*.sql`. It does not exist if there are none.
        """
        return self.path / "invariants"

    @property
    def known(self) -> Path:
        """
        The team's own known findings, as they were when the run was made: `*.sql`; not there if there are none.
        """
        return self.path / "known"

    @property
    def logs(self) -> Path:
        """
        The folder of logs, one file per node.
        """
        return self.path / "logs"

    @property
    def data(self) -> Path:
        """
        The folder that has one folder per node, with what the node keeps over its restarts.
        """
        return self.path / "data"

    @property
    def progress(self) -> Path:
        """
        How far the run is; not there before its load and after its end.
        """
        return self.path / "progress.json"

    @property
    def verdict(self) -> Path:
        """
        What was found.
        """
        return self.path / "verdict.json"

    @property
    def violations(self) -> Path:
        """
        The folder of the rows against each violated invariant, `<invariant>.parquet`. It does not exist if nothing is
        violated.
        """
        return self.path / "violations"

    @property
    def sums(self) -> Path:
        """
        The manifest: the files that the run left, with their SHA-256.
        """
        return self.path / "SHA256SUMS"

    @property
    def junit(self) -> Path:
        """
        The verdict as test results, for CI systems.
        """
        return self.path / JUNIT

    @property
    def summary(self) -> Path:
        """
        The verdict in Markdown, for CI systems.
        """
        return self.path / SUMMARY

    @property
    def selftest(self) -> Path:
        """
        Which of the defects that were planted in copies of the evidence the checker caught.
        """
        return self.path / "selftest.json"

    @property
    def stalled(self) -> Path:
        """
        What stood still. The file exists only if something did.
        """
        return self.path / "stalled.json"

    @property
    def stands(self) -> Path:
        """
        A mark: the file exists while a system that `harness up` started should stay up.
        """
        return self.path / "stands"

    def save_endpoints(self, endpoints: str) -> None:
        """
        Write endpoints.json, from which the load generator learns the addresses of the system.
        """
        write_whole(self.path / "endpoints.json", endpoints + "\n")

    @property
    def backend(self) -> str:
        """
        The name of the backend on which the system ran; the default backend if it never came up.
        """
        try:
            return str(json.loads(read_up_to(BY_HARNESS, self.path / "endpoints.json")).get("backend", PROCESSES))
        except (OSError, ValueError, AttributeError, RecursionError):  # or nested too deep for the parser
            return PROCESSES

    def save_plan(self, plan: Plan) -> None:
        """
        Write plan.json, completely or not at all.
        """
        write_whole(self.plan, plan.model_dump_json(indent=2, by_alias=True) + "\n")

    def keep_invariants(self, texts: Mapping[str, str]) -> None:
        """
        Write the invariants by which the run is judged in addition to the general ones (name -> content of the SQL
        file). So the run can be judged later by the same invariants, also on a machine that does not have them.
        """
        self.invariants.mkdir(exist_ok=True)  # also if there are none: one that is not there was lost
        _keep(self.invariants, texts)

    def keep_known(self, texts: Mapping[str, str]) -> None:
        """
        Write the team's own known findings (name -> SQL file's content) into the run, for the same reason.
        """
        _keep(self.known, texts)

    def load_plan(self) -> Plan:
        """
        Return the plan of plan.json. Raises EvidenceError if it is missing or of another version of the harness.
        """
        try:
            return Plan.model_validate_json(read_up_to(BY_HARNESS, self.plan))
        except OSError as error:
            raise EvidenceError(f"{self.path} is not a run directory: {error.strerror}: plan.json") from error
        except ValidationError as error:
            raise EvidenceError(f"{self.plan} was not written by this version of the harness: {error}") from error

    def save_stall(self, stall: Stall) -> None:
        """
        Write stalled.json, completely or not at all.
        """
        write_whole(self.stalled, stall.model_dump_json(indent=2) + "\n")

    def load_stall(self) -> Stall | None:
        """
        Return the content of stalled.json; None if nothing stood still, or if it cannot be read.
        """
        try:
            return Stall.model_validate_json(read_up_to(BY_HARNESS, self.stalled))
        except (OSError, ValidationError):
            return None

    def save_selftest(self, selftest: SelfTest) -> None:
        """
        Write selftest.json, completely or not at all.
        """
        write_whole(self.selftest, selftest.model_dump_json(indent=2) + "\n")

    def load_selftest(self) -> SelfTest | None:
        """
        Return the content of selftest.json; None if there was no self-test, or if it cannot be read.
        """
        try:
            return SelfTest.model_validate_json(read_up_to(BY_HARNESS, self.selftest))
        except (OSError, ValidationError):
            return None

    def save_verdict(self, verdict: Verdict) -> None:
        """
        Write verdict.json, completely or not at all.
        """
        write_whole(self.verdict, verdict.model_dump_json(indent=2) + "\n")

    def load_verdict(self) -> Verdict:
        """
        Return the content of verdict.json. Raises EvidenceError if the run was not judged, or if the file is of another
        version of the harness.
        """
        try:
            return Verdict.model_validate_json(read_up_to(BY_HARNESS, self.verdict))
        except OSError as error:
            raise EvidenceError(f"{self.path} has no verdict yet; run `harness check {self.path}`") from error
        except ValidationError as error:
            raise EvidenceError(
                f"{self.verdict} was not written by this version of the harness; run `harness check {self.path}`"
            ) from error


def _keep(folder: Path, texts: Mapping[str, str]) -> None:
    for name, text in sorted(texts.items()):
        folder.mkdir(exist_ok=True)
        (folder / f"{name}.sql").write_text(text, encoding="utf-8")


def create(root: Path, scenario: str, seed: int, now: datetime | None = None) -> RunDir:
    """
    Make a new run directory below `root`, make `root/latest` point at it, and return it. `now` is the time for its
    name; None means the current time.

    Two runs that begin in the same second get different names. Raises UsageError if a hundred names are taken.
    """
    run = RunDir(new_folder(root, f"{re.sub(r'[^A-Za-z0-9_.]+', '-', scenario)}-{seed}", now))
    for folder in (run.journals.folder, run.taps, run.evidence, run.logs, run.data):
        folder.mkdir()
    point_latest(run)
    return run


def new_folder(root: Path, name: str, now: datetime | None = None) -> Path:
    """
    Make the folder `<utc>-<name>` below `root`, with a number at the end if that is taken, and return its absolute
    path. Raises UsageError if a hundred names are taken.
    """
    stamp = (now or datetime.now(UTC)).strftime("%Y%m%dT%H%M%SZ")
    root.mkdir(parents=True, exist_ok=True)
    base = f"{stamp}-{name}"
    for number in range(1, 100):
        path = root / (base if number == 1 else f"{base}-{number}")
        try:
            path.mkdir()
        except FileExistsError:
            continue
        return path.resolve()
    raise UsageError(f"{root / base} exists a hundred times over")


def point_latest(run: RunDir) -> None:
    """
    Make `latest`, beside the run, point at it.
    """
    scratch = run.path.with_name(f".latest-{os.getpid()}")
    scratch.unlink(missing_ok=True)
    scratch.symlink_to(run.name)
    scratch.replace(run.path.with_name(LATEST))


def standing(root: Path) -> list[RunDir]:
    """
    Return the runs below `root` whose system was started by `harness up` and should still be up.
    """
    return [RunDir(mark.parent.resolve()) for mark in sorted(root.glob("*/stands"))]


def plain(run: RunDir) -> RunDir:
    """
    Return `run`. Raises EvidenceError if it holds a link, a pipe or a device in place of a file.
    """
    if (found := no_plain_file(run.path, _READ)) is not None:
        raise EvidenceError(f"{found} is no plain file; a run directory holds files and folders, and no links")
    return run


def find(root: Path, name: str) -> RunDir:
    """
    Return the run called `name`: a path, a name below `root`, or `latest`.

    Raises UsageError if there is no such run, EvidenceError if it holds anything but plain files: a run that a stranger
    made must not lead us to files of ours.
    """
    for path in (Path(name), root / name):
        if is_there(path / "plan.json"):
            return plain(RunDir(path.resolve()))
    have = sorted({path.parent.name for path in root.glob("*/plan.json")} - {LATEST}) if root.is_dir() else []
    hint = f"the newest are: {', '.join(have[-3:])}" if have else f"there are no runs in {root}"
    raise UsageError(f'there is no run "{name}"; {hint}')
