"""
Official release archives: downloaded, checked against a SHA-256, and unpacked.
"""

from __future__ import annotations

import re
import shutil
import tarfile
from collections.abc import Callable
from pathlib import Path

import httpx
from tenacity import retry, retry_if_exception_type, stop_after_attempt, wait_fixed

from harness.errors import ProvisionError
from harness.runtime.cache import sha256
from harness.runtime.parts import Archive, Part

_TIMEOUT = httpx.Timeout(30, connect=5)
"""
Seconds. On a machine without a network, this attempt must fail soon, so that the next way to get the program is tried.
"""

_PERSISTENT = retry(
    retry=retry_if_exception_type((httpx.ReadError, httpx.ReadTimeout, httpx.RemoteProtocolError)),
    stop=stop_after_attempt(3),
    wait=wait_fixed(0.2),
    reraise=True,
)
"""A transfer that broke off is tried again. A host that cannot be reached is not."""


def client() -> httpx.AsyncClient:
    """
    Return the HTTP client for `fetch`. It follows the redirects of release pages and uses the proxy settings of the
    environment.
    """
    return httpx.AsyncClient(timeout=_TIMEOUT, follow_redirects=True)


async def fetch(
    client: httpx.AsyncClient, part: Part, archive: Archive, into: Path, heard: Callable[[str], None]
) -> str:
    """
    Put the part's program from its archive at `into/<name>`. Return, in words, the checksum with which the archive was
    compared.

    Raises ProvisionError if the archive cannot be downloaded or does not have the expected SHA-256.
    """
    packed = into / f"{part.name}.tar.gz"
    try:
        if archive.sha256 is None:
            wanted = _listed(await _read(client, archive.sums), archive)
            checked = f"archive has SHA-256 {wanted} as {archive.sums} says (published beside it, not pinned here)"
        else:
            wanted = archive.sha256
            checked = f"archive has the pinned SHA-256 {wanted}"
        await _download(client, archive.url, packed, heard)
    except httpx.HTTPStatusError as error:
        raise ProvisionError(f"{error.request.url} answered {error.response.status_code}") from error
    except httpx.HTTPError as error:
        raise ProvisionError(f"{archive.url}: {error or type(error).__name__}") from error
    heard("unpacking")
    _unpack(part, archive, packed, wanted)
    return checked


@_PERSISTENT
async def _read(client: httpx.AsyncClient, url: str) -> str:
    return (await client.get(url)).raise_for_status().text


@_PERSISTENT
async def _download(client: httpx.AsyncClient, url: str, file: Path, heard: Callable[[str], None]) -> None:
    async with client.stream("GET", url) as answer:
        answer.raise_for_status()
        with file.open("wb") as out:
            async for chunk in answer.aiter_bytes(1 << 20):
                out.write(chunk)
                heard(f"{answer.num_bytes_downloaded / 1e6:.0f} MB downloaded")


def _listed(sums: str, archive: Archive) -> str:
    """
    Return the archive's checksum from the output of sha256sum. A line there is the checksum, two spaces or a space and
    an asterisk, and the name.
    """
    match = re.search(rf"^([0-9a-f]{{64}}) [ *]{re.escape(archive.name)}$", sums, re.MULTILINE)
    if match is None:
        raise ProvisionError(f"{archive.sums} lists no SHA-256 of {archive.name}")
    return match[1]


def _unpack(part: Part, archive: Archive, packed: Path, wanted: str) -> None:
    """
    Unpack one member of the archive. No path in the archive decides where a file is written.

    This does not run in a thread: a process started in the meantime would inherit the open file, and Linux refuses to
    run a program that is open for writing.
    """
    got = sha256(packed)
    if got != wanted:
        raise ProvisionError(f"{archive.url} has SHA-256 {got}, wanted is {wanted}: not used")
    program = packed.with_name(part.name)
    try:
        with tarfile.open(packed) as tar, program.open("wb") as out:
            member = tar.extractfile(part.name)
            if member is None:
                raise ProvisionError(f"{archive.url}: {part.name} in it is no file")
            shutil.copyfileobj(member, out)
    except (tarfile.TarError, KeyError) as error:
        raise ProvisionError(f"{archive.url} cannot be unpacked: {error}") from error
    program.chmod(0o755)
    packed.unlink()
