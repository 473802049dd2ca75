"""
Ctrl-C while a query runs. Python runs its handler of a signal only once DuckDB comes back, which may take as long as
the query. So another thread hears of the signal at once, and interrupts the query.
"""

from __future__ import annotations

import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

_ENDS = (signal.SIGINT, signal.SIGTERM)


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
