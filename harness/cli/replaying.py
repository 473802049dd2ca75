"""
The command that replays saved histories through the workflow code of today.
"""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from harness.cli.console import err, out
from harness.cli.options import Out, RunName, TargetFile
from harness.errors import EvidenceError, Exit

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from harness.replaying.replay import Answer, Replayed

_MOST_NAMED = 5
_LONGEST = 500
"""Characters of an input or a result that are shown."""


def replay_code(
    name: RunName,
    target: TargetFile = None,
    runs: Out = Path("runs"),
    *,
    as_json: Annotated[bool, typer.Option("--json", help="one line of JSON for each history")] = False,
) -> None:
    """
    Replay the saved histories of a run through the workflow code of today, offline: what would it order otherwise?

    The code is what `code` in target.yaml names (Python). It is imported and runs here, so it must be yours. Exit code
    1 if it orders anything else than a history has, and 2 if no history can be replayed.
    """
    from rich.progress import track

    from harness import rundir
    from harness.evidence import manifest
    from harness.planning import target as targets
    from harness.replaying import code, events, replay
    from harness.runtime import shipped

    folder = rundir.find(runs, name)
    if changed := manifest.modified(folder):
        raise EvidenceError(f"{folder.path}: not as the run left it: {', '.join(changed)}")
    of = code.load(targets.load(target or shipped.TARGET))
    told = replay.replayed(of, events.saved(folder.evidence))
    histories = list(track(told, "replaying", console=err, transient=True, disable=not err.is_terminal))
    by_answer: dict[replay.Answer, list[Replayed]] = defaultdict(list)
    for history in histories:
        by_answer[history.answer].append(history)
    if as_json:
        for history in histories:
            out.print_json(json.dumps(asdict(history)), indent=None)
    else:
        _show(by_answer, len(histories))
    if by_answer[replay.Answer.DIFFERENT]:
        raise typer.Exit(Exit.VIOLATED)
    raise typer.Exit(Exit.HOLDS if by_answer[replay.Answer.SAME] else Exit.UNKNOWN)


def _show(by_answer: Mapping[Answer, Sequence[Replayed]], count: int) -> None:
    from harness_reports import words

    from harness.replaying.replay import Answer

    def say(text: str) -> None:
        out.print(text, soft_wrap=True)

    same, different = by_answer[Answer.SAME], by_answer[Answer.DIFFERENT]
    replayed = len(same) + len(different)
    say(
        f"{replayed:,} of {count:,} histories were replayed"
        + (f"; the code orders something else in {len(different):,}" if replayed else "")
    )
    for (workflow, turn, what), alike in _grouped(different).items():
        where = "" if turn is None else f", turn {turn}"
        say(f"\n{workflow}{where}: {what}\n  {_named(alike)}")
        if alike[0].saved is not None or alike[0].ordered is not None:
            say(f"  history   {words.shortened(alike[0].saved or 'nothing more', _LONGEST)}")
            say(f"  code      {words.shortened(alike[0].ordered or 'nothing more', _LONGEST)}")
    for (workflow, _, what), alike in _grouped([*by_answer[Answer.UNTOLD], *by_answer[Answer.NO_CODE]]).items():
        say(f"\nnot replayed: {workflow}: {what or 'target.yaml names no `code` of it'}\n  {_named(alike)}")


def _grouped(histories: Sequence[Replayed]) -> Mapping[tuple[str, int | None, str | None], Sequence[Replayed]]:
    """
    Return the histories by what is told of them, the most frequent first.
    """
    found: dict[tuple[str, int | None, str | None], list[Replayed]] = defaultdict(list)
    for history in histories:
        found[history.workflow or "no workflow", history.turn, history.what].append(history)
    return dict(sorted(found.items(), key=lambda item: (-len(item[1]), str(item[0]))))


def _named(histories: Sequence[Replayed]) -> str:
    ids = ", ".join(history.instance_id for history in histories[:_MOST_NAMED])
    more = len(histories) - _MOST_NAMED
    return f"{len(histories):,}: {ids}" + (f" and {more:,} more" if more > 0 else "")
