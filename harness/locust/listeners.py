"""
The listeners for Locust's events. Locust runs in one of three ways.

First, `harness run` starts Locust and names the run directory in HARNESS_LOAD.

Second, the user starts `locust -f scenarios`. At the start of the test Locust then starts a harness process, which
starts the system, runs the faults, and judges. The exit code of that process becomes Locust's.

Third, the user starts `locust -f scenarios --host URL`. This sends a scenario's load to a system that somebody else
runs, from any number of workers. There is only load: no fault and no verdict.
"""

from __future__ import annotations

import sys
import time
from argparse import Namespace
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import gevent
from locust import events
from locust.argument_parser import LocustArgumentParser
from locust.env import Environment
from locust.runners import STATE_SPAWNING, MasterRunner, Runner, WorkerRunner

from harness.errors import Exit, UsageError
from harness.load.work import Work, of_hosts
from harness.locust import flags, web
from harness.locust import options as ours
from harness.locust.companion import Companion
from harness.locust.session import SESSION


@events.init_command_line_parser.add_listener
def _options(parser: LocustArgumentParser) -> None:
    ours.add(parser)


@contextmanager
def _usage_errors_end_locust() -> Iterator[None]:
    """
    Tell what cannot be used, and end the process with exit code 64.
    """
    try:
        yield
    except UsageError as error:
        sys.stderr.write(f"harness: {error}\n")
        sys.exit(error.exit_code)


def _share(runner: Runner | None, options: Namespace) -> Work:
    """
    Return this process's share of the load on `--host`. Instance ids begin with the current time, so they differ from
    those of earlier tests.
    """
    return of_hosts(
        ours.wanted(options).plan(judged=False),
        options.host,
        share=runner.worker_index if isinstance(runner, WorkerRunner) else 0,
        shares=ours.shares(options) if isinstance(runner, WorkerRunner) else 1,
        prefix=f"{time.time_ns() // 1_000_000:x}-",
    )


def _bring_up(options: Namespace) -> bool:
    """
    Start the harness beside this Locust and wait until the system is up. Return whether it is.
    """
    companion = SESSION.companion = Companion(ours.wanted(options))
    if companion.ready():
        SESSION.run = companion.run
    return companion.run is not None


@events.init.add_listener
def _init(environment: Environment, **_: Any) -> None:
    """
    Refuse what cannot be used. Where the test begins at once, start the system first, because the time that `-t` allows
    is for the load. Otherwise the web page comes first, and each test starts a system of its own.
    """
    options, runner = environment.parsed_options, environment.runner
    if SESSION.owned or options is None or isinstance(runner, WorkerRunner):
        return
    with _usage_errors_end_locust():
        flags.refuse(options, environment.user_classes)
        ours.wanted(options).plan(judged=not options.host)
        if options.run_time and not options.host:
            # The load ends when the plan does. Locust's own timer begins before the load, and would cut off its end.
            options.duration, options.run_time = f"{options.run_time}s", None
        # Loading us and planning take a while in which gevent's clock stands still, and Locust's `-t` would count from
        # before: on a busy machine the load was over when it began.
        gevent.get_hub().loop.update_now()
        if isinstance(runner, MasterRunner):
            for user in environment.user_classes:
                user.fixed_count = ours.shares(options)  # one user per worker
            options.num_users = max(options.num_users or 1, ours.shares(options))
        if environment.web_ui is not None:
            web.extend(environment)
        if options.host:
            return
        if (options.headless or options.autostart) and not _bring_up(options) and SESSION.companion is not None:
            sys.exit(SESSION.companion.wait())


@events.test_start.add_listener
def _test_start(environment: Environment, **_: Any) -> None:
    """
    Under the web page each test is a run of its own, which begins here.
    """
    options, runner = environment.parsed_options, environment.runner
    if SESSION.run is not None or options is None or runner is None:
        return
    if options.host:
        if not isinstance(runner, MasterRunner):
            SESSION.work = _share(runner, options)
        return
    before = runner.state
    runner.update_state(STATE_SPAWNING)  # so that the page shows a test, and not the form, while the system comes up
    if _bring_up(options):
        runner.update_state(before)
        return
    # The runner ends the greenlet in which we are. It would start users if we returned before that.
    gevent.spawn(runner.stop)
    raise gevent.GreenletExit


@events.test_stop.add_listener
def _test_stop(**_: Any) -> None:
    """
    The load is over, or was stopped before it began. Locust may fire this event twice. Nobody waits for the verdict
    here, so that the web page still responds.
    """
    if SESSION.companion is not None:
        SESSION.companion.end_load()
        SESSION.run = None


@events.quitting.add_listener
def _quitting(environment: Environment, **_: Any) -> None:
    """
    Set Locust's exit code to that of the last verdict. If the harness started Locust, Locust ends with 0, because the
    harness judges. For load on a host there is no verdict, and Locust's own exit code stays.
    """
    if SESSION.companion is not None:
        if environment.runner is not None:
            environment.runner.stop()  # Ctrl-C and SIGTERM come here while the load still runs
        environment.process_exit_code = SESSION.companion.wait()
    elif SESSION.work is None and environment.process_exit_code is None:
        environment.process_exit_code = Exit.HOLDS
