"""Lost updates, from calls alone: two executions save what they have made of the same version of a document."""

import pytest

from harness.checkers import invariant
from harness.checkers.database import open_database
from harness.checkers.examining import examine
from harness.checkers.offers import UPDATES, offered
from harness.checkers.telling import Telling
from tests.builders.tutorial import MS, T0, Rows, plan

SQL = invariant.load(invariant.GENERAL)["lost_update"]


class Calls:
    """What two replicas do with one document, as their taps saw it."""

    def __init__(self):
        self.rows = Rows()

    def execution(self, node, begin, end, instance="i", task=None):
        """An execution from `begin` to `end` (milliseconds); without an end it was cut off."""
        number = len(self.rows.of["deliveries"])
        row = {"instance_id": instance, "activity": "take", "task_id": number if task is None else task}
        row |= {"attempt_id": f"{node}#{number}", "node": node, "delivered_ns": T0 + begin * MS}
        done = {"completed_ns": T0 + end * MS, "outcome": "ok"} if end else {"cut_ns": T0 + begin * MS + 1}
        self.rows.of["deliveries"].append(row | done)

    def call(self, node, at, operation, etag=None, *, connection="1", guarded=False, status=0, takes=1, key="tea"):
        """A call at a time that takes some milliseconds; `etag` is the version that was read."""
        row = {"call_id": f"{node}#{len(self.rows.of['api_calls'])}", "position": 0, "node": node, "method": "x"}
        row |= {"connection": connection, "operation": operation, "component": "store", "key": key, "etag": etag}
        row |= {"guarded": guarded if operation == "save" else None, "status": status, "called_ns": T0 + at * MS}
        self.rows.of["api_calls"].append(row | {"answered_ns": T0 + (at + takes) * MS})

    def alone(self, node, begin, version):
        """An execution that nothing else disturbs: it reads a version, and saves the next."""
        self.execution(node, begin, begin + 9)
        self.call(node, begin + 1, "get", version, connection=f"{node} {begin}")
        self.call(node, begin + 4, "save", connection=f"{node} {begin}")

    def judged(self, tmp_path, *, tap=True):
        made = plan().model_copy(update={"tap": tap})
        with open_database(made, self.rows.write(tmp_path), None) as database:
            assert database.missing == {}
            found = examine(database, Telling(T0), "lost_update", SQL, "general")
            return found, UPDATES in offered(made, database).evidence


@pytest.fixture(name="calls")
def _calls():
    made = Calls()
    made.alone("app-0", 0, None)
    made.alone("app-1", 20, "1")
    return made


def both(calls, **of_second):
    """Two executions, one on each replica, read version 2 and save."""
    for node, instance in (("app-0", "a"), ("app-1", "b")):
        calls.execution(node, 100, 150, instance)
        calls.call(node, 110, "get", "2")
    calls.call("app-0", 120, "save")
    calls.call("app-1", 130, "save", **of_second)


def test_of_two_saves_of_what_was_made_of_one_version_one_is_lost(calls, tmp_path):
    both(calls)

    found, _ = calls.judged(tmp_path)

    assert (found.result, found.violations, found.examined) == ("VIOLATED", 1, 4)
    assert found.witnesses[0].sentence == (
        "tea in store: app-1 read version 2 at 0.110 s and saved it at 0.130 s without an etag, "
        "and app-0 read the same version at 0.110 s and saved it at 0.120 s without an etag; "
        "so one of the two updates is lost. Layer: app."
    )


def test_an_etag_of_one_of_them_does_not_help_and_one_of_both_does(calls, tmp_path):
    both(calls, guarded=True)
    assert calls.judged(tmp_path)[0].violations == 1

    for row in calls.rows.of["api_calls"]:
        row["guarded"] = True if row["operation"] == "save" else None
    assert calls.judged(tmp_path)[0].result == "HOLDS"


def test_one_that_was_not_saved_is_not_lost(calls, tmp_path):
    both(calls, status=10)

    assert calls.judged(tmp_path)[0].result == "HOLDS"


def test_who_reads_what_the_other_has_saved_loses_nothing(calls, tmp_path):
    calls.alone("app-0", 100, "2")
    calls.alone("app-1", 105, "3")

    assert calls.judged(tmp_path)[0].result == "HOLDS"


def test_two_executions_of_one_task_make_one_update(calls, tmp_path):
    calls.execution("app-0", 100, None, "a", task=7)
    calls.execution("app-1", 100, 150, "a", task=7)
    for node in ("app-0", "app-1"):
        calls.call(node, 110, "get", "2")
        calls.call(node, 120, "save")

    assert calls.judged(tmp_path)[0].result == "HOLDS"


def test_executions_that_share_a_client_are_not_taken_for_each_other(calls, tmp_path):
    """Whose read is whose cannot be told, and there are two of each."""
    for instance in "ab":
        calls.execution("app-0", 100, 150, instance)
    for at, operation in ((110, "get"), (111, "get"), (120, "save"), (121, "save")):
        calls.call("app-0", at, operation, "2" if operation == "get" else None)

    found, _ = calls.judged(tmp_path)

    assert (found.violations, found.witnesses[0].row["other_node"]) == (1, "app-0")


def test_where_reads_and_saves_are_not_as_many_nothing_is_said(calls, tmp_path):
    both(calls)
    calls.call("app-0", 112, "get", "2")

    found, _ = calls.judged(tmp_path)

    assert (found.result, found.examined) == ("HOLDS", 3)


@pytest.mark.parametrize("use", ["save", "save save", "get save save", "get save delete"])
def test_a_document_that_may_be_saved_without_being_read_is_not_judged(calls, tmp_path, use):
    both(calls)
    calls.execution("app-0", 200, 290)
    for number, operation in enumerate(use.split()):
        calls.call("app-0", 210 + number * 10, operation, "9")

    found, is_offered = calls.judged(tmp_path)

    assert (found.violations, found.examined, is_offered) == (0, 0, False)


def test_a_document_without_versions_is_not_judged(calls, tmp_path):
    """A store may have none, and a document that has expired begins anew."""
    both(calls)
    calls.alone("app-0", 200, None)

    assert calls.judged(tmp_path)[1] is False


def test_what_nobody_used_alone_is_not_judged_and_not_applicable(tmp_path):
    calls = Calls()
    for node in ("app-0", "app-1"):
        calls.execution(node, 90, 160)
    both(calls)

    assert calls.judged(tmp_path)[1] is False


def test_a_read_and_a_save_may_come_on_two_connections(tmp_path):
    calls = Calls()
    calls.execution("app-0", 0, 9)
    calls.call("app-0", 1, "get", None, connection="7")
    calls.call("app-0", 4, "save", connection="8")
    both(calls)

    found, is_offered = calls.judged(tmp_path)

    assert (found.violations, is_offered) == (1, True)


def test_without_a_tap_it_is_not_applicable(calls, tmp_path):
    both(calls)

    assert calls.judged(tmp_path, tap=False)[1] is False
