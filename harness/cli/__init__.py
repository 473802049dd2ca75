"""
The command line. Every command is thin: read, call, draw, exit with a code that errors.Exit explains.
"""

from __future__ import annotations

import sys
from typing import NoReturn

import typer

from harness.cli import judging, machine, runs
from harness.cli.console import err
from harness.errors import Exit, HarnessError

app = typer.Typer(
    help="Proves that durable workflows keep their promises while everything around them breaks.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
app.command("list")(runs.list_scenarios)
app.command()(runs.plan)
app.command()(runs.run)
app.command()(runs.replay)
app.command()(runs.sweep)
app.command()(judging.check)
app.command()(judging.selftest)
app.command()(judging.synth)
app.command()(judging.report)
app.command()(machine.schema)
app.command()(runs.up)
app.command()(runs.down)
app.command()(machine.provision)
app.command()(machine.doctor)

images = typer.Typer(help="The container images that the Compose backend runs.", no_args_is_help=True)
images.command("build")(machine.images_build)
app.add_typer(images, name="images")


def _complain(message: str) -> None:
    err.print(f"harness: {message}", style="red", highlight=False, markup=False, soft_wrap=True)


def main() -> NoReturn:
    """
    Entry point: errors become one clear message and an exit code, never a traceback.
    """
    try:
        code = app(standalone_mode=False)
    except HarnessError as error:
        _complain(str(error))
        code = error.exit_code
    except typer.TyperException as error:  # an unknown command, option or value
        _complain(f"{error.format_message()} (`harness --help` and `harness COMMAND --help` say what there is)")
        code = Exit.USAGE
    except (KeyboardInterrupt, typer.Abort):
        code = Exit.INTERRUPTED
    sys.exit(code or Exit.HOLDS)
