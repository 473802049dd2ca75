"""
The user that sends the arrivals of a scenario.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable
from pathlib import Path

import gevent
import gevent.pool
from locust import FastHttpUser, task
from locust.contrib.fasthttp import ResponseContextManager
from locust.env import Environment
from locust.exception import StopUser
from locust.runners import WorkerRunner

from harness.journal import Journal
from harness.load.arrivals import Arrival, Due
from harness.load.operations import Operations
from harness.load.requests import Requests, ask
from harness.load.start import start
from harness.load.work import of_run
from harness.locust.session import SESSION
from harness.locust.worker import Worker
from harness.rows import LoadBegan, LoadEnded, LoadRow, WorkerRow

_RETRY_PAUSE = 0.5


class ArrivalUser(FastHttpUser):
    """
    Sends every arrival of the plan at its time, each in a greenlet of its own. One such user sends the whole load, or
    what the run tells this process if several share it.

    Latency counts from the intended time, so that delays which a stalled system causes for later arrivals are counted
    too (coordinated omission; G. Tene, wrk2).
    """

    abstract = True
    fixed_count = 1
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
        client = f"locust-{os.getpid()}"
        self.operations = Operations(
            Journal(work.journals.operations(str(os.getpid())) if work.journals else Path(os.devnull)), client
        )
        asks = work.journals is not None and self.load.asked  # without requests there is no journal of them
        self.requests = Requests(
            Journal(work.journals.requests(str(os.getpid())) if work.journals and asks else Path(os.devnull)), client
        )
        self.concurrency = most = -(-self.load.max_in_flight // (self.load.workers if SESSION.shares else 1))
        self.calls = gevent.pool.Pool(most)
        self.later = gevent.pool.Group()
        self.is_over = False
        super().__init__(environment)

    @task
    def arrivals(self) -> None:
        """
        Send the whole load, or the shares of it that this worker is told to send. Then end the test.
        """
        if self.work.journals is not None and SESSION.shares:
            with Journal[WorkerRow](self.work.journals.worker(str(os.getpid()))) as journal:
                Worker(self, journal).work()
        else:
            with Journal[LoadRow](self.work.journals.load if self.work.journals else Path(os.devnull)) as journal:
                self._whole(journal)
        gevent.spawn(_end, self.environment)
        raise StopUser

    def _whole(self, journal: Journal[LoadRow]) -> None:
        dropped = 0
        origin_ns = time.time_ns()
        journal.write(LoadBegan(at_ns=origin_ns))
        try:
            for arrival in self.work.arrivals():
                intended_ns = origin_ns + round(arrival.at * 1e9)
                gevent.sleep(max(0.0, (intended_ns - time.time_ns()) / 1e9))
                dropped += not self.send(arrival, intended_ns)
            gevent.sleep(max(0.0, (origin_ns - time.time_ns()) / 1e9 + self.load.duration))
            if self.load.asked:
                self.calls.join(timeout=(self.load.timeout + 1) * (1 + self.load.retries))
                self.later.join(timeout=self.load.longest_after + self.load.timeout + 1)
        finally:
            self.finish()
            journal.write(LoadEnded(at_ns=time.time_ns(), dropped=dropped))

    def finish(self) -> None:
        """
        Send nothing more, and wait for the answers.
        """
        self.is_over = True
        self.calls.join(timeout=(self.load.timeout + 1) * (1 + self.load.retries))
        self.later.join(timeout=self.load.timeout + 1)

    def send(self, arrival: Arrival, intended_ns: int) -> bool:
        """
        Send an arrival now, in a greenlet of its own. Return False, and send nothing, if too many calls are in flight.
        """
        if self.calls.free_count() > 0:
            self.calls.spawn(self.one, arrival, intended_ns)
            return True
        self.operations.drop(arrival, intended_ns)
        return False

    def one(self, arrival: Arrival, intended_ns: int) -> None:
        """
        Start one instance. While the outcome is unknown and tries are left, start it again on the next replica.
        """
        origin_ns = intended_ns - round(arrival.at * 1e9)
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
                _count_from(response, intended_ns)
                status = response.status_code or None
                failure = getattr(response, "error", None)  # Locust sets it only where there was no answer
                answer = call.answer(status, str(failure or response.text or ""))
                if answer.outcome == "ok":
                    response.success()
                else:
                    response.failure(f"{answer.outcome}: {status or 'no answer'}")
            self.operations.complete(op_id, status, answer)
            if answer.outcome != "unknown" or attempt == tries:
                break
            gevent.sleep(_RETRY_PAUSE)
            intended_ns = time.time_ns()
        if answer.outcome != "fail":
            self.ask(arrival, arrival.requests, origin_ns)

    def ask(self, arrival: Arrival, requests: Iterable[Due], origin_ns: int) -> None:
        """
        Ask a started instance for what is due, each when it is, in a load that began at `origin_ns`.
        """
        for due in requests:
            self.later.start(gevent.Greenlet(self.request, due, arrival, origin_ns + round(due.at * 1e9)))

    def request(self, due: Due, arrival: Arrival, intended_ns: int) -> None:
        """
        Ask an instance for what is due, once it is. Requests are not tried again: an event would be raised twice.
        """
        gevent.sleep(max(0.0, (intended_ns - time.time_ns()) / 1e9))
        if self.is_over:
            return
        call = ask(due, arrival, self.work.workflows[arrival.workflow], self.work.replicas)
        request_id = self.requests.invoke(due, arrival, call.node, intended_ns)
        with self.client.request(
            call.method,
            call.url,
            data=call.payload,
            headers={"Content-Type": "application/json"},
            name=" ".join(filter(None, (due.operation, due.event))),
            catch_response=True,
        ) as response:
            _count_from(response, intended_ns)
            status = response.status_code or None
            answer = call.answer(status, str(getattr(response, "error", None) or response.text or ""))
            if answer.outcome == "ok":
                response.success()
            else:
                response.failure(f"{answer.outcome}: {status or 'no answer'}")
        self.requests.complete(request_id, status, answer)


def _count_from(response: ResponseContextManager, intended_ns: int) -> None:
    """
    Let Locust's statistics, and whoever listens to its event `request`, count the response time from when the call was
    due, as the report does, and not from when it was sent. Must be called as soon as the answer is there.
    """
    response.request_meta["response_time"] = (time.time_ns() - intended_ns) / 1e6


def _end(environment: Environment) -> None:
    """
    End the test. In headless mode the process ends too; under the web UI it stays, unless it is to quit by itself.
    """
    runner, page, options = environment.runner, environment.web_ui, environment.parsed_options
    if runner is None or isinstance(runner, WorkerRunner):
        return
    if page is None:
        runner.quit()
        return
    runner.stop()
    # Locust itself does this only where the time of the test is limited.
    if options is not None and options.autostart and options.autoquit != -1 and not options.run_time:
        gevent.sleep(options.autoquit)
        runner.quit()
        page.stop()
