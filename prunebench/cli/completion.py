"""`prunebench completion`: the script that completes commands, options and suites in a shell."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

__all__ = ["command"]

_EPILOG = """\b
Examples:
  prunebench completion bash > ~/.local/share/bash-completion/completions/prunebench
  prunebench completion zsh  > ~/.zfunc/_prunebench  # with ~/.zfunc in fpath
  prunebench completion fish > ~/.config/fish/completions/prunebench.fish
"""


@click.command("completion", epilog=_EPILOG, short_help="Print the script for a shell's completion.")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"], case_sensitive=False))
@click.pass_context
def command(ctx: click.Context, shell: str) -> None:
    """Print the completion script for SHELL: bash, zsh or fish.

    It completes commands, options, the names of shipped suites, suite files, and kinds of components.
    """
    kind = get_completion_class(shell)
    assert kind is not None
    root = ctx.find_root()
    script = kind(root.command, {}, root.info_name or "prunebench", "_PRUNEBENCH_COMPLETE")
    # The template itself: `source()` of bash would start one to ask for its version.
    click.echo(script.source_template % script.source_vars())
