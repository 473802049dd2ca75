"""Each of Locust's flags does what Locust documents, or is refused. In processes of their own: Locust patches."""

import csv
import json
import os
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

PROBE = """
import json, sys
from locust import HttpUser
from locust.argument_parser import get_empty_argument_parser, get_parser, setup_parser_arguments
from harness.errors import UsageError
from harness.locust import ArrivalUser, flags

class Starts(ArrivalUser): pass
class Other(ArrivalUser): pass
class Mine(HttpUser): pass

def why(arguments, users):
    try:
        flags.refuse(get_parser([]).parse_args(arguments), [globals()[name] for name in users])
    except UsageError as error:
        return str(error)

parser = get_empty_argument_parser()
setup_parser_arguments(parser)
alive = [action for action in parser._actions if action.option_strings and "ErrorRaising" not in type(action).__name__]
print(json.dumps({
    "why": [why(*case) for case in json.loads(sys.argv[1])],
    "ours": [list(flag.names) for flag in flags.FLAGS],
    "theirs": [action.option_strings for action in alive],
}))
"""
HOST = ("--host", "http://127.0.0.1:9")
REFUSED = {
    ("-u", "0"): "--users 0: without a user nothing is sent",
    ("-t", "40s"): "give --duration",
    ("--master",): "by load.workers of its scenario",
    ("--processes", "2"): "by load.workers of its scenario",
    ("--enable-rebalancing",): "locust#1707",
    ("--tags", "a"): "leaves out the task",
    ("--exit-code-on-error", "0"): "the exit code is the verdict's",
}
SERVED = (
    (),
    ("-u", "5", "-r", "2"),
    ("-t", "40s", "--headless"),
    ("-t", "40s", "--autostart"),
    ("-t", "40s", *HOST),
    ("--master", *HOST),
    ("--processes", "2", *HOST),
    ("--worker",),
    ("--exclude-tags", "a"),
    ("--exit-code-on-error", "0", *HOST),
    ("--csv", "a", "--html", "b", "--json", "--class-picker", "-s", "5"),
)
USERS = (
    (["Starts", "Other"], (), "Other, Starts: each sends the whole load"),
    (["Mine"], (), "no user sends the arrivals"),
    (["Starts", "Mine"], (), None),
    (["Starts", "Other"], ("--class-picker",), None),
)


@pytest.fixture(name="told", scope="module")
def _told():
    cases = [(given, ["Starts"]) for given in (*REFUSED, *SERVED)] + [(given, users) for users, given, _ in USERS]
    done = subprocess.run(
        [sys.executable, "-c", PROBE, json.dumps(cases)], capture_output=True, check=True, text=True, timeout=60
    )
    told = json.loads(done.stdout)
    told["why"] = dict(zip(((tuple(given), tuple(users)) for given, users in cases), told["why"], strict=True))
    return told


def test_every_flag_of_locust_is_in_the_table_once(told):
    ours = [name for names in told["ours"] for name in names]
    assert len(ours) == len(set(ours))
    assert set(ours) - {"-h", "--help"} == {name for names in told["theirs"] for name in names} - {"-h", "--help"}


@pytest.mark.parametrize(("given", "why"), REFUSED.items(), ids=lambda value: str(value[0]))
def test_what_cannot_be_served_is_refused_with_the_reason(told, given, why):
    assert why in told["why"][given, ("Starts",)]


@pytest.mark.parametrize("given", SERVED, ids=str)
def test_everything_else_is_not(told, given):
    assert told["why"][given, ("Starts",)] is None


@pytest.mark.parametrize(("users", "given", "why"), USERS)
def test_exactly_one_user_sends_the_arrivals(told, users, given, why):
    found = told["why"][given, tuple(users)]
    assert found == why if why is None else why in found


class _Answers(BaseHTTPRequestHandler):
    """Takes every start, as a target does."""

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.starts.append(body)
        self.send_response(202)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


class _Server(ThreadingHTTPServer):
    request_queue_size = 128  # many starts at once wait for no second SYN


@pytest.fixture(name="app")
def _app():
    with _Server(("127.0.0.1", 0), _Answers) as server:
        server.starts = []
        server.url = f"http://127.0.0.1:{server.server_port}"
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


def locust(folder, *arguments, env=None, more=""):
    """A Locust with a locustfile of the user's own, to its end; `more` is what the file has besides."""
    (folder / "mine.py").write_text(
        f"from harness.locust import ArrivalUser\n\nclass Mine(ArrivalUser):\n    '''The load.'''\n{more}"
    )
    return subprocess.run(
        [sys.executable, "-m", "locust", "-f", "mine.py", *arguments],
        cwd=folder,
        env={**os.environ, **(env or {})},
        capture_output=True,
        check=False,
        text=True,
        timeout=90,
    )


def test_three_lines_of_ones_own_with_flags_files_and_variables(tmp_path, app):
    (tmp_path / "locust.conf").write_text(f"host = {app.url}\nusers = 3\nscenario = baseline\n")
    (tmp_path / "more.conf").write_text(
        "headless = true\nonly-summary = true\ncsv = out/load\ncsv-full-history = yes\n"
    )
    done = locust(
        tmp_path,
        *("--config", "more.conf", "--rate", "40", "-t", "5s", "--html", "out/{u}.html", "--json"),
        *("--logfile", "out.log", "--seed", "4"),
        env={"LOCUST_SPAWN_RATE": "2"},
    )
    assert done.returncode == 0, done.stderr
    sent = sum(each["num_requests"] for each in json.loads(done.stdout))
    numbers = sorted(int(each["order_id"].rpartition("-")[2]) for each in app.starts)
    assert numbers == list(range(len(numbers))), "one user sends the schedule, however many are asked for"
    assert 5 < sent <= len(numbers), "what has no answer when Locust ends is not counted by it"
    rows = {row["Name"]: row for row in csv.DictReader((tmp_path / "out/load_stats.csv").read_text().splitlines())}
    assert int(rows["Aggregated"]["Request Count"]) <= sent, "Locust writes it once per second"
    assert "<html" in (tmp_path / "out/3.html").read_text().lower()
    assert len((tmp_path / "out/load_stats_history.csv").read_text().splitlines()) > 2
    assert "Starting Locust" in (tmp_path / "out.log").read_text()


STANDS_STILL = """
import time
from locust import events

seen = []

@events.request.add_listener
def stand_still(**_):
    seen.append(None)
    until = time.time() + 2 if len(seen) == 5 else 0
    while time.time() < until:  # not asleep: then Locust would go on
        pass
"""


def test_locusts_statistics_count_from_when_a_start_was_due(tmp_path, app):
    flags = ("--headless", "--rate", "20", "-t", "5s", "--host", app.url, "--only-summary", "--json")
    done = locust(tmp_path, *flags, more=STANDS_STILL)

    assert done.returncode == 0, done.stderr
    late = sum(
        number
        for of in json.loads(done.stdout)
        for time, number in of["response_times"].items()
        if float(time) > 500  # ms
    )
    assert late >= 15, "30 starts were due in the first 1.5 s of the standstill, and sent after it"


def test_processes_share_the_schedule(tmp_path, app):
    done = locust(
        tmp_path,
        *(
            "--headless",
            "--processes",
            "2",
            "--rate",
            "40",
            "-t",
            "5s",
            "--host",
            app.url,
            "--only-summary",
            "--json-file",
            "all",
        ),
    )
    assert done.returncode == 0, done.stderr
    ids = [each["order_id"] for each in app.starts]
    shares = [
        sorted(int(each.rpartition("-")[2]) for each in ids if each.startswith(of))
        for of in {each.partition("-")[0] for each in ids}
    ]
    assert sum(each["num_requests"] for each in json.loads((tmp_path / "all.json").read_text())) > 0
    assert sorted(share[:3] for share in shares) == [[0, 2, 4], [1, 3, 5]]
    assert all(share == list(range(share[0], share[0] + 2 * len(share), 2)) for share in shares), "each its own, once"


def test_list_and_ratio_only_tell(tmp_path):
    assert "Mine" in locust(tmp_path, "--list").stdout
    assert '"Mine"' in locust(tmp_path, "--show-task-ratio-json").stdout


def test_a_refused_flag_ends_locust_with_exit_code_64(tmp_path):
    done = locust(tmp_path, "--headless", "--tags", "some")
    assert done.returncode == 64
    assert "harness: --tags leaves out the task" in done.stderr
