"""
Ctrl-C and SIGTERM, once and twice.
"""

from __future__ import annotations

import signal
from types import FrameType, TracebackType
from typing import Self


class Interruption:
    """
    Takes the two signals while its block lasts.

    While `graceful` is set the first signal is only noted, so that the run heals, settles, collects and is
    judged; the second, and any other, raises KeyboardInterrupt: heal and leave.
    """

    def __init__(self) -> None:
        self.graceful = False
        self.requested = False
        self._before: dict[signal.Signals, object] = {}

    def __enter__(self) -> Self:
        for number in (signal.SIGINT, signal.SIGTERM):
            self._before[number] = signal.signal(number, self._take)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, before in self._before.items():
            signal.signal(number, before)  # type: ignore[arg-type]

    def _take(self, _number: int, _frame: FrameType | None) -> None:
        if not self.graceful or self.requested:
            raise KeyboardInterrupt
        self.requested = True
