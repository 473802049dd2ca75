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
from typing import cast

from harness.errors import ProvisionError
from harness.runtime import versions
from harness.runtime.parts import Module, Part

Heard = Callable[[str], None]
"""Gets the state of a long step in a few words, each time it changes."""

_ENVIRONMENT = {"CGO_ENABLED": "0", "GOFLAGS": "-mod=readonly", "GOWORK": "off"}
_DATABASE_DECIDES = {"GOSUMDB": "sum.golang.org", "GONOSUMDB": "none"}
"""For a module without a pin: nobody's settings may switch off the only check that there is."""

_DOWNLOADING = "go: downloading "
_COMPILED = re.compile(r"[\w.~/-]+")
"""What Go says on its standard error while all goes well: modules it downloads, and with `-v` packages it compiles."""

_LONGEST_LINE = 1 << 20
_COMPLAINTS = 5
"""Of Go's last lines this many are passed on when it fails."""


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


async def build(
    go: Go, tree: Tree, module: Module, parts: Sequence[Part], into: Path, heard: Heard
) -> Mapping[str, Path]:
    """
    Compile these parts of a module, in one call, because they share most packages; return the programs by part's name.

    Raises ProvisionError if they do not compile.
    """
    packages = tuple(part.package for part in parts)
    total = len((await _dependencies(go, tree, module, packages, heard)).split())
    done = 0

    def listen(line: str) -> None:
        nonlocal done
        done += bool(_COMPILED.fullmatch(line))
        heard(f"{done} of at most {total} packages compiled")

    stamps = " ".join(f"-X {variable}={module.version}" for variable in module.stamps)
    # -buildvcs=false: a repository around the module cache is none of the program's business.
    flags = ("-v", "-buildvcs=false", "-trimpath", "-tags", module.tags, "-ldflags", f"-s -w {stamps}")
    await _run(
        go,
        ("build", *_gomod(tree), *flags, "-o", f"{into}{os.sep}", *packages),
        cwd=tree.folder,
        listen=listen,
        # Unfinished objects lie where the next provision clears up, and not in a /tmp that may be small.
        more={"GOTMPDIR": str(into)},
    )
    return {part.name: into / part.package.rpartition("/")[2] for part in parts}


async def _source(go: Go, module: Module, staging: Path, heard: Heard) -> tuple[Path, str]:
    heard("downloading the source")
    pin = versions.MODULE_SUMS.get(str(module))
    said = await _run(go, ("mod", "download", "-json", str(module)), cwd=staging, more={} if pin else _DATABASE_DECIDES)
    source = json.loads(said)
    got = source["Sum"]
    if pin is None:
        return Path(source["Dir"]), f"source has sum {got} as Go's checksum database says (not pinned here)"
    if got != pin:
        raise ProvisionError(f"the source of {module} has sum {got}, pinned is {pin}: not used")
    return Path(source["Dir"]), f"source has the pinned sum {got}"


async def _dependencies(go: Go, tree: Tree, module: Module, packages: Sequence[str], heard: Heard) -> str:
    """
    List every package that goes into these, one a line, for which Go downloads and verifies what is missing.
    """
    done = 0

    def listen(line: str) -> None:
        nonlocal done
        done += line.startswith(_DOWNLOADING)
        heard(f"{done} modules downloaded")

    return await _run(
        go, ("list", "-deps", *_gomod(tree), "-tags", module.tags, *packages), cwd=tree.folder, listen=listen
    )


async def _with_stand_ins(go: Go, tree: Tree, stand_ins: Sequence[versions.StandIn], staging: Path) -> Tree:
    gomod, gosum = staging / "go.mod", staging / "go.sum"
    shutil.copyfile(tree.folder / "go.mod", gomod)
    shutil.copyfile(tree.folder / "go.sum", gosum)
    with gosum.open("a") as sums:
        for one in stand_ins:
            sums.write(
                f"{one.module} {one.version} {one.source_sum}\n{one.module} {one.version}/go.mod {one.gomod_sum}\n"
            )
    requires = (f"-require={one.module}@{one.version}" for one in stand_ins)
    await _run(go, ("mod", "edit", *requires, str(gomod)), cwd=staging)
    names = " and ".join(f"{one.module} {one.version}" for one in stand_ins)
    what = f"{tree.what} with {names}, a mixture: the release's own choice is not served"
    return Tree(tree.folder, gomod, what, tree.checked)


async def _run(
    go: Go,
    arguments: Sequence[str],
    *,
    cwd: Path,
    listen: Heard = lambda _: None,
    more: Mapping[str, str] | None = None,
) -> str:
    """
    Run Go; return its standard output, and give each line of its standard error to `listen`.

    Raises ProvisionError with what Go complained of. Its standard error is a pipe that we hold: if we are killed, Go
    dies of the next line that it writes.
    """
    # `auto` is Go's own default, which some distributions switch off; a newer toolchain is verified like any module.
    environment = {"GOTOOLCHAIN": "auto", **os.environ, **_ENVIRONMENT, **(more or {})}
    process = await asyncio.create_subprocess_exec(
        go.path,
        *arguments,
        cwd=cwd,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        limit=_LONGEST_LINE,
    )
    output, errors = (
        cast("asyncio.StreamReader", process.stdout),
        cast("asyncio.StreamReader", process.stderr),
    )  # both were asked for
    complaints: deque[str] = deque(maxlen=_COMPLAINTS)

    async def hear() -> None:
        async for raw in errors:
            line = raw.decode(errors="replace").rstrip()
            listen(line)
            if not line.startswith(_DOWNLOADING) and not _COMPILED.fullmatch(line):
                complaints.append(line)

    try:
        out, _ = await asyncio.gather(output.read(), hear())
        code = await process.wait()
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGINT)  # unlike SIGKILL it lets Go end its compilers and clear up
            await process.wait()
    if code:
        raise ProvisionError(f"`go {arguments[0]}` failed: {' | '.join(complaints) or ' '.join(out.decode().split())}")
    return out.decode()


def _gomod(tree: Tree) -> tuple[str, ...]:
    return () if tree.gomod is None else (f"-modfile={tree.gomod}",)
