"""
A sidecar's container with its tap (docs/tap.md), which is a process of this machine: an image of Dapr has nothing that
could run it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from typing_extensions import override

from harness.backends import guard, ready
from harness.backends.base import Death
from harness.backends.container import Node
from harness.backends.endpoints import Address
from harness.backends.process import Child, Spec
from harness.rundir import RunDir


@contextmanager
def tap(run: RunDir, sidecar: str, command: tuple[str, ...], entrance: Address) -> Iterator[Child]:
    """
    The tap of a sidecar, which `command` starts, once it listens at `entrance`, until the `with` block is left. Raises
    NodeError if it does not come up.
    """
    child = Child(
        Spec(
            name=f"the tap of {sidecar}",
            command=command,
            env={**os.environ, guard.MARK: str(run.path)},
            folder=run.data / sidecar,
            log=run.logs / f"{sidecar}-tap.log",
            ready=lambda: ready.listens(entrance),
        )
    )
    try:
        child.spawn()
        child.await_ready()
        yield child
    finally:
        child.end()


class Tapped(Node):
    """
    A sidecar's container, and the tap that is killed, stopped and paused with it, and comes back with it at the same
    address.
    """

    def __init__(self, name: str, container: Any, tap: Child) -> None:
        super().__init__(name, container)
        self._tap = tap

    @override
    def start(self) -> None:
        """
        Start the tap and then the container, unless they run, without waiting until the sidecar is ready. Raises
        NodeError if one of them cannot be started.
        """
        if not self._tap.runs():
            self._tap.spawn()
        self._tap.await_ready()
        super().start()

    @override
    def kill(self) -> Death:
        death = super().kill()
        self._tap.end()
        return death

    @override
    def stop(self, grace: float) -> Death:
        death = super().stop(grace)
        self._tap.end()
        return death

    @override
    def pause(self) -> None:
        super().pause()
        self._tap.pause()

    @override
    def resume(self) -> None:
        self._tap.resume()
        super().resume()

    def tap_death(self) -> Death | None:
        """
        Return how the tap ended; None if it has not ended, or if that was asked for.
        """
        return self._tap.death()
