"""
What ends a query before it has ended by itself.

Ctrl-C: Python runs its handler of a signal only once DuckDB comes back, which may take as long as the query. So another
thread hears of the signal at once, and interrupts the query.

Time: one thread looks after all queries of a database. One for each query, as `threading.Timer` is, would be a tenth of
the CPU time of judging a small run.
"""

from __future__ import annotations

import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

_ENDS = (signal.SIGINT, signal.SIGTERM)
_IDLE = 1.0
"""Seconds without a query after which the thread that looks after them ends."""


@contextmanager
def by_signals(interrupt: Callable[[], None]) -> Iterator[None]:
    """
    Inside the `with` block, SIGINT and SIGTERM call `interrupt`, which interrupts queries, in another thread. Then
    Python's own handler of the signal decides what happens. Only the main thread can listen for signals; elsewhere this
    does nothing.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    hears, told = socket.socketpair()
    told.setblocking(False)  # signal.set_wakeup_fd demands it

    def listen() -> None:
        while number := hears.recv(1):
            if number[0] in _ENDS:
                interrupt()

    listener = threading.Thread(target=listen, daemon=True)
    listener.start()
    before = signal.set_wakeup_fd(told.fileno(), warn_on_full_buffer=False)
    try:
        yield
    finally:
        signal.set_wakeup_fd(before)
        told.close()
        listener.join()
        hears.close()


class Late:
    """
    Interrupts queries that take too long.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._due: dict[object, tuple[float, Callable[[], None]]] = {}
        self._wakes: float | None = None  # when the thread looks again; None if there is no thread

    @contextmanager
    def after(self, seconds: float, interrupt: Callable[[], None]) -> Iterator[None]:
        """
        Call `interrupt` in another thread if the `with` block takes longer than `seconds`.
        """
        query, due = object(), time.monotonic() + seconds
        with self._changed:
            self._due[query] = (due, interrupt)
            if self._wakes is None:
                self._wakes = due
                threading.Thread(target=self._look, daemon=True).start()
            elif due < self._wakes:
                self._changed.notify()
        try:
            yield
        finally:
            with self._changed:
                self._due.pop(query, None)

    def _look(self) -> None:
        with self._changed:
            while True:
                idle = not self._due
                self._wakes = self._interrupted(time.monotonic())
                self._changed.wait(self._wakes - time.monotonic())
                if idle and not self._due:
                    self._wakes = None
                    return

    def _interrupted(self, now: float) -> float:
        """
        Interrupt what is too late, and return when to look again. Apart from `_look`, whose frame would keep the last
        connection, so that DuckDB complained at the end of the process.
        """
        for query, (due, interrupt) in tuple(self._due.items()):
            if due <= now:
                del self._due[query]
                interrupt()
        return min((now + _IDLE, *(due for due, _ in self._due.values())))
