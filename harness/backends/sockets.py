"""
The TCP sockets of a network namespace, from the kernel's own tables: /proc/net/tcp and tcp6, proc(5).
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path
from typing import Self

ESTABLISHED, LISTEN = "01", "0A"
_HERE = Path("/proc/net/tcp")


@dataclass(frozen=True)
class Socket:
    """
    One TCP socket: its local port, its remote address, and its state as /proc writes it.
    """

    port: int
    remote: IPv4Address | IPv6Address
    state: str

    @classmethod
    def parse(cls, line: str) -> Self:
        """
        Read a line of /proc/net/tcp or tcp6. Addresses there are 32-bit words in hexadecimal, each in the machine's
        byte order.
        """
        _, local, remote, state, *_ = line.split()
        words = bytes.fromhex(remote.partition(":")[0])
        swapped = b"".join(
            words[at : at + 4][:: -1 if sys.byteorder == "little" else 1] for at in range(0, len(words), 4)
        )
        address = ip_address(swapped)
        mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
        return cls(int(local.rpartition(":")[2], 16), mapped or address, state)


def of(table: Path) -> Iterator[Socket]:
    """
    Return the sockets in one of the kernel's tables. Raises OSError if the table cannot be read.
    """
    yield from map(Socket.parse, table.read_text(encoding="ascii").splitlines()[1:])


def connections(port: int) -> int:
    """
    Return how many TCP connections to this machine's listener at `port` are established.

    Only this run uses the port, so the function does not check who listens there. The table has thousands of lines on a
    busy machine; of each line, only as much is parsed as is needed to see that it belongs to another port.
    """
    address = f":{port:04X}"
    lines = (line.split(maxsplit=4) for line in _HERE.read_text(encoding="ascii").splitlines()[1:])
    return sum(1 for _, local, _, state, _ in lines if state == ESTABLISHED and local.endswith(address))
