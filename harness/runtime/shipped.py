"""
What the harness ships besides its code: the named scenarios, the reference target, and the compose files.

In a checkout they are folders of the repository. In an installed package they are in `harness/shipped/`, where the
wheel's build puts them (pyproject.toml), with the same paths relative to each other.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from harness.errors import UsageError

_PACKAGE = Path(__file__).resolve().parents[1]
_INSTALLED = _PACKAGE / "shipped"

ROOT = _INSTALLED if _INSTALLED.is_dir() else _PACKAGE.parent
"""The folder that contains all three."""

SCENARIOS = ROOT / "scenarios"
TARGET = ROOT / "target" / "target.yaml"
COMPOSE = ROOT / "compose"

_IGNORED = shutil.ignore_patterns(".venv", "__pycache__", "bin", "node_modules", "shipped", "tls")
"""
Not copied: compiled files and installed packages, the folder `shipped` (its content is copied separately), and
certificates that a user made.
"""


def copy_sources(to: Path) -> None:
    """
    Copy the sources of the project's own images into `to`, in the layout of the repository.
    """
    shutil.copytree(_PACKAGE, to / _PACKAGE.name, ignore=_IGNORED)
    for folder in (SCENARIOS, TARGET.parent, COMPOSE):
        shutil.copytree(folder, to / folder.name, ignore=_IGNORED)


def copy_out(to: Path, scenario: Path) -> tuple[Path, ...]:
    """
    Copy a named scenario, the reference target and the compose files into the folder `to`, for changing; return the
    folders that were made. The copied scenario is for the copied target.

    Raises UsageError if there is something in that folder.
    """
    if to.is_file() or (to.is_dir() and any(to.iterdir())):
        raise UsageError(f"{to} is there and not empty; `harness init` writes into a new or empty folder alone")
    copied = tuple(to / folder.name for folder in (SCENARIOS, TARGET.parent, COMPOSE))
    try:
        copied[0].mkdir(parents=True)
        shutil.copy(SCENARIOS / "locustfile.py", copied[0])
        text = scenario.read_text(encoding="utf-8")
        if not any(line.startswith("target:") for line in text.splitlines()):
            text = f"target: ../{TARGET.parent.name}/{TARGET.name}\n{text}"
        (copied[0] / scenario.name).write_text(text, encoding="utf-8")
        for folder, copy in zip((TARGET.parent, COMPOSE), copied[1:], strict=True):
            shutil.copytree(folder, copy, ignore=_IGNORED)
    except OSError as error:
        raise UsageError(f"{to} cannot be written: {error}") from error
    return copied
