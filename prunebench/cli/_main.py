"""The group of commands, and the one place where errors become messages and exit codes.

0 all there; 1 something asked for is not there, or prunebench itself failed; 2 a mistake in what was asked;
130 interrupted.
"""

from __future__ import annotations

import importlib
import sys
import traceback
from collections.abc import Sequence
from typing import Any, NoReturn

import click

from prunebench._version import __version__
from prunebench.cli._exit_codes import FAILED, INTERRUPTED, USAGE
from prunebench.cli._output import complain
from prunebench.errors import PrunebenchError, nearest
from prunebench.process import prepare_process

__all__ = ["COMMANDS", "main"]

COMMANDS = {
    "run": "prunebench.cli.run",
    "work": "prunebench.cli.work",
    "validate": "prunebench.cli.validate",
    "plan": "prunebench.cli.plan",
    "status": "prunebench.cli.status",
    "leaderboard": "prunebench.cli.leaderboard",
    "compare": "prunebench.cli.compare",
    "judge": "prunebench.cli.judge",
    "check": "prunebench.cli.check",
    "report": "prunebench.cli.report",
    "curve": "prunebench.cli.curve",
    "fit": "prunebench.cli.fit",
    "predict": "prunebench.cli.predict",
    "measures": "prunebench.cli.measures",
    "list": "prunebench.cli.list",
    "show": "prunebench.cli.show",
    "export": "prunebench.cli.export",
    "publish": "prunebench.cli.publish",
    "verify": "prunebench.cli.verify",
    "submit": "prunebench.cli.submit",
    "restore": "prunebench.cli.restore",
    "gc": "prunebench.cli.gc",
    "doctor": "prunebench.cli.doctor",
    "merge": "prunebench.cli.merge",
    "completion": "prunebench.cli.completion",
}
"""Every command and its module, in the order of the help; imported when the command is looked at."""


class _Commands(click.Group):
    """Looks commands up when they are used, suggests the nearest name, and turns errors into exit codes."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = importlib.import_module(COMMANDS[cmd_name]).command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and not args[0].startswith("-") and args[0] not in COMMANDS:
            ctx.fail(f"no command '{args[0]}'{nearest(args[0], COMMANDS)}")
        return super().resolve_command(ctx, args)

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = "prunebench",
        complete_var: str | None = None,
        standalone_mode: bool = True,
        **extra: Any,
    ) -> Any:
        prepare_process()
        if not standalone_mode:
            return super().main(args, prog_name, complete_var, standalone_mode=False, **extra)
        try:
            code = super().main(args, prog_name, complete_var, standalone_mode=False, **extra)
        except click.ClickException as error:
            error.show()
            sys.exit(error.exit_code)
        except (click.Abort, KeyboardInterrupt):
            complain("Interrupted.")
            sys.exit(INTERRUPTED)
        except PrunebenchError as error:
            complain(str(error), label="Error")
            sys.exit(USAGE)
        except Exception:
            _our_fault()
        sys.exit(code if isinstance(code, int) else 0)


def _our_fault() -> NoReturn:
    click.echo(traceback.format_exc(), err=True, nl=False)
    complain(
        f"this is a mistake of prunebench {__version__}, not yours; please report it with the lines above",
        label="Internal error",
    )
    sys.exit(FAILED)


_EPILOG = """\b
Examples:
  prunebench run quick              # run the quick suite (no download), print its leaderboard
  prunebench plan quick             # what that takes, before it runs
  prunebench run quick -k snip      # only the cells of SNIP
  prunebench run my-suite.toml -n 4 # your own suite, four workers
  prunebench list methods           # what there is to compare
  prunebench show method synflow    # the exact variant, its parameters, its source

\b
Exit codes: 0 all there, 1 something asked for is not, 2 a mistake in what was asked, 130 interrupted.
"""


@click.command(
    cls=_Commands,
    name="prunebench",
    epilog=_EPILOG,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(__version__, message="%(prog)s %(version)s")
def main() -> None:
    """Benchmark neural network pruning methods.

    A suite says which networks, data sets, methods, sparsities and seeds are compared. `run` trains and
    prunes what is not done yet and prints the leaderboard; results stay in a store, so running again does
    only what is new.
    """
