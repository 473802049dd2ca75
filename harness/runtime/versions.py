"""
Every version that the harness downloads or builds by itself, and every checksum that is known for it. For an upgrade,
only this file changes.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

DAPR: Final = "1.18.2"
TOXIPROXY: Final = "2.12.0"
COMPOSE: Final = "5.6.0"
REDIS_AT_LEAST: Final = "6.0"
POSTGRES_AT_LEAST: Final = "14"

PYTHON_AT_LEAST: Final = "3.11"
GO_AT_LEAST: Final = "1.21"
"""From version 1.21 on, Go itself downloads the newer toolchain that a module's go.mod asks for."""

_TOXIPROXY_2_12: Final = "https://github.com/Shopify/toxiproxy/releases/download/v2.12.0/toxiproxy_2.12.0_linux"

ARCHIVE_SUMS: Final[Mapping[str, str]] = {
    f"{_TOXIPROXY_2_12}_amd64.tar.gz": "65e042d3fc2290c099527bc506446a6fd863a09f113b8944b636ece70221c2b3",
    f"{_TOXIPROXY_2_12}_arm64.tar.gz": "ab417dafc77ae8b54ec8461cc5da5180d0465a61dcbda86c72da72ee4ab843b7",
}
"""
SHA-256 of release archives, by URL. Those of Toxiproxy are the ones that the repository cashapp/hermit-packages
recorded for itself (toxiproxy.hcl). An archive that is not listed (so far, every archive of Dapr) is checked against
the checksum that its release publishes in the same place.
"""

MODULE_SUMS: Final[Mapping[str, str]] = {
    "github.com/dapr/dapr@v1.18.3": "h1:iVTqJHRfJlUfiSyhJH4c1mJZ+4PH3cf/QwJcAJL2ROo=",
    "github.com/dapr/dapr@v1.18.2": "h1:yT1BXImaUiYtIKaKVnOBiWVFqQU1ckQaiXkXEO2+Dh0=",
    "github.com/dapr/dapr@v1.18.1": "h1:Ra9AE9ekBva6Dqc5nz71aA+I8DEdjllFqyn+Z/mBSow=",
    "github.com/dapr/dapr@v1.17.0": "h1:GI9uU7yZVTBkzGRJl4cA/LJObEcV0+SJJJ46Dtueayo=",
    "github.com/dapr/dapr@v1.16.0": "h1:la2WLZM8Myr2Pq3cyrFjHKWDSPYLzGZCs3p502TwBjI=",
    "github.com/docker/compose/v5@v5.6.0": "h1:WCDEV0D1CtZLyPdklHdEjFBnCStosBYkfsD3tvM/ITU=",
    "github.com/Shopify/toxiproxy/v2@v2.12.0": "h1:d1x++lYZg/zijXPPcv7PH0MvHMzEI5aX/YuUi/Sw+yg=",
}
"""Go's hashes of source modules (`go mod download -json`, "Sum"). Go's checksum database has the same values."""


@dataclass(frozen=True)
class StandIn:
    """
    A version of a Go module that takes the place of the one that the release requires, with the hashes of its two lines
    in go.sum (source, go.mod).
    """

    module: str
    version: str
    source_sum: str
    gomod_sum: str


@dataclass(frozen=True)
class Mixture:
    """
    How a release is built if a module that it requires cannot be downloaded.

    `stand_ins` take the place of what the release requires. `dropped` are modules whose requirements and replacements
    are removed from go.mod. `left_out` are the source files (paths in the release) that need a dropped module; they are
    not built.
    """

    stand_ins: tuple[StandIn, ...]
    dropped: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()

    @property
    def modules(self) -> tuple[str, ...]:
        """
        The modules that may be missing. If another one is, this mixture helps nothing.
        """
        return (*(stand_in.module for stand_in in self.stand_ins), *self.dropped)

    def __str__(self) -> str:
        with_ = " and ".join(f"{stand_in.module} {stand_in.version}" for stand_in in self.stand_ins)
        without = f", without {' and '.join(self.left_out)}" if self.left_out else ""
        return f"with {with_}{without}"


_CRON: Final = "github.com/diagridio/go-etcd-cron"
_CONTRIB: Final = "github.com/dapr/components-contrib"

MIXTURES: Final[Mapping[str, Mixture]] = {
    "github.com/dapr/dapr@v1.18.3": Mixture(
        stand_ins=(
            StandIn(
                "github.com/dapr/durabletask-go",
                "v0.12.2-0.20260720132056-79042da5fe61",
                "h1:RR0Dw3bl/fPPGroVFuDvu/s2aT3a4DseBiB2cI27SRo=",
                "h1:+8ABEQn9JvRPRvPr1QNVxdkdLPgJgpJwcpie5ZDt7nk=",
            ),
            StandIn(
                _CONTRIB,
                "v1.18.3",
                "h1:eLtaIAZvMsN8JfM61+QVECnQsxv/46JfxWTM40S7uJ4=",
                "h1:4MZlbYqyytdQIol9VF59uzhX4NJsa0xZlgr2faQq59o=",
            ),
            StandIn(
                "github.com/hamba/avro/v2",
                "v2.29.0",
                "h1:fkqoWEPxfygZxrkktgSHEpd0j/P7RKTBTDbcEeMdVEY=",
                "h1:Pk3T+x74uJoJOFmHrdJ8PRdgSEL/kEKteJ31NytCKxI=",
            ),
            StandIn(
                "github.com/apache/pulsar-client-go",
                "v0.18.0",
                "h1:YsySoOds7WCXkRcOKHb85gk/v1Jndp+2oCkkRQEowUA=",
                "h1:GKmTD1u5YLuhUnoVTNGdhdGNAYhoglWNWgwLJZTljAw=",
            ),
        ),
        dropped=("github.com/iskorotkov/avro/v2", "github.com/twmb/pulsar-client-go"),
        left_out=("cmd/daprd/components/pubsub_pulsar.go",),
    ),
    "github.com/dapr/dapr@v1.18.1": Mixture(
        stand_ins=(
            StandIn(
                _CRON,
                "v0.12.6",
                "h1:8ruus+RCVLvmY0k/TQTLTW2voeSeQoxgpm89XhxXWzU=",
                "h1:Hj7WYwxoYBjV2sOc7ycOy/fZhFVHBetYSZ78C5PcoZc=",
            ),
        ),
    ),
    "github.com/dapr/dapr@v1.17.0": Mixture(
        stand_ins=(
            StandIn(
                _CRON,
                "v0.12.3",
                "h1:KfA//9LcktVeFFHSVv1MZ+Ui5U0fIAPFq1db7mzKPw4=",
                "h1:XpjpGLT4WzS/eE+20h4aUl2yFtudShbrKK7cPQMtMJ0=",
            ),
            StandIn(
                _CONTRIB,
                "v1.17.3",
                "h1:lhSvLZ1nGGkmlRKCpzgNEsnNXqOWjFlhAtp1Rjxp8HU=",
                "h1:lVPRj9ywzkUWoKXxRTAJbvS+Vg8A882av/nynGstNE4=",
            ),
        ),
    ),
}
"""
How a release is built when a module that it requires cannot be downloaded. The description of such a program calls it a
mixture.

The stand-ins of 1.18.3 and go-etcd-cron v0.12.6 are in the go.sum of Dapr 1.18.2, and components-contrib v1.17.3 is in
Go's checksum database. go-etcd-cron v0.12.3 is in neither; its hash is that of the first download.
"""


def numbers(version: str) -> tuple[int, ...]:
    """
    Return the numbers of a version in order, to compare it with another: `6.2.14` gives (6, 2, 14).
    """
    return tuple(int(number) for number in re.findall(r"\d+", version))
