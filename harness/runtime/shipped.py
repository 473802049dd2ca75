"""
What the harness ships besides its code: the named scenarios, the reference target, and the compose files.

In a checkout they are folders of the repository. In an installed package they are in `harness/shipped/`, where the
wheel's build puts them (pyproject.toml), with the same paths relative to each other.
"""

from __future__ import annotations

import shutil
from pathlib import Path

_PACKAGE = Path(__file__).resolve().parents[1]
_INSTALLED = _PACKAGE / "shipped"

ROOT = _INSTALLED if _INSTALLED.is_dir() else _PACKAGE.parent
"""The folder that contains all three."""

SCENARIOS = ROOT / "scenarios"
TARGET = ROOT / "target" / "target.yaml"
COMPOSE = ROOT / "compose"

_IGNORED = shutil.ignore_patterns("__pycache__", "shipped", "tls")
"""
Not copied: compiled files, the folder `shipped` (its content is copied separately), and certificates that a user made.
"""


def copy_sources(to: Path) -> None:
    """
    Copy the sources of the project's own images into `to`, in the layout of the repository.
    """
    shutil.copytree(_PACKAGE, to / _PACKAGE.name, ignore=_IGNORED)
    for folder in (SCENARIOS, TARGET.parent, COMPOSE):
        shutil.copytree(folder, to / folder.name, ignore=_IGNORED)
