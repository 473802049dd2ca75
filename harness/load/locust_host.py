"""
The harness inside Locust: the user that sends the arrivals, and the listeners for Locust's events.

Importing this module imports Locust, which patches the process for gevent. Only `scenarios/locustfile.py` imports it.

Locust runs in one of three ways. First, `harness run` starts Locust and names the run directory in HARNESS_LOAD.

Second, the user starts `locust -f scenarios`. At the start of the test Locust then starts a harness process, which
starts the system, runs the faults, and judges. The exit code of that process becomes Locust's.

Third, the user starts `locust -f scenarios --host URL`. This sends a scenario's load to a system that somebody else
runs, from any number of workers. There is only load: no fault and no verdict.
"""

from __future__ import annotations

import functools
import json
import os
import subprocess
import sys
import time
from argparse import Namespace
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gevent
import gevent.pool
from locust import FastHttpUser, events, task
from locust.argument_parser import LocustArgumentParser
from locust.env import Environment
from locust.exception import StopUser
from locust.runners import MasterRunner, Runner, WorkerRunner

from harness.errors import Exit, UsageError
from harness.journal import Journal
from harness.load.arrivals import Arrival
from harness.load.operations import Operations
from harness.load.start import start
from harness.load.work import Work, of_hosts, of_run
from harness.model import Plan
from harness.planning.request import Request
from harness.rows import LoadBegan, LoadEnded, LoadRow
from harness.rundir import RunDir

RUN = "HARNESS_LOAD"
"""Environment variable with the run directory for which Locust makes the load."""

_RETRY_PAUSE = 0.5
_MOST_IN_FLIGHT = 2000


class ArrivalUser(FastHttpUser):
    """
    Sends every arrival of the plan at its time, each in a greenlet of its own. One such user sends the whole load.

    Latency counts from the intended time, so that delays which a stalled system causes for later arrivals are counted
    too (coordinated omission; G. Tene, wrk2).
    """

    abstract = True
    fixed_count = 1
    concurrency = _MOST_IN_FLIGHT
    max_retries = 0
    max_redirects = 0

    def __init__(self, environment: Environment) -> None:
        if SESSION.run is not None:
            work = of_run(SESSION.run)
        elif SESSION.work is not None:
            work = SESSION.work
        else:
            raise StopUser
        self.work, self.load = work, work.load
        self.host = next(iter(work.replicas.apps.values())).url
        self.network_timeout = self.load.timeout
        self.connection_timeout = self.load.timeout
        self.journal: Journal[LoadRow] = Journal(work.journals.load if work.journals else Path(os.devnull))
        self.operations = Operations(
            Journal(work.journals.operations(str(os.getpid())) if work.journals else Path(os.devnull)),
            f"locust-{os.getpid()}",
        )
        self.calls = gevent.pool.Pool(_MOST_IN_FLIGHT)
        super().__init__(environment)

    @task
    def arrivals(self) -> None:
        """
        Send the whole load, then end the test.
        """
        dropped = 0
        origin_ns = time.time_ns()
        self.journal.write(LoadBegan(at_ns=origin_ns))
        try:
            for arrival in self.work.arrivals():
                intended_ns = origin_ns + round(arrival.at * 1e9)
                gevent.sleep(max(0.0, (intended_ns - time.time_ns()) / 1e9))
                if self.calls.free_count() > 0:
                    self.calls.spawn(self.one, arrival, intended_ns)
                else:
                    dropped += 1
            gevent.sleep(max(0.0, (origin_ns - time.time_ns()) / 1e9 + self.load.duration))
        finally:
            self.calls.join(timeout=(self.load.timeout + 1) * (1 + self.load.retries))
            self.journal.write(LoadEnded(at_ns=time.time_ns(), dropped=dropped))
        gevent.spawn(_end, self.environment)
        raise StopUser

    def one(self, arrival: Arrival, intended_ns: int) -> None:
        """
        Start one instance. While the outcome is unknown and tries are left, start it again on the next replica.
        """
        # A start that brings its own id would begin another instance at each try.
        workflow = self.work.workflows[arrival.workflow]
        tries = self.load.retries + 1 if workflow.start.id is None else 1
        for attempt in range(1, tries + 1):
            call = start(
                arrival.workflow,
                workflow,
                arrival.instance_id,
                arrival.body,
                self.work.replicas,
                arrival.number + attempt - 1,
            )
            op_id = self.operations.invoke(call, arrival, attempt=attempt, intended_ns=intended_ns)
            with self.client.post(
                call.url, json=call.body, name=f"start {arrival.kind}", catch_response=True
            ) as response:
                status = response.status_code or None
                failure = getattr(response, "error", None)  # Locust sets it only where there was no answer
                answer = call.answer(status, str(failure or response.text or ""))
                if answer.outcome == "ok":
                    response.success()
                else:
                    response.failure(f"{answer.outcome}: {status or 'no answer'}")
            self.operations.complete(op_id, status, answer)
            if answer.outcome != "unknown":
                return
            gevent.sleep(_RETRY_PAUSE)
            intended_ns = time.time_ns()


def _end(environment: Environment) -> None:
    """
    End the test. In headless mode the process ends too; under the web UI it stays.
    """
    if environment.runner is None or isinstance(environment.runner, WorkerRunner):
        return
    if environment.web_ui is None:
        environment.runner.quit()
    else:
        environment.runner.stop()


class Companion:
    """
    The harness process that runs beside a Locust which the user started.

    It is a process of its own, because a run cannot live under gevent. Locust has patched this process's threads,
    sockets and signals. A run waits in real threads, handles Ctrl-C, and calls the scheduler by gRPC, whose core does
    not work with gevent.
    """

    def __init__(self, options: Namespace) -> None:
        command = [sys.executable, "-m", "harness", "run", options.scenario, "--attached"]
        if options.run_time:
            command += ["--duration", str(options.run_time)]
        for flag in ("seed", "target", "dapr_version", "defect", "backend"):
            value = getattr(options, flag)
            if value not in (None, ""):
                command += [f"--{flag.replace('_', '-')}", str(value)]
        # A session of its own: Ctrl-C must reach only Locust, which then ends the test in an orderly way.
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True)

    def ready(self) -> str | None:
        """
        Wait until the system is up. Return the run directory, or None if the harness gave up.
        """
        if self._process.stdout is None:
            return None
        for line in self._process.stdout:
            try:
                return str(json.loads(line)["run"])
            except (ValueError, KeyError, TypeError):
                sys.stderr.write(line.decode(errors="replace"))
        self._process.wait()
        return None

    def finish(self) -> int:
        """
        Tell the harness that the load is over, wait for the verdict, and return the harness's exit code.
        """
        if self._process.stdin is not None:
            self._process.stdin.close()
        if self._process.stdout is not None:
            for line in self._process.stdout:
                sys.stderr.write(line.decode(errors="replace"))
        return self._process.wait()


@dataclass
class Session:
    """
    What this Locust works for: either a run, with the harness process beside it if the user started Locust, or the load
    on a host.
    """

    run: RunDir | None = None
    work: Work | None = None
    companion: Companion | None = None
    verdict: gevent.Greenlet | None = None


SESSION = Session(run=RunDir(Path(os.environ[RUN])) if RUN in os.environ else None)
"""
The only global state of this module. Locust creates its users itself, so there is no other way to pass the run to them.
"""


@events.init_command_line_parser.add_listener
def _options(parser: LocustArgumentParser) -> None:
    group = parser.add_argument_group("harness")
    group.add_argument("--scenario", default="baseline", help="named scenario or path to a YAML file")
    group.add_argument("--shares", type=int, default=1, help="workers that share the load, with --host and --master")
    group.add_argument("--seed", type=int, default=None, help="seed of the plan (default 1)")
    group.add_argument("--target", default="", help="target.yaml of the system under test")
    group.add_argument("--dapr-version", default="", help="Dapr release to run")
    group.add_argument("--backend", default="", help="where the system runs: processes (default) or compose")
    group.add_argument("--defect", default="", help="plant a defect of the target")


@functools.cache
def _planned(scenario: str, seed: int | None, target: str) -> Plan:
    """
    Return the plan of the scenario. Planning opens two YAML files and no connection, so, unlike a run, it works under
    gevent (see Companion). Ends the process with exit code 64 and a message if the scenario cannot be used.
    """
    try:
        return Request(scenario, Path(target) if target else None).plan(1 if seed is None else seed)
    except UsageError as error:
        sys.stderr.write(f"harness: {error}\n")
        sys.exit(error.exit_code)


def _share(runner: Runner | None, options: Namespace) -> Work:
    """
    Return this process's share of the load on `--host`. Instance ids begin with the current time, so they differ from
    those of earlier tests.
    """
    return of_hosts(
        _planned(options.scenario, options.seed, options.target),
        options.host,
        share=runner.worker_index if isinstance(runner, WorkerRunner) else 0,
        shares=options.shares if isinstance(runner, WorkerRunner) else 1,
        prefix=f"{time.time_ns() // 1_000_000:x}-",
    )


def _bring_up(options: Namespace) -> int | None:
    """
    Start the harness beside this Locust and wait until the system is up. Return None, or the harness's exit code if it
    gave up.
    """
    companion = Companion(options)
    run = companion.ready()
    if run is None:
        return companion.finish()
    SESSION.run, SESSION.companion = RunDir(Path(run)), companion
    return None


@events.init.add_listener
def _init(environment: Environment, **_: Any) -> None:
    """
    In headless mode, start the system before the test begins, because the time that `-t` allows is for the load.
    """
    options, runner = environment.parsed_options, environment.runner
    if SESSION.run is not None or options is None:
        return
    if isinstance(runner, MasterRunner):
        for user in environment.user_classes:
            user.fixed_count = options.shares  # one user per worker
    elif options.host:
        _planned(options.scenario, options.seed, options.target)
    if options.host or not options.headless:
        return
    code = _bring_up(options)
    if code is not None:
        sys.exit(code)


@events.test_start.add_listener
def _test_start(environment: Environment, **_: Any) -> None:
    """
    Under the web UI, each test is a run of its own.
    """
    options = environment.parsed_options
    if SESSION.run is None and options is not None and options.host:
        if not isinstance(environment.runner, MasterRunner):
            SESSION.work = _share(environment.runner, options)
    elif SESSION.run is None and options is not None:
        environment.process_exit_code = _bring_up(options)
        if environment.process_exit_code is not None and environment.runner is not None:
            environment.runner.stop()


@events.test_stop.add_listener
def _test_stop(**_: Any) -> None:
    """
    The load is over. Locust may fire this event twice. The verdict is awaited in a greenlet, so that the web UI still
    responds.
    """
    if SESSION.companion is not None:
        SESSION.verdict = gevent.spawn(SESSION.companion.finish)
        SESSION.run = SESSION.companion = None


@events.quitting.add_listener
def _quitting(environment: Environment, **_: Any) -> None:
    """
    Set Locust's exit code to that of the verdict. If the harness started Locust, Locust ends with 0, because the
    harness judges. For load on a host there is no verdict, and Locust's own exit code stays.
    """
    if SESSION.verdict is not None:
        environment.process_exit_code = SESSION.verdict.get()
    elif SESSION.work is None and environment.process_exit_code is None:
        environment.process_exit_code = Exit.HOLDS
