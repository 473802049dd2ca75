"""
What the first and the second Ctrl-C or SIGTERM do.
"""

from __future__ import annotations

import signal
from types import FrameType, TracebackType
from typing import Self


class Interruption:
    """
    Handles the two signals inside its `with` block.

    While `graceful` is set, the first signal only sets `requested`. Then the run heals, settles, collects and is
    judged. The second signal raises KeyboardInterrupt: the run heals and leaves. While `graceful` is not set, every
    signal does this.
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
