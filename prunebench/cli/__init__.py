"""The command line: one module a command. A new command is a module here and a line in `_main.COMMANDS`."""

from prunebench.cli._main import main

__all__ = ["main"]
