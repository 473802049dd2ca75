"""Aimed faults: held at the point until they have landed, and believed only where the sources agree."""

import threading
import time

import httpx
import pytest

from harness.backends import ports
from harness.backends.base import Death
from harness.backends.endpoints import Address
from harness.errors import EvidenceError
from harness.faults.base import NotFeltError
from harness.journal import Journal
from harness.model import Aim, Step
from harness.running import aim as aiming
from harness.running.aim import Announcement, Announcements
from harness.running.controller import Controller
from harness.tap.answers import ROUTE, Answer
from tests.builders import lines

BEGUN = aiming.Testimony(attempt="begun", effects=0, scheduled=True, recorded=False)
COMMITTED = aiming.Testimony(attempt="begun", effects=1, scheduled=True, recorded=False)
RETURNED = aiming.Testimony(attempt="returned", effects=1, scheduled=True, recorded=False)
ENDED = aiming.Testimony(attempt="returned", effects=1, scheduled=True, recorded=True)


def announcement(instance="a", point="after_effect", node="app-1", activity="ship_v1", task_id=5):
    return Announcement(
        instance_id=instance, activity=activity, task_id=task_id, attempt_id="x", node=node, point=point, at_ns=7
    )


def aim(occurrence=1, *, own=True, point="after_effect"):
    return Aim(activity="ship_v1", point=point, occurrence=occurrence, own=own)


class Post:
    """Activity points that can be reached, and what their sources say."""

    def __init__(self, folder):
        self.file = folder / "points.jsonl"
        self.says = [COMMITTED]
        """One testimony after the other; the last for good. What is an exception is raised."""
        self._lease = ports.lease()
        self.at = Address(host=ports.HOST, port=self._lease.__enter__().take())
        self._journal = Journal(self.file)
        self.makers = []
        """Who can have made a call, whatever it is. What is an exception is raised."""
        self.points = Announcements(self.at, self._journal, self.testify, self.made_by)
        self.threads = []

    def testify(self, _):
        found = self.says.pop(0) if len(self.says) > 1 else self.says[0]
        if isinstance(found, Exception):
            raise found
        return found

    def made_by(self, _):
        if isinstance(self.makers, Exception):
            raise self.makers
        return tuple(self.makers)

    def answer(self):
        """A tap holds the answer to a call, in a thread of its own."""
        held = Answer(node="bank-0", at_ns=7, method="POST", body=b"\xff", target="/charges", status=200)
        thread = threading.Thread(
            target=lambda: httpx.post(self.at.url + ROUTE, content=held.model_dump_json(), timeout=30)
        )
        self.threads.append(thread)
        thread.start()
        return thread

    def come(self, *args, **kwargs):
        """An execution announces itself, in a thread of its own."""
        announced = announcement(*args, **kwargs)
        thread = threading.Thread(
            target=lambda: httpx.post(self.at.url, content=announced.model_dump_json(), timeout=30)
        )
        self.threads.append(thread)
        thread.start()
        return thread

    def pass_by(self, *args, **kwargs):
        """An execution announces itself, and goes on at once."""
        thread = self.come(*args, **kwargs)
        thread.join(60)
        assert not thread.is_alive()

    def rows(self):
        return list(lines.read(self.file))

    def close(self):
        self.points.close()
        for thread in self.threads:
            thread.join(60)
        self._journal.close()
        self._lease.__exit__(None, None, None)


@pytest.fixture(name="post")
def _post(tmp_path):
    made = Post(tmp_path)
    yield made
    made.close()


def ambush(post, wanted):
    """Wait in a thread until an execution is caught; a function that gives it."""
    caught = []
    thread = threading.Thread(target=lambda: caught.append(post.points.ambush(3, wanted, lambda _: None)))
    thread.start()
    while not post.points._ambushes and thread.is_alive():
        time.sleep(0.005)

    def get():
        thread.join(60)
        return caught[0]

    return get


@pytest.mark.parametrize(
    ("testimony", "stands_at"),
    [
        (BEGUN, {"before_effect"}),
        (COMMITTED, {"after_effect"}),
        (RETURNED, {"after_return"}),
        (ENDED, set()),
        (aiming.Testimony("not begun", 0, scheduled=True, recorded=False), {"before_body"}),
        (aiming.Testimony("not begun", 1, scheduled=True, recorded=False), set()),
        (aiming.Testimony("begun", None, scheduled=False, recorded=False), {"before_effect", "after_effect"}),
        (aiming.Testimony("returned", None, scheduled=True, recorded=False), {"after_return"}),
        (aiming.Testimony("returned", 0, scheduled=True, recorded=False), set()),
        (aiming.Testimony("raised", 1, scheduled=True, recorded=False), set()),
        (aiming.Testimony(None, 0, scheduled=True, recorded=False), {"before_body", "before_effect"}),
        (aiming.Testimony(None, 1, scheduled=True, recorded=False), {"after_effect", "after_return"}),
        (aiming.Testimony(None, None, scheduled=True, recorded=True), set()),
    ],
)
def test_an_execution_stands_where_no_source_speaks_against_it(testimony, stands_at):
    points = ("before_body", "before_effect", "after_effect", "after_return")

    assert {point for point in points if testimony.against(point) is None} == stands_at


def test_what_nobody_waits_for_goes_on_at_once(post):
    post.pass_by()

    assert post.rows() == []


def test_the_nth_instance_is_held_and_no_other(post):
    caught = ambush(post, aim(occurrence=3))
    post.pass_by("a")
    post.pass_by("a")
    post.pass_by("b", activity="quote_v1")
    post.pass_by("b")
    third = post.come("c")
    held = caught()
    post.pass_by("d")

    assert held.announcement.instance_id == "c"
    assert third.is_alive()
    proof = post.points.landed(held)
    post.points.let_go(3, held, "landed on app-1")
    third.join(5)
    assert not third.is_alive()
    assert (proof["instance_id"], proof["point"], proof["effects"], proof["recorded"]) == (
        "c",
        "after_effect",
        1,
        False,
    )
    assert [(row["event"], row["instance_id"], row["step"]) for row in post.rows()] == [
        ("held", "c", 3),
        ("let go", "c", 3),
    ]


def test_one_that_another_source_contradicts_is_let_go_and_the_next_is_taken(post):
    post.says = [BEGUN, EvidenceError("the ledger is away"), COMMITTED]
    caught = ambush(post, aim())
    post.pass_by("a")
    post.pass_by("b")
    post.come("c")

    assert caught().announcement.instance_id == "c"
    assert [row.get("why") for row in post.rows() if row["event"] == "let go"] == [
        "passed over: the ledgers have its effect 0 times",
        "passed over: the ledger is away",
    ]


def test_two_faults_at_one_point_take_an_execution_each(post):
    first, second = ambush(post, aim()), ambush(post, aim())
    post.come("a")
    post.come("b")

    assert {first().announcement.instance_id, second().announcement.instance_id} == {"a", "b"}


def test_another_execution_of_a_task_that_is_held_waits_with_it(post):
    caught = ambush(post, aim())
    first = post.come("a", node="app-0")
    held = caught()
    second = post.come("a", node="app-1")
    second.join(0.2)

    assert second.is_alive()
    post.pass_by("a", node="app-1", task_id=6)
    post.points.let_go(3, held, "landed on app-0")
    first.join(5)
    second.join(5)
    assert not second.is_alive()


def test_a_point_that_nobody_comes_to_is_written_down(post):
    caught = ambush(post, aim(occurrence=2))
    post.pass_by("a")
    post.points.disarm()

    assert caught() is None
    assert [(row["event"], row["step"], row["came"]) for row in post.rows()] == [("never", 3, 1)]


def test_nothing_is_held_after_disarming(post):
    post.points.disarm()

    assert post.points.ambush(0, aim(), lambda _: None) is None
    post.pass_by()


def test_an_execution_that_has_moved_on_is_no_proof(post):
    post.says = [COMMITTED, ENDED]
    caught = ambush(post, aim())
    post.come()

    with pytest.raises(NotFeltError, match="had moved on when the fault landed") as raised:
        post.points.landed(caught())
    assert raised.value.proof["recorded"] is True


def test_an_execution_is_held_no_longer_than_the_limit(post, monkeypatch):
    monkeypatch.setattr(aiming, "LIMIT", 0.05)
    caught = ambush(post, aim())
    thread = post.come()
    held = caught()
    thread.join(60)

    assert not thread.is_alive()
    with pytest.raises(NotFeltError, match="the fault had not landed then"):
        post.points.landed(held)


def test_a_store_that_the_fault_took_away_is_no_doubt_of_the_point(post):
    post.says = [COMMITTED, EvidenceError("the state store could not be read")]
    caught = ambush(post, aim())
    post.come()

    assert post.points.landed(caught())["sources_afterwards"] == "the state store could not be read"


def test_an_answer_waits_where_a_fault_waits_for_the_execution_that_made_the_call(post):
    get = ambush(post, aim())
    post.makers = [announcement("a", node="sidecar-1")]

    thread = post.answer()
    held = get()

    assert (held.announcement.instance_id, held.announcement.node) == ("a", "sidecar-1")
    assert thread.is_alive()
    post.points.let_go(3, held, "landed on app-1")
    thread.join(60)
    assert not thread.is_alive()


def test_an_answer_that_several_executions_can_have_got_is_not_taken_but_waits_with_one_that_is_held(post):
    ambush(post, aim(2))
    post.makers = [announcement("a", task_id=5), announcement("a", task_id=6)]
    post.answer().join(60)
    post.makers = [announcement("b")]
    post.answer().join(60)
    post.makers = [announcement("c")]
    first = post.answer()
    while not post.rows():
        time.sleep(0.005)
    post.makers = [announcement("c", node="sidecar-0"), announcement("c", node="sidecar-1")]
    again = post.answer()

    again.join(0.2)
    assert first.is_alive()
    assert again.is_alive()
    assert [row["instance_id"] for row in post.rows()] == ["c"], "the call of two tasks was no instance that came"


@pytest.mark.parametrize("makers", [[], EvidenceError("sidecar-0-000001.tap cannot be decoded")])
def test_an_answer_goes_on_where_it_is_no_effect_or_nobody_can_tell_whose(post, makers):
    ambush(post, aim())
    post.makers = makers

    post.answer().join(60)

    assert not post.threads[-1].is_alive()
    assert post.rows() == []


def test_what_is_not_an_announcement_is_refused(post):
    answer = httpx.post(post.at.url, content=b'{"instance_id": "a"}')

    assert answer.status_code == 400
    assert "attempt_id" in answer.text
    assert httpx.post(post.at.url + ROUTE, content=b"{}").status_code == 400
    assert httpx.post(post.at.url + "/elsewhere", content=b"{}").status_code == 404


class System:
    """A backend that can kill, in memory."""

    def __init__(self):
        self.did = []

    def kill(self, node):
        self.did.append(("kill", node))
        return Death(7, 1.0, -9)

    def stop(self, node, grace):
        return self.kill(node)

    def start(self, node):
        self.did.append(("start", node))


def control(tmp_path, post, wanted, nodes=("sidecar-0", "sidecar-1")):
    system = System()
    step = Step(step=3, fault="kill", nodes=nodes, at=0, hold=0.01, settings={}, aim=wanted)
    written = Journal(tmp_path / "faults.jsonl")
    controller = Controller([step], system, written, post.points)
    controller.start(time.time_ns())
    return system, controller, lambda: list(lines.read(tmp_path / "faults.jsonl"))


def until_done(controller):
    deadline = time.monotonic() + 5
    while not controller.done():
        assert time.monotonic() < deadline
        time.sleep(0.005)
    controller.stop()


def test_an_aimed_fault_hits_the_replica_where_the_step_is_and_proves_both(tmp_path, post):
    system, controller, rows = control(tmp_path, post, aim())
    while not post.points._ambushes:
        time.sleep(0.005)
    thread = post.come(node="app-1")
    until_done(controller)
    thread.join(60)

    assert not thread.is_alive()
    assert system.did == [("kill", "sidecar-1"), ("start", "sidecar-1")]
    assert [row["event"] for row in rows()] == ["intent", "applied", "felt", "healed"]
    proof = rows()[2]["proof"]
    assert (proof["status"], proof["attempt"], proof["announced_by"]) == (-9, "begun", "app-1")


def test_an_aimed_fault_may_hit_all_while_the_step_is_held(tmp_path, post):
    system, controller, _ = control(tmp_path, post, aim(own=False))
    while not post.points._ambushes:
        time.sleep(0.005)
    post.come()
    until_done(controller)

    assert {did for did in system.did if did[0] == "kill"} == {("kill", "sidecar-0"), ("kill", "sidecar-1")}


def test_an_aimed_fault_keeps_clear_of_a_node_that_another_holds(tmp_path, post):
    system = System()
    steps = [
        Step(step=0, fault="kill", nodes=("sidecar-1",), at=0, hold=60, settings={}),
        Step(step=1, fault="kill", nodes=("sidecar-0", "sidecar-1"), at=0.05, hold=0, settings={}, aim=aim()),
    ]
    controller = Controller(steps, system, Journal(tmp_path / "faults.jsonl"), post.points)
    controller.start(time.time_ns())
    while not (post.points._ambushes and system.did):
        time.sleep(0.005)
    post.pass_by("a", node="app-1")
    post.pass_by("b", node="app-0")
    controller.stop()

    assert system.did[:2] == [("kill", "sidecar-1"), ("kill", "sidecar-0")]
    assert sorted(system.did[2:]) == [("start", "sidecar-0"), ("start", "sidecar-1")]  # side by side
    assert "sidecar-1: another fault is in force there" in post.rows()[1]["why"]


def test_an_aimed_fault_whose_point_is_not_reached_does_nothing(tmp_path, post):
    system, controller, rows = control(tmp_path, post, aim())
    controller.disarm()
    until_done(controller)

    assert (system.did, rows()) == ([], [])


def test_stopping_calls_off_what_waits(tmp_path, post):
    system, controller, rows = control(tmp_path, post, aim())
    controller.stop()

    assert (system.did, rows()) == ([], [])
