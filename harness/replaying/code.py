"""
A team's own workflow code, run by the executor of its SDK and by nothing else: no sidecar, no engine, no activity.
"""

from __future__ import annotations

import functools
import importlib
import logging
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from dapr.ext.workflow import WorkflowRuntime
from dapr.ext.workflow._durabletask.internal import history_events_pb2
from dapr.ext.workflow._durabletask.worker import _OrchestrationExecutor
from dapr.ext.workflow.logger import LoggerOptions

from harness.errors import UsageError
from harness.model import Target

Workflow = Callable[..., Any]


class Code:
    """
    The code of a target's workflows: of each its function, or its named versions, of which the last is the latest.
    `names` are those that can be replayed.
    """

    def __init__(self, workflows: Mapping[str, Workflow | Mapping[str, Workflow]]) -> None:
        self.names = frozenset(workflows)
        runtime = WorkflowRuntime(logger_options=LoggerOptions(log_level="CRITICAL"))  # it connects to nothing
        for name, of in workflows.items():
            if not isinstance(of, Mapping):
                runtime.register_workflow(_anew(of), name=name)
                continue
            for version, function in of.items():
                latest = version == list(of)[-1]
                runtime.register_versioned_workflow(_anew(function), name=name, version_name=version, is_latest=latest)
        # The SDK has no public way to its executor. What is taken of it here is held by the tests of this module.
        self._registry = runtime._WorkflowRuntime__worker._registry  # type: ignore[attr-defined] # noqa: SLF001
        self._log = logging.getLogger("harness.replaying.sdk")
        self._log.setLevel(logging.CRITICAL)

    def orders(self, instance_id: str, before: Sequence[Any], now: Sequence[Any]) -> list[Any]:
        """
        Return what the code orders (WorkflowAction of durabletask), once it has taken in the events `before`, and
        `now`. It replays all of them: a patch that the history does not have is not applied.
        """
        nothing = history_events_pb2.HistoryEvent()
        nothing.executionStalled.SetInParent()  # the executor needs a last event, and ignores this one
        return list(self._execute(instance_id, [*before, *now], [nothing]).actions)

    def orders_patched(
        self, instance_id: str, before: Sequence[Any], now: Sequence[Any]
    ) -> tuple[list[Any], tuple[str, ...]]:
        """
        Return what the code orders if it runs the events `now` for the first time, and the patches that it then
        applies.
        """
        results = self._execute(instance_id, before, now)
        return list(results.actions), tuple(results.patches or ())

    def _execute(self, instance_id: str, before: Sequence[Any], now: Sequence[Any]) -> Any:
        return _OrchestrationExecutor(self._registry, self._log).execute(instance_id, before, now)


def load(target: Target) -> Code:
    """
    Import the code of a target's workflows, as its `code` names it, from the folder in which its app runs.

    Raises UsageError if the target names none, or if it cannot be imported.
    """
    named = {name: of.code for name, of in {**target.workflows, **target.children}.items() if of.code is not None}
    if not named:
        raise UsageError(
            f"target {target.name} does not say where its workflow code is: give each workflow in target.yaml "
            "`code: module:function` (Python)"
        )
    folder = str(target.app.workdir or Path.cwd())
    sys.path.insert(0, folder)
    try:
        return Code(
            {
                name: _imported(name, at, folder)
                if isinstance(at, str)
                else {version: _imported(f"{name} {version}", of, folder) for version, of in at.items()}
                for name, at in named.items()
            }
        )
    finally:
        sys.path.remove(folder)


def _imported(workflow: str, at: str, folder: str) -> Callable[..., Any]:
    module, _, function = at.partition(":")
    try:
        found = functools.reduce(getattr, function.split("."), importlib.import_module(module))
    except Exception as error:
        raise UsageError(
            f"the code of {workflow}, {at}, cannot be imported from {folder}: {type(error).__name__}: {error}"
        ) from error
    if not callable(found):
        raise UsageError(f"the code of {workflow}, {at}, is no function")
    return found


def _anew(function: Callable[..., Any]) -> Callable[..., Any]:
    """
    Return a function that does the same and does not know that it may have been registered already: the SDK keeps that
    in attributes, and registers no function twice.
    """

    @functools.wraps(function, updated=())
    def same(*given: Any) -> Any:
        return function(*given)

    return same
