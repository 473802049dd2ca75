"""
The files of an image, collected from this machine: folders, and programs with the shared libraries that they need.

Nothing is built, and no program is run except `ldd`. The machine's own loader is asked which libraries a program needs.
So every program that runs on this machine also runs in the image, on the same kind of kernel and processor.
"""

from __future__ import annotations

import io
import os
import re
import subprocess
import tarfile
from collections.abc import Callable, Iterable
from pathlib import Path, PurePosixPath
from typing import IO

from harness.errors import ProvisionError

_LIBRARY = re.compile(r"^\s*(?:\S+ => )?(/\S+) \(0x", re.MULTILINE)
_MISSING = re.compile(r"^\s*(\S+) => not found", re.MULTILINE)
_ELF = b"\x7fELF"
_FOR_ALL = 0o1777

NOBODY = 65532
"""The user of distroless images, and so of Dapr's."""


class Rootfs:
    """
    The files of an image. Each path in the image is mapped to a file on this machine, or to a text.
    """

    def __init__(self, extracted: Path | None = None) -> None:
        """
        `extracted` is a folder with unpacked packages. Libraries are looked for there first. The path of a file
        relative to `extracted` is its path in the image.
        """
        self._extracted = extracted
        self._files: dict[PurePosixPath, Path] = {}
        self._texts: dict[PurePosixPath, str] = {}
        self._folders: dict[PurePosixPath, tuple[int, int]] = {}
        self.folder("/tmp", _FOR_ALL)  # noqa: S108 - the image's own
        self.text("/etc/passwd", f"root:x:0:0:root:/root:/none\nnonroot:x:{NOBODY}:{NOBODY}::/home/nonroot:/none\n")
        self.text("/etc/group", f"root:x:0:\nnonroot:x:{NOBODY}:\n")
        self.text("/etc/nsswitch.conf", "hosts: files dns\n")

    def folder(self, at: str, mode: int = 0o755, owner: int = 0) -> None:
        """
        Add an empty folder.
        """
        self._folders[PurePosixPath(at)] = (mode, owner)

    def text(self, at: str, content: str) -> None:
        """
        Add a file that everybody may read.
        """
        self._texts[PurePosixPath(at)] = content

    def program(self, source: Path, at: str) -> None:
        """
        Add a program, and the libraries that it needs, at the paths where the loader found them.
        """
        self._files[PurePosixPath(at)] = source
        self._need([source])

    def tree(self, source: Path, at: str, *, leave_out: Callable[[Path], bool] = lambda _: False) -> None:
        """
        Add a folder and everything below it, except what `leave_out` returns True for, and the libraries that its files
        need.
        """
        found = []
        for folder, folders, files in os.walk(source):
            folders[:] = [name for name in folders if not leave_out(Path(folder, name))]
            found += [Path(folder, name) for name in files if not leave_out(Path(folder, name))]
        self.files((file, str(PurePosixPath(at, file.relative_to(source)))) for file in found)

    def files(self, files: Iterable[tuple[Path, str]]) -> None:
        """
        Add files, each with its path in the image, and the libraries that they need.
        """
        pairs = list(files)
        self._files.update((PurePosixPath(at), source) for source, at in pairs)
        self._need([source for source, _ in pairs])

    def write(self, to: IO[bytes]) -> None:
        """
        Write the image's only layer, as `docker import` reads it. The owners of files on this machine are not kept.
        """
        with tarfile.open(fileobj=to, mode="w|") as tar:
            for at, (mode, owner) in self._folders.items():
                entry = tarfile.TarInfo(str(at).lstrip("/"))
                entry.type, entry.mode, entry.uid, entry.gid = tarfile.DIRTYPE, mode, owner, owner
                tar.addfile(entry)
            for at, content in self._texts.items():
                entry = tarfile.TarInfo(str(at).lstrip("/"))
                entry.size, entry.mode = len(content.encode()), 0o644
                tar.addfile(entry, io.BytesIO(content.encode()))
            for at, source in sorted(self._files.items()):
                # Links are followed: a link's destination on this machine may not exist in the image.
                status = source.stat()
                entry = tarfile.TarInfo(str(at).lstrip("/"))
                entry.size, entry.mode = status.st_size, 0o755 if status.st_mode & 0o111 else 0o644
                entry.mtime = int(status.st_mtime)  # Python compares it with the time in its compiled files
                with source.open("rb") as content_of:
                    tar.addfile(entry, content_of)

    def _need(self, files: Iterable[Path]) -> None:
        """
        Add the libraries that files need. `ldd` is called once for all files, because each call takes a while.
        """
        binaries = [str(file) for file in files if _is_elf(file)]
        if not binaries:
            return
        environment = {**os.environ, "LC_ALL": "C", "LD_LIBRARY_PATH": ":".join(map(str, self._library_folders()))}
        try:
            output = subprocess.run(
                ("ldd", *binaries),  # noqa: S607 - the ldd of this machine
                env=environment,
                capture_output=True,
                text=True,
                check=False,
                errors="replace",
            ).stdout
        except OSError as error:
            raise ProvisionError(f"`ldd`, which lists the libraries of a program, does not run: {error}") from error
        if missing := sorted(set(_MISSING.findall(output))):
            raise ProvisionError(f"not on this machine: {', '.join(missing)}, which {binaries[0]} or another needs")
        gathered = {file.resolve() for file in self._files.values()}
        for name in set(_LIBRARY.findall(output)):
            library = Path(os.path.normpath(name))
            # A library that is already among the files is found in the image as it is here: relative to the file that
            # needs it. Its path there may differ from the path here.
            if library.resolve() in gathered:
                continue
            if self._extracted is not None and library.is_relative_to(self._extracted):
                self._files[PurePosixPath("/", library.relative_to(self._extracted))] = library
            else:
                self._files[PurePosixPath(library)] = library

    def _library_folders(self) -> list[Path]:
        if self._extracted is None:
            return []
        return sorted({file.parent for file in self._extracted.rglob("*.so*")})


def _is_elf(file: Path) -> bool:
    with file.open("rb") as stream:
        return stream.read(len(_ELF)) == _ELF
