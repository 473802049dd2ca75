"""
Locust's own flags: each does here what Locust's documentation says, or is refused with the reason.

`FLAGS` has all of them (locust 2.47); docs/locust.md shows the same table.
"""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from locust import User

from harness.errors import UsageError
from harness.locust.user import ArrivalUser

_Users = Sequence[type[User]]
_AS_DOCUMENTED = "as Locust documents it"


@dataclass(frozen=True)
class Flag:
    """
    Flags that are served alike: how, and when they are refused. `refuses` takes the options and the users that are to
    run.
    """

    names: tuple[str, ...]
    served: str = _AS_DOCUMENTED
    refuses: Callable[[Namespace, _Users], bool] = lambda _options, _users: False
    why: str = ""


def _judged(options: Namespace) -> bool:
    return not options.host


def _distributed(options: Namespace) -> bool:
    return bool(options.master or options.worker or options.processes)


def _arrival_users(users: _Users) -> list[type[User]]:
    return [user for user in users if issubclass(user, ArrivalUser)]


FLAGS = (
    Flag(("-f", "--locustfile"), f"{_AS_DOCUMENTED}: `scenarios`, or a locustfile of your own (below)"),
    Flag(
        ("--config",),
        f"{_AS_DOCUMENTED}, and so are `locust.conf` and the environment variables; our options can stand there, too",
    ),
    Flag(("-H", "--host"), "load on a system of yours, without fault and verdict (above)"),
    Flag(
        ("-u", "--users", "-r", "--spawn-rate"),
        "not used: the load is open, and one user sends the whole schedule (with workers, one user each)",
        lambda options, _users: options.num_users is not None and options.num_users < 1,
        "--users 0: without a user nothing is sent",
    ),
    Flag(
        ("-t", "--run-time"),
        "how long the load takes, with `--headless` or `--autostart`, counted from when the system is up",
        lambda options, _users: bool(
            options.run_time and _judged(options) and not options.headless and not options.autostart
        ),
        "--run-time goes with --headless or --autostart; in the start form it is Duration: give --duration",
    ),
    Flag(("-l", "--list", "--show-task-ratio", "--show-task-ratio-json", "-h", "--help", "-V", "--version")),
    Flag(("--config-users",)),
    Flag(("--web-host",), "as Locust documents it, but without it the page listens on 127.0.0.1 only"),
    Flag(("--web-host-display-name", "-P", "--web-port", "--web-base-path", "--build-path")),
    Flag(("--web-login", "--tls-cert", "--tls-key"), f"{_AS_DOCUMENTED}; the tab Chaos is behind the login, too"),
    Flag(("--headless", "--headful")),
    Flag(("--autostart", "--autoquit"), f"{_AS_DOCUMENTED}; the page comes when the system is up"),
    Flag(("--class-picker",), f"{_AS_DOCUMENTED}; of users that send arrivals, one can be chosen"),
    Flag(
        ("--master", "--worker", "--processes"),
        f"{_AS_DOCUMENTED} with `--host`; the workers share the schedule (`--shares`; of `--processes N` it is N)",
        lambda options, _users: _distributed(options) and not options.worker and _judged(options),
        "--master, --worker and --processes go with --host; a judged run gets workers by load.workers of its scenario",
    ),
    Flag(
        (
            *("--master-bind-host", "--master-bind-port", "--master-host", "--master-port"),
            *("--expect-workers", "--expect-workers-max-wait"),
        ),
        f"{_AS_DOCUMENTED}, where there are workers",
    ),
    Flag(
        ("--enable-rebalancing",),
        "nothing",
        lambda options, _users: bool(options.enable_rebalancing),
        "--enable-rebalancing: shares go by a worker's number, and one that comes back has another (locust#1707)",
    ),
    Flag(
        ("-T", "--tags", "-E", "--exclude-tags"),
        "`--exclude-tags` as Locust documents it",
        lambda options, users: options.tags is not None and bool(_arrival_users(users)),
        "--tags leaves out the task that sends the arrivals, which has no tag",
    ),
    Flag(("--csv", "--csv-full-history", "--html", "--json", "--json-file", "--reset-stats")),
    Flag(("--print-stats", "--only-summary", "--skip-log-setup", "-L", "--loglevel", "--logfile")),
    Flag(
        ("--exit-code-on-error",),
        f"{_AS_DOCUMENTED} with `--host`; a run's exit code is its verdict's",
        lambda options, _users: _judged(options) and options.exit_code_on_error != 1,
        "--exit-code-on-error: the exit code is the verdict's; what is accepted, the scenario's gate says",
    ),
    Flag(
        ("-s", "--stop-timeout"),
        f"{_AS_DOCUMENTED}: for so long a load that is stopped goes on; answers are awaited in any case",
    ),
    Flag(("--equal-weights", "--profile", "--otel")),
)


def refuse(options: Namespace, users: _Users) -> None:
    """
    Raise UsageError, with the reason, if an option cannot be served, or if not exactly one user sends the arrivals.
    """
    for flag in FLAGS:
        if flag.refuses(options, users):
            raise UsageError(flag.why)
    if not options.class_picker:  # the form chooses
        refuse_several(users)


def refuse_several(users: _Users) -> None:
    """
    Raise UsageError if not exactly one of the users sends the arrivals: each sends all of them.
    """
    found = _arrival_users(users)
    if len(found) > 1:
        names = ", ".join(sorted(user.__name__ for user in found))
        raise UsageError(f"{names}: each sends the whole load; name one of them")
    if not found:
        raise UsageError("no user sends the arrivals: it must be a subclass of harness.locust.ArrivalUser")
