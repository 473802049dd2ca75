"""
This machine's Python as the files of an image: the interpreter, its standard library, and installed packages.
"""

from __future__ import annotations

import re
import subprocess
import sys
import sysconfig
from collections.abc import Iterator, Sequence
from importlib import metadata
from importlib.util import cache_from_source
from pathlib import Path

from harness.errors import ProvisionError
from harness.runtime.rootfs import Rootfs

_PIN = re.compile(r"^([A-Za-z0-9._-]+)==([^\s;\\]+)", re.MULTILINE)
_NOT_RUN = {"dist-packages", "idlelib", "lib2to3", "site-packages", "test", "tests", "tkinter"}
"""Folders of the standard library that no server needs."""


def words() -> str:
    """
    Return a description of this Python, for the image's label.
    """
    return f"Python {sys.version.split()[0]} of the machine that built it"


def settings() -> Sequence[str]:
    """
    Return the settings of an image with this Python, as lines of a Dockerfile. The interpreter has the same path in the
    image as on this machine, because it may have been built for that path.
    """
    return (f"ENV PATH={_interpreter().parent}", 'CMD ["python3"]')


def rootfs(locked: Path) -> Rootfs:
    """
    Return the interpreter that the harness runs on, pip, and each package that the file `locked` pins, if exactly that
    version is installed.
    """
    files = Rootfs()
    interpreter = _interpreter()
    for name in {interpreter.name, "python", "python3"}:
        files.program(interpreter, str(interpreter.parent / name))
    for folder in {sysconfig.get_path("stdlib"), sysconfig.get_path("platstdlib", vars={"platbase": sys.base_prefix})}:
        files.tree(Path(folder), folder, leave_out=_left_out)
    pinned = dict(_PIN.findall(locked.read_text()))
    packages = _site_packages(interpreter)
    files.files(
        (source, str(packages / file))
        for name in ("pip", *pinned)
        for source, file in _installed(name, pinned.get(name))
    )
    return files


def _interpreter() -> Path:
    return Path(sys.base_prefix, "bin", Path(sys.executable).resolve().name)


def _site_packages(interpreter: Path) -> Path:
    asked = (interpreter, "-I", "-c", "import site; print(site.getsitepackages()[0])")
    try:
        return Path(subprocess.run(asked, check=True, capture_output=True, text=True, timeout=30).stdout.strip())
    except (OSError, subprocess.SubprocessError) as error:
        raise ProvisionError(f"{interpreter} does not say where its packages are: {error}") from error


def _installed(name: str, version: str | None) -> Iterator[tuple[Path, str]]:
    """
    Return the files of an installed package, each with its path below the folder for packages. Return nothing if the
    package is not installed in that version: then the lock file pins it for another platform, or pip will report that
    it is missing.
    """
    try:
        package = metadata.distribution(name)
    except metadata.PackageNotFoundError:
        return
    if version not in (None, package.version):
        return
    for file in package.files or ():
        source = Path(str(file.locate()))
        if ".." in file.parts or not source.is_file():
            continue
        yield source, str(file)
        compiled = Path(cache_from_source(str(source))) if source.suffix == ".py" else None
        if compiled is not None and compiled.is_file():
            yield compiled, str(Path(str(file)).parent / "__pycache__" / compiled.name)


def _left_out(path: Path) -> bool:
    return path.name in _NOT_RUN or path.name.startswith(("config-", "_tkinter.")) or path.suffix == ".a"
