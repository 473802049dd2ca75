"""
One node as a container: it is killed, stopped, paused, limited in CPU, disconnected, and observed.

Containers, images and volumes are objects of the Docker SDK, which has no types.
"""

from __future__ import annotations

import math
import subprocess
import tarfile
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from typing_extensions import override

from harness.backends import sockets
from harness.backends.base import Death
from harness.backends.containers import ENGINE_ERRORS
from harness.backends.groups import halted
from harness.backends.wired import Controlled
from harness.errors import NodeError

_BY_SIGNAL = 128
"""The engine reports the exit status of a process that a signal ended as 128 + the signal's number, as a shell does."""
_ENDS_WITHIN = 60
_CORE = 1_000_000_000


@dataclass(frozen=True)
class Reading:
    """
    What a container used since it started: `cpu` is its CPU time, `throttled` is the time for which a CPU limit kept
    its threads from running (both in seconds), `rss` is its resident memory now (in bytes). `at` is the time of the
    reading (seconds of a monotonic clock).
    """

    at: float
    cpu: float
    throttled: float
    rss: int


class Node(Controlled):
    """
    A node's container. After `kill`, `start` starts it again as it was, with the same ports.
    """

    def __init__(self, name: str, container: Any) -> None:
        self.name = name
        self._container = container
        self._cores = float(container.attrs["HostConfig"].get("NanoCpus") or 0) / _CORE
        self._asked = 0.0  # when the process that was asked to end had been started, in seconds since the epoch
        self._pid = 0
        self._last: Reading | None = None
        self._left: dict[str, list[str] | None] = {}

    def state(self) -> dict[str, Any]:
        """
        Return what the engine reports about the container now: Status, Running, Pid, StartedAt, ExitCode and so on.
        """
        with self._asking("look at"):
            self._container.reload()
            state: dict[str, Any] = self._container.attrs["State"]
        self._pid = state["Pid"] or self._pid
        return state

    def start(self) -> None:
        """
        Start the container unless it runs, without waiting until it is ready.
        """
        with self._asking("start"):
            self._container.start()
        self.state()

    @override
    def kill(self) -> Death:
        born = self._running()
        self._asked = _seconds(born)
        with self._asking("kill"):
            self._container.kill()
        return self._end(born)

    @override
    def stop(self, grace: float) -> Death:
        born = self._running()
        self._asked = _seconds(born)
        with self._asking("stop"):
            self._container.stop(timeout=math.ceil(grace))  # whole seconds; 0 would be SIGKILL at once
        return self._end(born)

    @override
    def pause(self) -> None:
        self._running()
        with self._asking("pause"):
            self._container.pause()

    @override
    def resume(self) -> None:
        if self.state()["Paused"]:
            with self._asking("resume"):
                self._container.unpause()

    @override
    def throttle(self, share: float) -> None:
        self._running()
        self._limit(share)

    @override
    def unthrottle(self) -> None:
        """
        Set the limit from the compose file again, or all cores of the machine if the compose file has no limit.
        """
        with self._asking("look at"):
            cores = self._container.client.info()["NCPU"]
        self._limit(self._cores or cores)

    def _limit(self, cores: float) -> None:
        # The SDK's `update` can only set quotas. The engine refuses one for a container created with `cpus`.
        command = ("docker", "update", "--cpus", f"{cores:.3f}", self._container.id)
        try:
            subprocess.run(command, check=True, capture_output=True, text=True, timeout=_ENDS_WITHIN)
        except (OSError, subprocess.SubprocessError) as error:
            said = getattr(error, "stderr", None) or error
            raise NodeError(f"the CPU limit of {self.name} cannot be set: {said}") from error

    @override
    def consumed(self) -> tuple[float, float]:
        self._running()
        reading = self._read()
        return reading.cpu, reading.throttled

    def is_halted(self) -> bool:
        """
        Return whether the container is paused, or a signal has stopped its process, if that can be seen from here.
        """
        state = self.state()
        return state["Paused"] or (state["Running"] and halted(state["Pid"]))

    def usage(self) -> tuple[float, int] | None:
        """
        Return (CPU in percent of one core since the last call, resident memory in bytes); None if the container does
        not run.
        """
        try:
            now, before = self._read(), self._last
        except NodeError:
            return None
        self._last = now
        if before is None or now.cpu < before.cpu:  # it was started again in between
            return 0.0, now.rss
        return 100 * (now.cpu - before.cpu) / (now.at - before.at), now.rss

    def death(self) -> Death | None:
        """
        Return how the container ended; None if it has not ended, or if the harness asked it to.

        Another thread may kill the container, or start it again, at the same time: what counts is whether the process
        that ended is the one that was asked to, not what is true of the container now.
        """
        ended = self.ended()
        return None if ended is None or ended.started == self._asked else ended

    def ended(self) -> Death | None:
        """
        Return how the container ended; None if it has not ended.
        """
        state = self.state()
        if state["Running"] or state["Status"] != "exited":
            return None
        return Death(self._pid, _seconds(state["StartedAt"]), _status(state["ExitCode"]))

    def isolate(self) -> int:
        """
        Disconnect the container from its networks and return how many there were. Raises NodeError if it does not run.
        """
        self._running()
        joined = self._container.attrs["NetworkSettings"]["Networks"]
        for name, endpoint in joined.items():
            network = endpoint["NetworkID"] or name
            with self._asking("disconnect"):
                self._container.client.networks.get(network).disconnect(self._container)
            self._left[network] = endpoint["Aliases"]
        return len(joined)

    def reconnect(self) -> None:
        """
        Connect the container to these networks again, with the same aliases as before.
        """
        for network, aliases in list(self._left.items()):
            with self._asking("reconnect"):
                self._container.client.networks.get(network).connect(self._container, aliases=aliases)
            del self._left[network]

    def connections(self) -> int:
        """
        Return how many established TCP connections the container has with other containers or machines.
        """
        return sum(1 for end in self._sockets() if end.state == sockets.ESTABLISHED and not end.remote.is_loopback)

    def users(self, port: int) -> int:
        """
        Return how many TCP connections to the container's listener at `port` are established. `port` is a port in the
        container's own network.

        The number is read from /proc of this machine, because the image may contain no program that could report it,
        and Toxiproxy itself counts bytes, not connections. Raises NodeError if the engine's processes do not run on
        this machine.
        """
        states = [end.state for end in self._sockets() if end.port == port]
        if sockets.LISTEN not in states:
            raise NodeError(f"{self.name} has no listener at {port} that could be seen; does its engine run elsewhere?")
        return states.count(sockets.ESTABLISHED)

    def _sockets(self) -> Iterator[sockets.Socket]:
        for table in ("tcp", "tcp6"):
            with suppress(OSError):
                yield from sockets.of(Path(f"/proc/{self._pid}/net/{table}"))

    def keeps(self) -> tuple[int, list[str]]:
        """
        Return how many files the container keeps over its restarts, and the names of the volumes that hold them.
        """
        with self._asking("look at"):
            self._container.reload()
            mounts = [mount for mount in self._container.attrs["Mounts"] if mount["Type"] == "volume"]
            files = sum(self._files(mount["Destination"]) for mount in mounts)
        return files, [mount["Name"] for mount in mounts]

    def _files(self, folder: str) -> int:
        chunks, _ = self._container.get_archive(folder)
        with tempfile.TemporaryFile() as file:
            file.writelines(chunks)
            file.seek(0)
            with tarfile.open(fileobj=file) as archive:
                return sum(1 for member in archive if member.isfile())

    def log_end(self, lines: int = 8) -> str:
        """
        Return the last lines that the container printed, indented.
        """
        try:
            text = self._container.logs(tail=lines).decode(errors="replace")
        except ENGINE_ERRORS:
            return "  (no log)"
        return "\n".join(f"  {line}" for line in text.splitlines()) or "  (an empty log)"

    def _running(self) -> str:
        """
        Return when the container was started, as the engine writes it. Together with the container's id this identifies
        the process. Raises NodeError if it does not run.
        """
        state = self.state()
        if not state["Running"]:
            raise NodeError(f"{self.name} does not run")
        return str(state["StartedAt"])

    def _end(self, born: str) -> Death:
        with self._asking("wait for"):
            self._container.wait(timeout=_ENDS_WITHIN)
        state = self.state()
        if state["StartedAt"] != born:
            raise NodeError(f"{self.name} was started again by somebody else")
        return Death(self._pid, _seconds(born), _status(state["ExitCode"]))

    def _read(self) -> Reading:
        with self._asking("measure"):
            stats = self._container.stats(stream=False, one_shot=True)
        try:
            cpu, memory = stats["cpu_stats"], stats["memory_stats"]["stats"]
            return Reading(
                at=time.monotonic(),
                cpu=cpu["cpu_usage"]["total_usage"] / 1e9,
                throttled=cpu["throttling_data"]["throttled_time"] / 1e9,
                rss=memory.get("rss", memory.get("anon", 0)),  # cgroup v1, v2
            )
        except KeyError as error:
            raise NodeError(f"{self.name} does not run: there is no {error} to measure") from error

    @contextmanager
    def _asking(self, what: str) -> Iterator[None]:
        """
        Turn an error of the engine into a NodeError that says what could not be done.
        """
        try:
            yield
        except ENGINE_ERRORS as error:
            raise NodeError(f"the engine could not {what} {self.name}: {error}") from error


def _status(code: int) -> int:
    """
    Turn an exit code of the engine into one as Python has it: negative if a signal ended the process.
    """
    return _BY_SIGNAL - code if code > _BY_SIGNAL else code


def _seconds(moment: str) -> float:
    """
    Turn a time of the engine (ISO 8601 with nanoseconds and a Z) into seconds since the epoch.
    """
    return datetime.fromisoformat(moment).timestamp()
