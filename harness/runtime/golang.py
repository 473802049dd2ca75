"""
Builds from source with Go, inside the release's own module in Go's module cache. So the release's own go.mod chooses
every dependency (its replace lines apply only there), and its go.sum verifies each.
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
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

from harness.errors import ProvisionError
from harness.runtime import gocache, versions
from harness.runtime.parts import Module, Part
from harness.runtime.versions import GO_AT_LEAST, Mixture, numbers

_INSTALLED = "/usr/local/go/bin"
"""The folder into which https://go.dev/doc/install puts Go. Many users do not add it to the PATH."""

_ENVIRONMENT = {"CGO_ENABLED": "0", "GOWORK": "off"}
_DATABASE_DECIDES = {"GOSUMDB": "sum.golang.org", "GONOSUMDB": "none"}
"""
Environment for a module without a pinned checksum. Go's checksum database is then the only check, so the user's
settings must not switch it off.
"""

_DOWNLOADING = "go: downloading "
_COMPILED = re.compile(r"[\w.~/-]+")
"""
What Go writes to its standard error when all goes well: the modules that it downloads, and with `-v` the packages that
it compiles.
"""

_FORGED = "checksum mismatch"
"""Go's words for a module that does not match its checksum. No other module is ever used in its place in that case."""

_MIXTURE = "a mixture: the release's own choice is not served"
_LONGEST_LINE = 1 << 20
_COMPLAINTS = 5
"""How many of Go's last lines become part of the error message when Go fails."""


@dataclass(frozen=True)
class Go:
    """
    A Go toolchain, and its version.
    """

    path: Path
    version: str


@dataclass(frozen=True)
class Job:
    """
    Parts of one module, the Go toolchain that builds them, and an empty folder to build them in. `heard` is called with
    the current state, in a few words.
    """

    go: Go
    module: Module
    parts: Sequence[Part]
    folder: Path
    heard: Callable[[str], None]

    @property
    def packages(self) -> tuple[str, ...]:
        """
        The Go packages of the parts.
        """
        return tuple(part.package for part in self.parts)


@dataclass(frozen=True)
class Source:
    """
    A module's source on this machine: its folder, a description in words, the checksum with which it was compared (in
    words), and the number of packages that go into the parts.
    """

    folder: Path
    what: str
    checked: str
    packages: int = 0


def find() -> Go:
    """
    Return the Go on the PATH, or in the folder into which its installer puts it. Raises ProvisionError if there is
    none, or only one that is too old.
    """
    program = shutil.which("go") or shutil.which("go", path=_INSTALLED)
    if program is None:
        raise ProvisionError(f"no `go` on the PATH or in {_INSTALLED}")
    try:
        said = subprocess.run((program, "version"), capture_output=True, text=True, timeout=10, check=True).stdout
        version = said.split()[2].removeprefix("go")
    except (OSError, subprocess.SubprocessError, IndexError) as error:
        raise ProvisionError(f"{program} does not run: {error}") from error
    if numbers(version) < numbers(GO_AT_LEAST):
        raise ProvisionError(f"{program} is Go {version}, {GO_AT_LEAST} or newer is needed")
    return Go(Path(program), version)


async def fetch(job: Job) -> Source:
    """
    Download the module and everything that the parts need into the module cache.

    If one of its dependencies cannot be downloaded and a mixture without it is known, that is made, and `Source.what`
    says so. Raises ProvisionError if something cannot be downloaded or does not match its checksum.
    """
    source = await _module(job)
    try:
        return await _complete(job, source)
    except ProvisionError as error:
        mixture = versions.MIXTURES.get(str(job.module))
        blamed = mixture is not None and any(module in str(error) for module in mixture.modules)
        if mixture is None or not blamed or _FORGED in str(error):
            raise
        return await _complete(job, await _mixed(mixture, job, source))


async def build(job: Job, source: Source) -> Mapping[str, Path]:
    """
    Compile the parts in one call, because they share most packages. Return the programs by the part's name.

    Raises ProvisionError if they do not compile.
    """
    compiled = 0

    def listen(line: str) -> None:
        nonlocal compiled
        compiled += bool(_COMPILED.fullmatch(line))
        job.heard(f"{compiled} of at most {source.packages} packages compiled")

    module = job.module
    stamps = " ".join(f"-X {variable}={module.version}" for variable in module.stamps)
    # -buildvcs=false: if the module cache lies inside a repository, that repository must not get into the program.
    flags = ("-v", "-buildvcs=false", "-trimpath", "-tags", module.tags, "-ldflags", f"-s -w {stamps}")
    await _run(
        job.go,
        ("build", *flags, "-o", f"{job.folder}{os.sep}", *job.packages),
        cwd=source.folder,
        listen=listen,
        # The next provision cleans this folder up, and /tmp may be too small.
        more={"GOTMPDIR": str(job.folder)},
    )
    return {part.name: job.folder / part.package.rpartition("/")[2] for part in job.parts}


async def _module(job: Job) -> Source:
    job.heard("downloading the source")
    module, pin = job.module, versions.MODULE_SUMS.get(str(job.module))
    arguments = ("mod", "download", "-json", str(module))
    said = json.loads(await _run(job.go, arguments, cwd=job.folder, more={} if pin else _DATABASE_DECIDES))
    got = said["Sum"]
    if pin not in (None, got):
        raise ProvisionError(f"the source of {module} has sum {got}, pinned is {pin}: not used")
    checked = f"source has the pinned sum {got}" if pin else f"source has sum {got} by Go's database, not pinned here"
    return Source(Path(said["Dir"]), f"{module.path} v{module.version}", checked)


async def _complete(job: Job, source: Source) -> Source:
    """
    List all packages that go into the parts. This makes Go download and verify the modules that are missing.
    """
    downloaded = 0

    def listen(line: str) -> None:
        nonlocal downloaded
        downloaded += line.startswith(_DOWNLOADING)
        job.heard(f"{downloaded} modules downloaded")

    arguments = ("list", "-deps", "-tags", job.module.tags, *job.packages)
    listed = await _run(job.go, arguments, cwd=source.folder, listen=listen)
    return replace(source, packages=len(listed.split()))


async def _mixed(mixture: Mixture, job: Job, source: Source) -> Source:
    """
    Return a copy of the source, changed as the mixture says. Go's module cache itself is never changed.
    """
    folder = job.folder / "source"
    # Only bytes are copied: the files of Go's module cache are read-only.
    await asyncio.to_thread(shutil.copytree, source.folder, folder, copy_function=shutil.copyfile)
    for path in (folder, *(path for path in folder.rglob("*") if path.is_dir())):
        path.chmod(0o755)
    for name in mixture.left_out:
        (folder / name).unlink()
    with (folder / "go.sum").open("a") as sums:
        for stand_in in mixture.stand_ins:
            module = f"{stand_in.module} {stand_in.version}"
            sums.write(f"{module} {stand_in.source_sum}\n{module}/go.mod {stand_in.gomod_sum}\n")
    edits = [f"-require={stand_in.module}@{stand_in.version}" for stand_in in mixture.stand_ins]
    edits += [f"-droprequire={module}" for module in mixture.dropped]
    gomod = json.loads(await _run(job.go, ("mod", "edit", "-json"), cwd=folder))
    for replaced in gomod["Replace"] or ():
        if replaced["New"]["Path"] in mixture.dropped:
            old = replaced["Old"]
            edits.append(f"-dropreplace={old['Path']}" + (f"@{old['Version']}" if "Version" in old else ""))
    await _run(job.go, ("mod", "edit", *edits), cwd=folder)
    return replace(source, folder=folder, what=f"{source.what} {mixture} ({_MIXTURE})")


async def _run(
    go: Go,
    arguments: Sequence[str],
    *,
    cwd: Path,
    listen: Callable[[str], None] = lambda _: None,
    more: Mapping[str, str] | None = None,
) -> str:
    """
    Run Go and return its standard output. Each line of its standard error is passed to `listen`.

    Its standard error is a pipe to this process: if this process is killed, Go dies when it writes its next line.
    Raises ProvisionError with Go's last error messages if it fails.
    """
    # `auto` is Go's own default, but some distributions switch it off. A newer toolchain is verified like any module.
    environment = {"GOTOOLCHAIN": "auto", **os.environ, **_ENVIRONMENT, **gocache.environment(), **(more or {})}
    process = await asyncio.create_subprocess_exec(
        go.path,
        *arguments,
        cwd=cwd,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        limit=_LONGEST_LINE,
        close_fds=False,  # see cache.staging
        process_group=0,
    )
    output = cast("asyncio.StreamReader", process.stdout)
    errors = cast("asyncio.StreamReader", process.stderr)
    complaints: deque[str] = deque(maxlen=_COMPLAINTS)

    async def hear() -> None:
        async for raw in errors:
            line = raw.decode(errors="replace").rstrip()
            listen(line)
            if not line.startswith(_DOWNLOADING) and not _COMPILED.fullmatch(line):
                complaints.append(line)

    try:
        said, _ = await asyncio.gather(output.read(), hear())
        code = await process.wait()
    finally:
        if process.returncode is None:
            os.killpg(process.pid, signal.SIGINT)  # ends its compilers too; unlike SIGKILL, it lets Go clean up
            await process.wait()
    if code:
        reason = " | ".join(complaints) or " ".join(said.decode(errors="replace").split())
        raise ProvisionError(f"`go {arguments[0]}` failed: {reason}")
    return said.decode()
