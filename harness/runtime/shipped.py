"""
What the harness ships beside its code: the named scenarios, the reference target, and its compose files.

In a checkout they are folders of the repository. In an installed package they lie in `harness/shipped/`, where the
wheel's build puts them (pyproject.toml), in the same places towards each other.
"""

from __future__ import annotations

import shutil
from pathlib import Path

_PACKAGE = Path(__file__).resolve().parents[1]
_INSTALLED = _PACKAGE / "shipped"

ROOT = _INSTALLED if _INSTALLED.is_dir() else _PACKAGE.parent
"""The folder that holds the three."""

SCENARIOS = ROOT / "scenarios"
TARGET = ROOT / "target" / "target.yaml"
COMPOSE = ROOT / "compose"

_IGNORED = shutil.ignore_patterns("__pycache__", "shipped", "tls")
"""Compiled files, what is shipped (it is copied by itself), and the certificates that a user made."""


def copy_sources(to: Path) -> None:
    """
    Copy what our own images are built from into `to`, laid out as the repository is.
    """
    shutil.copytree(_PACKAGE, to / _PACKAGE.name, ignore=_IGNORED)
    for folder in (SCENARIOS, TARGET.parent, COMPOSE):
        shutil.copytree(folder, to / folder.name, ignore=_IGNORED)
