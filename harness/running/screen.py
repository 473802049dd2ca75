"""
The screen of a run: on a terminal a picture that is updated in place, elsewhere plain lines.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from types import TracebackType
from typing import Self

from rich.console import Console, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from harness.model import Progress

_PLAIN_EVERY = 5.0


class Screen:
    """
    Shows progress. On a terminal the picture is drawn again in place. Elsewhere a line is printed every few seconds,
    and when the phase or the faults in force change.
    """

    def __init__(self, title: str, console: Console) -> None:
        self._title = title
        self._console = console
        self._live = Live(console=console, refresh_per_second=4, transient=True) if console.is_terminal else None
        self._began = time.monotonic()
        self._last: tuple[float, tuple[object, ...]] = (0.0, ())

    def __enter__(self) -> Self:
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live is not None:
            self._live.stop()

    def say(self, line: str) -> None:
        """
        Print one line that stays on the screen, with the seconds since the run began.
        """
        self._console.print(Text(f"{self._clock()}  {line}"), highlight=False, soft_wrap=True)

    def show(self, progress: Progress) -> None:
        """
        Show the newest state.
        """
        if self._live is not None:
            self._live.update(self._picture(progress))
            return
        now = time.monotonic()
        change = (progress.phase, progress.faults)
        last, before = self._last
        if change != before or now - last >= _PLAIN_EVERY:
            self._last = (now, change)
            self.say(_line(progress))

    def _clock(self) -> str:
        return f"{time.monotonic() - self._began:6.1f} s"

    def _picture(self, progress: Progress) -> RenderableType:
        grid = Table.grid(padding=(0, 2))
        grid.add_column(style="dim", justify="right")
        grid.add_column()
        left = "" if progress.left is None else f", {progress.left:.0f} s left"
        grid.add_row("run", Text(f"{self._title}  ({self._clock().strip()}{left})"))
        grid.add_row("phase", Text(progress.phase, style="bold"))
        grid.add_row("starts", Text(_starts(progress)))
        grid.add_row("instances", Text(_counts({"in flight": progress.in_flight, **progress.ended})))
        faults = Text(_listed(progress.faults), style="bold red") if progress.faults else Text("none", style="dim")
        grid.add_row("faults", faults)
        if progress.coming:
            grid.add_row("next", Text(progress.coming, style="dim"))
        return grid


def _line(progress: Progress) -> str:
    parts = [progress.phase]
    if progress.sent:
        parts.append(_starts(progress))
        parts.append(_counts({"in flight": progress.in_flight, **progress.ended}))
    if progress.faults:
        parts.append("faults: " + _listed(progress.faults))
    if progress.left is not None:
        parts.append(f"{progress.left:.0f} s left")
    return " | ".join(parts)


def _starts(progress: Progress) -> str:
    dropped = {"dropped": progress.dropped} if progress.dropped else {}
    return _counts({"sent": progress.sent, **dropped, **progress.answers})


def _listed(faults: tuple[str, ...], most: int = 4) -> str:
    more = f" and {len(faults) - most} more" if len(faults) > most else ""
    return ", ".join(faults[:most]) + more


def _counts(counts: Mapping[str, int]) -> str:
    return "  ".join(f"{name} {count}" for name, count in counts.items())
