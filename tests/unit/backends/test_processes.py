"""Nodes as processes: ready means ready, dead means dead, and nothing outlives its run."""

import dataclasses
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest

from harness.backends import guard, ports, probe, sockets, wired
from harness.backends.endpoints import Address
from harness.backends.process import Child, Spec
from harness.backends.processes import Processes
from harness.errors import NodeError
from tests.builders.waiting import until

SLEEP = (sys.executable, "-c", "import time; print('up', flush=True); time.sleep(60)")


def spec(tmp_path, command=SLEEP, ready=lambda: True, **others):
    return Spec(
        name="app-0",
        command=command,
        env=dict(os.environ),
        folder=tmp_path,
        log=tmp_path / "log",
        ready=ready,
        **others,
    )


@pytest.fixture(name="child")
def _child(tmp_path):
    child = Child(spec(tmp_path))
    child.spawn()
    yield child
    child.end()


def test_a_kill_is_proved_by_the_exit_status_of_that_very_process(child):
    pid = child._process.pid
    started = psutil.Process(pid).create_time()

    death = child.kill()

    assert (pid, started, -signal.SIGKILL) == (death.pid, death.started, death.status)


def test_a_stop_is_proved_by_the_exit_status_of_that_very_process(child):
    pid = child._process.pid

    death = child.stop(grace=10)

    assert (pid, -signal.SIGTERM) == (death.pid, death.status)


def test_a_node_that_does_not_stop_in_its_grace_is_killed(tmp_path):
    stubborn = "import signal, time; signal.signal(15, signal.SIG_IGN); print('up', flush=True); time.sleep(60)"
    child = Child(spec(tmp_path, (sys.executable, "-c", stubborn), lambda: (tmp_path / "log").stat().st_size > 0))
    child.spawn()
    child.await_ready()

    assert child.stop(grace=0.1).status == -signal.SIGKILL


WRAPPER = """
import subprocess, sys
with subprocess.Popen([sys.executable, "-c", {program!r}]) as child: print(child.pid, flush=True)
"""
STUBBORN = "import signal, time; signal.signal(15, signal.SIG_IGN); open('deaf', 'w').close(); time.sleep(60)"


@pytest.fixture(name="wrapped")
def _wrapped(tmp_path):
    """A node that is a wrapper, as `npm start` and `uv run` are, and the process that does the work."""
    made = []

    def start(program="import time; time.sleep(60)", ready=lambda: True):
        command = (sys.executable, "-c", WRAPPER.format(program=program))
        child = Child(spec(tmp_path, command, lambda: told() and ready()))
        made.append(child)
        child.spawn()
        child.await_ready()
        return child, psutil.Process(int((tmp_path / "log").read_text()))

    def told():
        return (tmp_path / "log").read_text().endswith("\n")

    yield start
    for child in made:
        child.end()


def is_over(process):
    return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE


def test_what_a_wrapper_has_started_is_killed_with_it(wrapped):
    child, worker = wrapped()

    assert child.kill().status == -signal.SIGKILL
    assert is_over(worker)


def test_what_a_wrapper_has_started_is_stopped_with_it(wrapped):
    child, worker = wrapped()

    assert child.stop(grace=10).status == -signal.SIGTERM
    assert is_over(worker)


def test_what_a_wrapper_has_started_is_killed_if_it_does_not_stop_in_its_grace(wrapped, tmp_path):
    child, worker = wrapped(STUBBORN, (tmp_path / "deaf").exists)

    assert child.stop(grace=0.1).status == -signal.SIGTERM
    assert is_over(worker)


def test_what_a_wrapper_has_started_is_paused_with_it(wrapped):
    child, worker = wrapped()

    child.pause()
    until(lambda: worker.status() == psutil.STATUS_STOPPED)
    child.resume()
    until(lambda: worker.status() != psutil.STATUS_STOPPED)


BUSY = """
import os, sys, time
if not os.fork():
    while True: pass
print("up", flush=True); time.sleep(60)
"""


@pytest.mark.parametrize(("tapped", "name"), [(False, "app-0"), (True, "app-0.tap")])
def test_what_the_others_of_its_group_use_is_the_node_s_or_its_tap_s(tmp_path, tapped, name):
    child = Child(spec(tmp_path, (sys.executable, "-c", BUSY), tapped=tapped))
    child.spawn()
    backend = Processes.__new__(Processes)
    backend._nodes = {"app-0": child}
    try:
        until(lambda: backend.usage().get(name, (0.0, 0))[0] > 30)
        used = backend.usage()
        assert sorted(used) == sorted({"app-0", name})
        assert used[name][1] > 0
        assert not tapped or used["app-0"][0] < 30
    finally:
        child.end()
    assert backend.usage() == {}


def test_a_dead_node_cannot_be_killed_again(child):
    child.kill()

    with pytest.raises(NodeError, match="app-0 does not run"):
        child.kill()


def test_a_running_node_is_not_started_twice(child):
    with pytest.raises(NodeError, match="app-0 runs already"):
        child.spawn()


def test_a_killed_node_comes_back(child):
    first = child.kill().pid
    child.spawn()
    child.await_ready()

    assert first != child.kill().pid


def test_a_death_that_was_asked_for_is_not_reported(child):
    child.kill()

    assert child.death() is None


def test_a_kill_between_two_looks_at_a_node_is_no_death_of_its_own(child, monkeypatch):
    process = child._process
    poll = process.poll

    def killed_meanwhile():
        monkeypatch.setattr(process, "poll", poll)
        child.kill()
        child.spawn()
        return poll()

    monkeypatch.setattr(process, "poll", killed_meanwhile)

    assert child.death() is None


def test_a_death_that_nobody_asked_for_is_reported(child):
    os.kill(child._process.pid, signal.SIGTERM)
    child._process.wait()

    assert child.death().status == -signal.SIGTERM


def test_a_node_that_ends_before_it_is_ready_shows_the_end_of_its_log(tmp_path):
    child = Child(spec(tmp_path, (sys.executable, "-c", "print('no such port'); exit(3)"), lambda: False))
    child.spawn()

    with pytest.raises(NodeError, match=r"ended before it was ready \(exit status 3\)(.|\n)*no such port"):
        child.await_ready()


def test_a_node_that_is_never_ready_is_given_up(tmp_path):
    child = Child(spec(tmp_path, ready=lambda: False, patience=0.2))
    child.spawn()

    with pytest.raises(NodeError, match=r"was not ready after 0\.2 s"):
        child.await_ready()
    child.end()


def test_a_program_that_does_not_exist_is_told(tmp_path):
    with pytest.raises(NodeError, match="app-0 cannot be started"):
        Child(spec(tmp_path, ("/nowhere/daprd",))).spawn()


def test_a_bring_up_that_fails_waits_for_nobody_else(tmp_path):
    dead = dataclasses.replace(spec(tmp_path, (sys.executable, "-c", "exit(3)"), lambda: False), name="app-1")
    backend = Processes(SimpleNamespace(spares=()), None, {})
    began = time.monotonic()

    with pytest.raises(NodeError, match="app-1 ended before it was ready"):
        backend._launch((spec(tmp_path, ready=lambda: False), dead), lambda _: None)
    backend.down()
    assert time.monotonic() - began < 20  # and not the patience of 60 s


def test_a_ctrl_c_while_nodes_are_awaited_waits_for_none_of_them():
    over = threading.Event()

    def wait(node):
        if node == "app-0":
            raise KeyboardInterrupt
        over.wait(60)

    began = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        wired.await_all(wait, ["sidecar-0", "app-0"])
    assert time.monotonic() - began < 20
    over.set()


def test_a_file_that_vanishes_while_it_is_looked_at_was_never_written(tmp_path, monkeypatch):
    class Vanishing(type(tmp_path)):
        """A file that is removed as soon as it is known to be one."""

        def is_file(self):
            return True

    kept = tmp_path / "kept"
    kept.touch()
    monkeypatch.setattr(Path, "rglob", lambda *_: iter([Vanishing(tmp_path / "removed"), kept, tmp_path]))

    assert Processes(None, SimpleNamespace(data=tmp_path), {}).written_ns("redis") == kept.stat().st_mtime_ns


def test_two_leases_never_share_a_port():
    with ports.lease() as one, ports.lease() as other:
        mine = {one.take() for _ in range(50)}
        theirs = {other.take() for _ in range(50)}

    assert len(mine | theirs) == 100


def test_connections_to_a_listener_are_counted_while_they_are_open():
    with socket.create_server((ports.HOST, 0)) as listener:
        port = listener.getsockname()[1]
        counts = [sockets.connections(port)]
        for _ in range(2):
            with socket.create_connection((ports.HOST, port)), listener.accept()[0]:
                counts.append(sockets.connections(port))
        counts.append(sockets.connections(port))

    assert counts == [0, 1, 1, 0]


def test_a_node_is_asked_past_any_proxy_of_the_environment(monkeypatch):
    class Node(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_):
            pass

    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    with HTTPServer((ports.HOST, 0), Node) as node:
        threading.Thread(target=node.handle_request, daemon=True).start()
        with probe.client(timeout=5) as client:
            answer = client.get(Address(host=ports.HOST, port=node.server_port).url)

    assert answer.status_code == 204


def start_marked(run):
    return subprocess.Popen(
        [sys.executable, "-c", "import time; time.sleep(60)"],
        env={**os.environ, guard.MARK: str(run)},
        start_new_session=True,
    )


def test_the_guard_ends_what_a_dead_harness_left_even_if_it_is_stopped(tmp_path):
    mine, paused, other = start_marked(tmp_path), start_marked(tmp_path), start_marked(tmp_path / "other")
    os.kill(paused.pid, signal.SIGSTOP)
    with guard.Guard(tmp_path):
        pass  # its input is closed, which the kernel does when the harness is killed

    assert [mine.wait(timeout=5), paused.wait(timeout=5)] == [-signal.SIGKILL, -signal.SIGKILL]
    assert other.poll() is None
    other.kill()
    other.wait()


def test_a_node_that_hides_its_environment_is_known_by_its_folder(tmp_path):
    folder = tmp_path / "data" / "redis"
    folder.mkdir(parents=True)
    (tmp_path / "plan.json").touch()
    hidden = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"], cwd=folder, env={})

    assert guard.end_run(tmp_path) == 1
    assert not psutil.pid_exists(hidden.pid)  # swept and reaped
    hidden.wait()


def test_somebody_who_looks_at_a_runs_data_is_no_node_of_it(tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "plan.json").touch()
    shell = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"], cwd=tmp_path / "data")

    assert guard.end_run(tmp_path) == 0
    shell.kill()
    shell.wait()


def test_a_guard_that_is_released_ends_nothing(tmp_path):
    mine = start_marked(tmp_path)

    guard.Guard(tmp_path).release()

    assert mine.poll() is None
    assert guard.end_run(tmp_path) == 1
    mine.wait()


def test_a_run_that_goes_on_is_known_by_its_guard(tmp_path):
    mine = start_marked(tmp_path)
    with guard.Guard(tmp_path):
        assert tmp_path in guard.guarded()
        assert tmp_path in guard.owners()
    mine.wait()

    assert tmp_path not in guard.guarded() | guard.owners()
