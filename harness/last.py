"""
What the last command that makes runs left below its folder, beside the run directories: `latest`, `last.json`,
`junit.xml` and `summary.md`. CI systems and `harness gate` begin there.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pydantic import Field, ValidationError

from harness import rundir
from harness.errors import EvidenceError, UsageError
from harness.files import BY_HARNESS, read_up_to, write_whole
from harness.model import Value

FILE = "last.json"


class LastCommand(Value):
    """
    What the last command that makes runs made below a folder: how many it was asked for, the names of those that were
    judged, and a sentence for each that failed.
    """

    asked: int = Field(ge=1)
    runs: tuple[str, ...] = ()
    failed: tuple[str, ...] = ()


def forget(root: Path) -> None:
    """
    Remove what tells of the last command below `root`: `latest` and the reports of its runs. So nobody takes them for
    those of a new command that fails before its first run. Raises UsageError if `root` cannot hold runs.
    """
    with _told(root):
        for name in (rundir.LATEST, FILE, rundir.JUNIT, rundir.SUMMARY):
            (root / name).unlink(missing_ok=True)


def save(root: Path, last: LastCommand) -> None:
    """
    Write `root/last.json`, completely or not at all. Raises UsageError if `root` cannot hold runs.
    """
    with _told(root):
        root.mkdir(parents=True, exist_ok=True)
        write_whole(root / FILE, last.model_dump_json(indent=2) + "\n")


@contextmanager
def _told(root: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise UsageError(f"{root} cannot hold runs: {error.strerror}; give another folder with --out") from error


def load(root: Path) -> LastCommand:
    """
    Return what the last command made below `root`; where no command of this version left that, `latest` is its only
    run. Raises EvidenceError if the file cannot be used, UsageError if `root` is no folder.
    """
    try:
        return LastCommand.model_validate_json(read_up_to(BY_HARNESS, root / FILE))
    except FileNotFoundError:
        return LastCommand(asked=1, runs=(rundir.LATEST,))
    except NotADirectoryError as error:
        raise UsageError(f"{root} is not a folder; --out names the folder of the runs") from error
    except (OSError, ValidationError) as error:
        raise EvidenceError(f"{root / FILE} was not written by this version of the harness; name the runs") from error
