"""
The five programs that a run needs, and those that its containers need besides: how each says its version, and where
upstream gives it away.
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
    A tar.gz of an official release, the file that publishes its SHA-256, and our own pin if there is one.
    """

    url: str
    sums: str
    sha256: str | None

    @property
    def name(self) -> str:
        """
        Its file name, by which `sums` lists it.
        """
        return self.url.rpartition("/")[2]


@dataclass(frozen=True)
class Module:
    """
    A Go module at a version, the build tags it wants, and the variables that its releases set to their version.
    """

    path: str
    version: str
    tags: str
    stamps: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.path}@v{self.version}"


@dataclass(frozen=True)
class Part:
    """
    One program.

    `ask` are arguments that make it tell its version and exit, `answer` finds the version in what it prints.
    `beside` is the program on the PATH next to which this one is looked for. A part without `module` cannot be built,
    one without `archive` is not released for this machine.
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

    @property
    def variable(self) -> str:
        """
        The environment variable with the user's own path to it: HARNESS_DAPRD, HARNESS_TOXIPROXY, ...
        """
        return f"HARNESS_{self.name.removesuffix('-server').replace('-', '_').upper()}"

    @property
    def wanted(self) -> str:
        """
        Name and version as people say them.
        """
        return f"{self.name} {self.version}{' or newer' if self.at_least else ''}"

    def fits(self, version: str) -> bool:
        """
        Whether a program of that version will do.
        """
        if self.at_least:
            return versions.numbers(version) >= versions.numbers(self.version)
        return version == self.version


def parts(dapr_version: str) -> tuple[Part, ...]:
    """
    The five parts for a Dapr release. Raises UsageError for what cannot be a version.
    """
    if not re.fullmatch(r"[0-9A-Za-z][0-9A-Za-z.+-]*", dapr_version):
        raise UsageError(f"--dapr-version {dapr_version}: a Dapr release looks like {versions.DAPR}")
    return (*_dapr(dapr_version), _toxiproxy(), _redis())


def for_images(dapr_version: str) -> tuple[Part, ...]:
    """
    What goes into stand-ins for official images: all but Redis, whose image needs its client too.
    """
    return (*parts(dapr_version)[:-1], _toxiproxy_cli())


def for_tls(dapr_version: str) -> tuple[Part, ...]:
    """
    Dapr's certificate authority.
    """
    return (_dapr_part("sentry", dapr_version, ask=("--trust-domain=",)),)


def for_docker(_: str = "") -> tuple[Part, ...]:
    """
    The Compose plugin of the docker command, for a machine whose distribution has only an old one or none.

    Its releases are bare binaries, not archives, so it is built.
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
    The three that a run needs. daprd alone has a --version; the others log theirs before they refuse an empty trust
    domain, having opened nothing (cmd/placement/app/app.go).
    """
    yield _dapr_part("daprd", version, ask=("--version",))
    yield _dapr_part("placement", version, ask=("--trust-domain=",))
    yield _dapr_part("scheduler", version, ask=("--trust-domain=",))


def _dapr_part(name: str, version: str, ask: tuple[str, ...]) -> Part:
    """
    Archive names and stamps: Dapr's Makefile (genArchiveBinary, DEFAULT_LDFLAGS); sums: its release workflow.

    Without the tag stablecomponents daprd has no components and panics. The names of the others are anybody's, so on
    the PATH only the ones beside daprd are taken for Dapr's.
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
    Archive names, stamp and checksums.txt: Toxiproxy's .goreleaser.yml.
    """
    return _toxiproxy_part("toxiproxy-server", ask=("-version",), package="./cmd/server")


def _toxiproxy_cli() -> Part:
    """
    Toxiproxy's client, which the health check of its container is.
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
    return Part(
        name="redis-server",
        version=versions.REDIS_AT_LEAST,
        at_least=True,
        ask=("--version",),
        answer=re.compile(r"\bv=(\S+)"),
        beside="redis-server",
    )


def _archive(url: str, sums: str) -> Archive | None:
    return Archive(url, sums, versions.ARCHIVE_SUMS.get(url)) if _platform() else None


def _platform() -> str | None:
    return _PLATFORMS.get((platform.system(), platform.machine()))
