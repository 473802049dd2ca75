"""The reference target announces its activity points to whoever asked, and fails for nobody."""

import json
from types import SimpleNamespace

import httpx
import pytest

from target.points import AFTER_EFFECT, AFTER_RETURN, BEFORE_EFFECT, BeforeSending, Execution, Points

EXECUTION = Execution("a", "ship_v1", 5, "x", "app-0")
COMPLETES = SimpleNamespace(method="/TaskHubSidecarService/CompleteActivityTask")


@pytest.fixture(name="asked")
def _asked(monkeypatch):
    """The bodies of every request, which is answered with 204."""
    bodies = []

    def post(_, url, *, json):
        bodies.append(json)
        return httpx.Response(204, request=httpx.Request("POST", f"http://points/{url}"))

    monkeypatch.setattr(httpx.Client, "post", post)
    return bodies


def test_only_points_that_somebody_waits_for_are_announced(asked):
    points = Points("http://127.0.0.1:9/", ["ship_v1:after_effect"])

    points.reach(EXECUTION, BEFORE_EFFECT)
    points.reach(EXECUTION, AFTER_EFFECT)

    (body,) = asked
    assert json.loads(json.dumps(body)).keys() == {
        *("instance_id", "activity", "task_id", "attempt_id", "node", "point", "at_ns")
    }
    assert (body["point"], body["task_id"]) == (AFTER_EFFECT, 5)


def test_a_result_is_announced_once_and_just_before_it_is_sent(asked):
    points = Points("http://127.0.0.1:9/", ["ship_v1:after_return"])
    sending = BeforeSending(points)
    sent = []

    def send(_, request):
        sent.append((request, len(asked)))

    points.returns(EXECUTION)
    sending.intercept_unary_unary(send, SimpleNamespace(method="/TaskHubSidecarService/Hello"), "hello")
    sending.intercept_unary_unary(send, COMPLETES, "result")
    sending.intercept_unary_unary(send, COMPLETES, "a failure, which no body returned")

    assert sent == [("hello", 0), ("result", 1), ("a failure, which no body returned", 1)]
    assert asked[0]["point"] == AFTER_RETURN


def test_nobody_being_there_is_no_reason_to_fail():
    Points("http://127.0.0.1:9/", ["ship_v1:after_effect"]).reach(EXECUTION, AFTER_EFFECT)


def test_without_a_request_nothing_is_announced(monkeypatch, asked):
    monkeypatch.delenv("POINTS_URL", raising=False)
    monkeypatch.delenv("POINTS", raising=False)

    Points.read().reach(EXECUTION, AFTER_EFFECT)

    assert asked == []
