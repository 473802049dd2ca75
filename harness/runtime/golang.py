"""
Building from source with Go: inside the release's own module as Go keeps it, so that the release's own go.mod
(with its replace lines, which bind only there) chooses every dependency and its go.sum verifies each.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import signal
import subprocess
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.errors import ProvisionError
from harness.runtime import versions
from harness.runtime.parts import Module, Part

Heard = Callable[[str], None]
"""Gets the state of a long step in a few words, each time it changes."""

_ENVIRONMENT = {"CGO_ENABLED": "0", "GOFLAGS": "-mod=readonly", "GOWORK": "off"}
_DATABASE_DECIDES = {"GOSUMDB": "sum.golang.org", "GONOSUMDB": "none"}
"""For a module without a pin: nobody's settings may switch off the only check that there is."""

_CHATTER = re.compile(r"go: downloading|[\w.~@/-]+$")
"""What Go says while all goes well: downloads, and the packages that it compiles (`-v`)."""


@dataclass(frozen=True)
class Go:
    """
    A Go toolchain, and its version.
    """

    path: Path
    version: str


@dataclass(frozen=True)
class Tree:
    """
    A module's source with everything that it needs: its folder, the go.mod to use in place of its own (None for
    its own), and in words what it is and what it was held against.
    """

    folder: Path
    gomod: Path | None
    what: str
    checked: str


def find() -> Go:
    """
    The Go on the PATH, or where its installer puts it. Raises ProvisionError if there is none, or only an old one.
    """
    program = shutil.which("go") or shutil.which("go", path="/usr/local/go/bin")
    if program is None:
        raise ProvisionError("no `go` on the PATH or in /usr/local/go/bin")
    try:
        said = subprocess.run((program, "version"), capture_output=True, text=True, timeout=10, check=True).stdout
        version = said.split()[2].removeprefix("go")
    except (OSError, subprocess.SubprocessError, IndexError) as error:
        raise ProvisionError(f"{program} does not run: {error}") from error
    if versions.numbers(version) < versions.numbers(versions.GO_AT_LEAST):
        raise ProvisionError(f"{program} is Go {version}, {versions.GO_AT_LEAST} or newer is needed")
    return Go(Path(program), version)


async def fetch(go: Go, module: Module, packages: Sequence[str], staging: Path, heard: Heard) -> Tree:
    """
    Download a module and all that these packages of it need, into Go's own module cache.

    Where one of its dependencies is not served and a stand-in is known, the stand-in is used, and `Tree.what` says so.
    Raises ProvisionError if something cannot be had, or is not what its checksum says.
    """
    folder, checked = await _source(go, module, staging, heard)
    tree = Tree(folder, None, f"{module.path} v{module.version}", checked)
    try:
        await _dependencies(go, tree, module, packages, heard)
    except ProvisionError:
        stand_ins = versions.STAND_INS.get(str(module), ())
        if not stand_ins:
            raise
        tree = await _with_stand_ins(go, tree, stand_ins, staging)
        await _dependencies(go, tree, module, packages, heard)
    return tree


async def build(go: Go, tree: Tree, parts: Sequence[Part], staging: Path, heard: Heard) -> None:
    """
    Compile these parts of one module to `staging/<name>`. Raises ProvisionError if it does not compile.

    All go into one call of Go for the packages they share; the linking of each is a call of its own, because Go would
    name a program by its folder.
    """
    module = parts[0].module
    if module is None:
        raise ValueError(f"{parts[0].name} has no source")
    packages = tuple(part.package for part in parts)
    needed = (await _dependencies(go, tree, module, packages, heard)).split()
    done = 0

    def listen(line: str) -> None:
        nonlocal done
        done += _CHATTER.match(line) is not None
        heard(f"{done} of {len(needed)} packages compiled")

    stamps = " ".join(f"-X {variable}={module.version}" for variable in module.stamps)
    for part in parts:
        # -buildvcs=false: a repository around the cache is none of the program's business.
        flags = ("-v", "-buildvcs=false", "-trimpath", "-tags", module.tags, "-ldflags", f"-s -w {stamps}")
        await _run(
            go, "build", *_modfile(tree), *flags, "-o", str(staging / part.name), part.package,
            cwd=tree.folder, more={"GOTMPDIR": str(staging)}, listen=listen,
        )  # fmt: skip
