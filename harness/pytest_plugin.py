"""
A chaos run as a test: the marker `chaos` says which run, and the fixture `chaos_run` makes it.

    @pytest.mark.chaos("sidecar_kill", target="target.yaml", gate={"known": "allow"})
    def test_a_killed_sidecar_loses_nothing(chaos_run):
        assert chaos_run.verdict.classes["completed"] > 100

The test fails with the witnesses if the gate does not let the run pass, before its own lines are executed. If the
harness or its infrastructure fails, that is an error of the test and no failure, as with any fixture.

pytest loads this module in every session where the harness is installed, so it imports nothing at the top.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from harness_reports.reported import ReportedRun

    from harness.model import Plan, Verdict
    from harness.pipeline import Told

_MARK = "chaos"
_HELP = (
    f"{_MARK}(scenario, seed=1, target=None, dapr_version=None, defect=None, settings=None, gate=None, "
    "backend='processes'): a chaos run of the durable-workflow-harness that the test needs (fixture `chaos_run`)"
)
_ASKED = pytest.StashKey[int]()
_TOLD = pytest.StashKey["Told"]()
_RUN = pytest.StashKey["ReportedRun"]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """
    Add the option for the folder that gets the run directories.
    """
    parser.getgroup("chaos").addoption(
        "--chaos-out",
        metavar="DIR",
        type=Path,
        default=Path("runs"),
        help="folder that gets the directories of chaos runs",
    )


def pytest_configure(config: pytest.Config) -> None:
    """
    Make the marker known.
    """
    config.addinivalue_line("markers", _HELP)


def pytest_itemcollected(item: pytest.Item) -> None:
    """
    A test with the marker needs the run, also if it does not ask for the fixture.
    """
    if isinstance(item, pytest.Function) and item.get_closest_marker(_MARK) and "chaos_run" not in item.fixturenames:
        item.fixturenames.append("chaos_run")


def pytest_collection_finish(session: pytest.Session) -> None:
    """
    Count the runs that are to come.
    """
    session.config.stash[_ASKED] = sum(item.get_closest_marker(_MARK) is not None for item in session.items)


@pytest.fixture
def chaos_run(request: pytest.FixtureRequest) -> ReportedRun:
    """
    The run that the test's marker `chaos` asks for: its plan, verdict, the gate's decision, and its folder.
    """
    from harness_reports import reported
    from rich.console import Console

    from harness import pipeline
    from harness.errors import Exit, HarnessError
    from harness.names import BackendName

    marker = request.node.get_closest_marker(_MARK)
    if marker is None:
        pytest.fail("the fixture chaos_run needs a marker: @pytest.mark.chaos(SCENARIO)", pytrace=False)
    config, folder = request.config, request.path.parent
    out: Path = config.getoption("--chaos-out")
    try:
        plan, backend = _plan(folder, *marker.args, **marker.kwargs)
        told = _told(config, out)
        try:
            done = pipeline.run(plan, out, pipeline.Place(BackendName(backend)), Console())
        except HarnessError as error:
            told.add(reported.failed(plan, backend, error))
            raise
    except HarnessError as error:
        pytest.fail(_harmless(f"{type(error).__name__}: {error}"), pytrace=False)
    run = reported.judged(done.folder, plan, done.verdict)
    told.add(run)
    if done.code == Exit.INTERRUPTED:
        raise KeyboardInterrupt
    request.node.stash[_RUN] = run
    return run


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_call(item: pytest.Item) -> None:
    """
    Fail the test of a run that does not pass. This is not done in the fixture, where it would be an error.
    """
    run = item.stash.get(_RUN, None)
    if run is not None and run.verdict is not None and run.folder is not None and not run.passes:
        pytest.fail(_harmless("\n".join(_failure(run, run.verdict, run.folder))), pytrace=False)


def _plan(
    folder: Path,
    scenario: str,
    *,
    seed: int = 1,
    target: str | None = None,
    dapr_version: str | None = None,
    defect: str | None = None,
    settings: Mapping[str, object] | None = None,
    gate: Mapping[str, object] | None = None,
    backend: str = "processes",
) -> tuple[Plan, str]:
    """
    The plan and the backend of a marker. Files are looked for from the test's folder on.
    """
    import json

    from harness.planning.request import Request

    changed = {**(settings or {}), **{f"gate.{name}": value for name, value in (gate or {}).items()}}
    request = Request(
        str(folder / scenario) if (folder / scenario).is_file() else scenario,
        None if target is None else folder / target,
        dapr_version,
        defect,
        tuple(f"{name}={json.dumps(value)}" for name, value in changed.items()),
    )
    return request.plan(seed), backend


def _told(config: pytest.Config, out: Path) -> Told:
    from harness import last, pipeline

    if _TOLD not in config.stash:
        last.forget(out)
        config.stash[_TOLD] = pipeline.Told(out, asked=config.stash.get(_ASKED, 0) or 1)
    return config.stash[_TOLD]


def _failure(run: ReportedRun, verdict: Verdict, folder: Path) -> Iterator[str]:
    """
    What a person at the test's output needs: the summary of the run, and witnesses of each violated invariant.
    """
    import io

    from harness_reports import terminal, words
    from rich.console import Console

    from harness.model import Result

    screen = io.StringIO()
    Console(file=screen, width=100, color_system=None).print(terminal.summary(run.plan, verdict, folder, run.decision))
    yield screen.getvalue().strip()
    for finding in words.by_result(verdict, Result.VIOLATED):
        yield f"{words.shortened(finding.name, 100)}: {words.count(finding.violations, 'row')} against it"
        yield from (f"    {words.shortened(witness.sentence, 1000)}" for witness in finding.witnesses[:3])


def _harmless(text: str) -> str:
    from harness.cli import console

    return console.harmless(text) if console.in_github_actions() else text
