"""
The command line. Every command is thin: it reads its arguments, calls the harness, shows the result, and exits with a
code of errors.Exit.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
import traceback
from typing import NoReturn

import structlog
import typer

from harness.cli import capacity, comparing, judging, machine, plans, replaying, runs, selftesting, suites, targets
from harness.cli.console import err, in_github_actions, make_harmless
from harness.errors import Exit, HarnessError, interruptible

app = typer.Typer(
    help="Proves that durable workflows keep their promises while everything around them breaks.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
app.command("list")(plans.list_scenarios)
app.command()(plans.plan)
app.command()(runs.run)
app.command()(runs.replay)
app.command()(runs.sweep)
app.command()(capacity.capacity)
app.command()(suites.suite)
app.command()(judging.check)
app.command()(judging.gate)
app.command("replay-code")(replaying.replay_code)
app.command()(judging.pack)
app.command()(comparing.compare)
app.command()(comparing.history)
app.command()(selftesting.selftest)
app.command()(judging.synth)
app.command()(judging.report)
app.command()(judging.serve)
app.command()(machine.init)
app.command()(machine.schema)
app.command()(runs.up)
app.command()(runs.down)
app.command()(machine.provision)
app.command()(machine.doctor)

images = typer.Typer(help="The container images that the Compose backend runs.", no_args_is_help=True)
images.command("build")(machine.images_build)
app.add_typer(images, name="images")

target = typer.Typer(help="Your own application, as its target.yaml describes it.", no_args_is_help=True)
target.callback()(lambda: None)  # so that `check` stays a command of its own while it is the only one
target.command()(targets.check)
app.add_typer(target, name="target")


def _prepare() -> None:
    """
    Set up the whole process: warnings go to standard error, and requests to this machine never go through a proxy.
    """
    if in_github_actions():
        make_harmless()
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
    for name in ("no_proxy", "NO_PROXY"):
        os.environ[name] = ",".join(filter(None, (os.environ.get(name), "127.0.0.1", "localhost")))


def _complain(message: str) -> None:
    err.print(f"harness: {message}", style="red", soft_wrap=True)


def main() -> NoReturn:
    """
    Run the command line. Errors become one clear message and an exit code. Only a defect of the harness itself shows a
    traceback.
    """
    _prepare()
    try:
        with interruptible():
            code = app(standalone_mode=False)
    except HarnessError as error:
        _complain(str(error))
        code = error.exit_code
    except typer.TyperException as error:  # an unknown command, option or value
        _complain(f"{error.format_message()} (`harness --help` and `harness COMMAND --help` say what there is)")
        code = Exit.USAGE
    except (KeyboardInterrupt, typer.Abort):
        _complain("interrupted")
        code = Exit.INTERRUPTED
    except Exception as error:  # noqa: BLE001 - Python's own exit code for it, 1, would be a verdict: VIOLATED
        err.print(traceback.format_exc(), soft_wrap=True)
        _complain(f"a defect of the harness itself, no finding: {type(error).__name__}: {error}")
        code = Exit.SOFTWARE
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # one more Ctrl-C would only change the exit code
    sys.exit(code or Exit.HOLDS)
