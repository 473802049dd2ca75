"""
What is measured of a run besides its nodes: the whole machine, the harness itself, and the program that makes the load.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

import psutil

from harness import names
from harness.load.generators import Generator


class Meters:
    """
    Measures this machine, this process, and the process of a generator.
    """

    def __init__(self, generator: Generator) -> None:
        self._generator = generator
        self._harness = psutil.Process()
        self._load: psutil.Process | None = None
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
        yield from self._of(names.HARNESS, self._harness)
        pid = self._generator.pid
        if pid is not None:
            if self._load is None or self._load.pid != pid:
                with suppress(psutil.Error):
                    self._load = psutil.Process(pid)
            if self._load is not None:
                yield from self._of(names.GENERATOR, self._load)

    @staticmethod
    def _of(name: str, process: psutil.Process) -> Iterator[tuple[str, str, float]]:
        with suppress(psutil.Error):
            cpu, rss = process.cpu_percent(), process.memory_info().rss
            yield name, "cpu_percent", cpu
            yield name, "rss_bytes", float(rss)
