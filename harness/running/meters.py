"""
What is measured of a run besides its nodes: the whole machine, the harness itself, and the program that makes the load.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress

import psutil

from harness import names
from harness.load.generators import Generator


class Meters:
    """
    Measures this machine, this process, and the processes of a generator.
    """

    def __init__(self, generator: Generator) -> None:
        self._generator = generator
        self._harness = psutil.Process()
        self._load: dict[int, psutil.Process] = {}
        psutil.cpu_times_percent()  # what is read first says what was used since now

    def read(self) -> Iterator[tuple[str, str, float]]:
        """
        Return readings since the last call, each as (of what, metric, value). CPU is in percent of one core. Time in
        which a core waited for a disk is idle; time that the host gave to another guest (`steal`) is not.
        """
        cores = psutil.cpu_count() or 1
        of_machine = psutil.cpu_times_percent()
        waited = getattr(of_machine, "iowait", 0.0)
        yield names.MACHINE, "cores", float(cores)
        yield names.MACHINE, "cpu_percent", max(0.0, 100.0 - of_machine.idle - waited) * cores
        yield names.MACHINE, "iowait_percent", waited * cores
        yield from _of(names.HARNESS, [self._harness])
        pids = self._generator.pids
        self._load = {pid: process for pid, process in self._load.items() if pid in pids}
        for pid in pids:
            if pid not in self._load:
                with suppress(psutil.Error):
                    self._load[pid] = psutil.Process(pid)
        yield from _of(names.GENERATOR, self._load.values())


def _of(name: str, processes: Iterable[psutil.Process]) -> Iterator[tuple[str, str, float]]:
    """
    Return what these processes use together; nothing if none of them lives.
    """
    read = []
    for process in processes:
        with suppress(psutil.Error):
            read.append((process.cpu_percent(), process.memory_info().rss))
    if read:
        yield name, "cpu_percent", sum(cpu for cpu, _ in read)
        yield name, "rss_bytes", float(sum(rss for _, rss in read))
