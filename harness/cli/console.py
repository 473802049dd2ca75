"""
The consoles to which the commands write: standard output and standard error.

In a job of GitHub Actions the runner reads every line of them and obeys those that are workflow commands: a line that
begins with `::`, and one that has `##[` anywhere (`src/Runner.Common/ActionCommand.cs` in actions/runner). What we
print has texts of the system under test in it, so there all that we print is made harmless, but for our own
annotations.
"""

from __future__ import annotations

import os
import re
import sys
import webbrowser
from collections.abc import Iterable
from typing import Any, TextIO

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment
from rich.status import Status
from rich.text import Text
from typing_extensions import override


class Safe(Console):
    """
    A console that shows texts from outside as they are: no markup is read in them, and no control character reaches the
    terminal but the ends of lines and what rich itself writes for colours. Names of scenarios, files and instances come
    from the system under test, and an escape sequence in one could draw a verdict.
    """

    def __init__(self, *, stderr: bool = False) -> None:
        super().__init__(stderr=stderr, markup=False, highlight=False, emoji=False)

    @override
    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """
        Return the segments of what is printed, with their texts made printable.
        """
        for segment in super().render(renderable, options):
            if segment.control or segment.text.replace("\n", "").isprintable():
                yield segment
            else:
                from harness_reports import words

                lines = "\n".join(map(words.printable, segment.text.split("\n")))
                yield Segment(lines, segment.style)

    @override
    def status(self, status: RenderableType, **settings: Any) -> Status:
        """
        Return what shows that something is being done. Its texts are shown as they are.
        """
        return _Doing(status, console=self, **settings)


class _Doing(Status):
    """
    What is being done, without markup: `Status` reads it in every text, whatever its console does.
    """

    def __init__(self, status: RenderableType, **settings: Any) -> None:
        super().__init__(_plain(status), **settings)

    @override
    def update(self, status: RenderableType | None = None, **settings: Any) -> None:
        """
        Show `status` from now on.
        """
        super().update(None if status is None else _plain(status), **settings)


def _plain(text: RenderableType) -> RenderableType:
    return Text(text) if isinstance(text, str) else text


out = Safe()
err = Safe(stderr=True)

_JOINER = "\N{WORD JOINER}"
"""Invisible, and keeps two signs from being one."""


def harmless(text: str) -> str:
    """
    Return `text` with every `::` and `##` taken apart.
    """
    return re.sub(r"(?<=:)(?=:)|(?<=#)(?=#)", _JOINER, text)


class Harmless:
    """
    A stream to which no workflow command can be written.
    """

    def __init__(self, stream: TextIO) -> None:
        self.stream = stream
        self._last = ""

    def write(self, text: str) -> int:
        """
        Write `text` without a workflow command, also if the halves of a sign come one after the other.
        """
        safe = harmless(self._last + text)[len(self._last) :]
        self._last = text[-1:] or self._last
        return self.stream.write(safe)

    def writelines(self, lines: Iterable[str]) -> None:
        """
        Write several texts.
        """
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> object:
        return getattr(self.stream, name)


def in_github_actions() -> bool:
    """
    Is this a job of GitHub Actions? The runner sets the variable ("Variables reference", its documentation).
    """
    return os.environ.get("GITHUB_ACTIONS") == "true"


def make_harmless() -> None:
    """
    Make all that this process prints harmless for GitHub's runner.
    """
    sys.stdout = Harmless(sys.stdout)
    sys.stderr = Harmless(sys.stderr)


def say_json(text: str) -> None:
    """
    Write a JSON document to standard output. There is no workflow command in it, either: `:` and `#` are escaped where
    they could be one, which no reader of JSON sees.
    """
    safe = text.replace("::", r":\u003a").replace("##", r"#\u0023") if in_github_actions() else text
    _unguarded().write(safe + "\n")


def annotate(commands: Iterable[str]) -> None:
    """
    Write workflow commands to standard output, so that the runner obeys them.
    """
    stream = _unguarded()
    stream.flush()
    for command in commands:
        stream.write(f"{command}\n")
    stream.flush()


def _unguarded() -> TextIO:
    return sys.stdout.stream if isinstance(sys.stdout, Harmless) else sys.stdout


def say(line: str) -> None:
    """
    Write a line to standard output as it is: without markup, colours or line breaks.
    """
    out.print(line, soft_wrap=True)


def show(address: str) -> None:
    """
    Open an address in the user's browser, or say that there is none.
    """
    if not webbrowser.open(address):
        say(f"no browser was found; open {address} yourself")
