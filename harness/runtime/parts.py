"""
The five programs that a run needs, and the programs that its containers need besides: how each reports its version, and
where its official release can be downloaded.
"""

from __future__ import annotations

import platform
import re
from collections.abc import Iterator
from dataclasses import dataclass

from harness.errors import UsageError
from harness.runtime import versions

_PLATFORMS = {("Linux", "x86_64"): "linux_amd64", ("Linux", "aarch64"): "linux_arm64"}


@dataclass(frozen=True)
class Archive:
    """
    A tar.gz of an official release: its URL, the URL of the file that publishes its SHA-256, and the SHA-256 that is
    pinned here (None: not pinned).
    """

    url: str
    sums: str
    sha256: str | None

    @property
    def name(self) -> str:
        """
        The archive's file name, under which `sums` lists it.
        """
        return self.url.rpartition("/")[2]


@dataclass(frozen=True)
class Module:
    """
    A Go module at a version, the build tags that it needs, and the Go variables that its releases set to their version.
    """

    path: str
    version: str
    tags: str
    stamps: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.path}@v{self.version}"


PROVISION = "run `harness provision`"


@dataclass(frozen=True)
class Part:
    """
    One program.

    `ask` are the arguments that make it print its version and exit; `answer` finds the version in what it prints.
    `beside` is the name of a program on the PATH: this part is looked for in the same folder. A part without `module`
    cannot be built. A part without `archive` has no release for this machine. With `at_least`, a newer version fits
    too. `mend` says what to do if it is not here.
    """

    name: str
    version: str
    ask: tuple[str, ...]
    answer: re.Pattern[str]
    beside: str
    archive: Archive | None = None
    module: Module | None = None
    package: str = ""
    at_least: bool = False
    mend: str = PROVISION

    @property
    def variable(self) -> str:
        """
        The environment variable in which the user can give a path to the program: HARNESS_DAPRD, HARNESS_TOXIPROXY, ...
        """
        return f"HARNESS_{self.name.removesuffix('-server').replace('-', '_').upper()}"

    @property
    def wanted(self) -> str:
        """
        Name and version, for messages.
        """
        return f"{self.name} {self.version}{' or newer' if self.at_least else ''}"

    def fits(self, version: str) -> bool:
        """
        Return whether a program of that version can be used.
        """
        if self.at_least:
            return versions.numbers(version) >= versions.numbers(self.version)
        return version == self.version


def parts(dapr_version: str) -> tuple[Part, ...]:
    """
    Return the five parts for a Dapr release. Raises UsageError if `dapr_version` cannot be a version.
    """
    if not re.fullmatch(r"[0-9A-Za-z][0-9A-Za-z.+-]*", dapr_version):
        raise UsageError(f"--dapr-version {dapr_version}: a Dapr release looks like {versions.DAPR}")
    return (*_dapr(dapr_version), _toxiproxy(), _redis())


def for_postgres(dapr_version: str) -> tuple[Part, ...]:
    """
    Return the parts of a run whose state store is PostgreSQL: that in place of Redis. Raises as `parts`.
    """
    return (*parts(dapr_version)[:-1], *postgres())


def postgres(_: str = "") -> tuple[Part, ...]:
    """
    Return PostgreSQL's server, which the distribution brings. `initdb` is beside it.
    """
    mend = "install PostgreSQL (Debian, Ubuntu: apt-get install postgresql)"
    return (_server("postgres", versions.POSTGRES_AT_LEAST, r"\(PostgreSQL\) (\S+)", mend),)


def for_images(dapr_version: str) -> tuple[Part, ...]:
    """
    Return the parts of the stand-ins for official images: all parts except Redis, whose image also needs its client.
    """
    return (*parts(dapr_version)[:-1], _toxiproxy_cli())


def for_tls(dapr_version: str) -> tuple[Part, ...]:
    """
    Return the part for Dapr's certificate authority.
    """
    return (_dapr_part("sentry", dapr_version, ask=("--trust-domain=",)),)


def for_docker(_: str = "") -> tuple[Part, ...]:
    """
    Return the Compose plugin of the docker command, for a machine whose distribution has none or only an old one.

    Its releases are bare binaries, not archives, so it is built from source.
    """
    version, path = versions.COMPOSE, "github.com/docker/compose/v5"
    return (
        Part(
            name="docker-compose",
            version=version,
            ask=("docker-cli-plugin-metadata",),
            answer=re.compile(r'"Version":\s*"v?([^"]+)"'),
            beside="docker-compose",
            module=Module(path, version, "", (f"{path}/internal.Version",)),
            package="./cmd",
        ),
    )


def _dapr(version: str) -> Iterator[Part]:
    """
    Return the three parts of Dapr that a run needs. Only daprd has a flag --version. The others log their version and
    then refuse an empty trust domain; until then they have opened nothing (cmd/placement/app/app.go).
    """
    yield _dapr_part("daprd", version, ask=("--version",))
    yield _dapr_part("placement", version, ask=("--trust-domain=",))
    yield _dapr_part("scheduler", version, ask=("--trust-domain=",))


def _dapr_part(name: str, version: str, ask: tuple[str, ...]) -> Part:
    """
    Return a part of Dapr.

    Sources: Dapr's Makefile for the archive names and the variables (genArchiveBinary, DEFAULT_LDFLAGS), and its
    release workflow for the checksums.

    Without the tag stablecomponents daprd has no components and panics. The names of the other programs are so common
    that a program of that name on the PATH is taken for Dapr's only if it is in the same folder as daprd.
    """
    module = Module(
        path="github.com/dapr/dapr",
        version=version,
        tags="stablecomponents",
        stamps=("github.com/dapr/dapr/pkg/buildinfo.version", "github.com/dapr/kit/logger.DaprVersion"),
    )
    url = f"https://github.com/dapr/dapr/releases/download/v{version}/{name}_{_platform()}.tar.gz"
    return Part(
        name=name,
        version=version,
        ask=ask,
        answer=re.compile(r"^(\S+)$" if name == "daprd" else r"-- version (\S+) --"),
        beside="daprd",
        archive=_archive(url, f"{url}.sha256"),
        module=module,
        package=f"./cmd/{name}",
    )


def _toxiproxy() -> Part:
    """
    Return Toxiproxy's server. The archive names, the variable and checksums.txt are those of Toxiproxy's
    .goreleaser.yml.
    """
    return _toxiproxy_part("toxiproxy-server", ask=("-version",), package="./cmd/server")


def _toxiproxy_cli() -> Part:
    """
    Return Toxiproxy's command line client, which the health check of its container runs.
    """
    return _toxiproxy_part("toxiproxy-cli", ask=("--version",), package="./cmd/cli")


def _toxiproxy_part(name: str, ask: tuple[str, ...], package: str) -> Part:
    version = versions.TOXIPROXY
    release = f"https://github.com/Shopify/toxiproxy/releases/download/v{version}"
    return Part(
        name=name,
        version=version,
        ask=ask,
        answer=re.compile(r"version (\S+)"),
        beside=name,
        archive=_archive(f"{release}/toxiproxy_{version}_{_platform()}.tar.gz", f"{release}/checksums.txt"),
        module=Module("github.com/Shopify/toxiproxy/v2", version, "", ("github.com/Shopify/toxiproxy/v2.Version",)),
        package=package,
    )


def _redis() -> Part:
    return _server("redis-server", versions.REDIS_AT_LEAST, r"\bv=(\S+)")


def _server(name: str, at_least: str, answer: str, mend: str = PROVISION) -> Part:
    """
    Return a server that is not built here, in this version or a newer one. `answer` finds it in what the program says.
    """
    return Part(
        name=name,
        version=at_least,
        at_least=True,
        ask=("--version",),
        answer=re.compile(answer),
        beside=name,
        mend=mend,
    )


def _archive(url: str, sums: str) -> Archive | None:
    return Archive(url, sums, versions.ARCHIVE_SUMS.get(url)) if _platform() else None


def _platform() -> str | None:
    return _PLATFORMS.get((platform.system(), platform.machine()))
