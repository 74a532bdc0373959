"""Kinds of things that `list` and `show` know, by singular and plural (imports nothing heavy)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click
from click.shell_completion import CompletionItem

from prunebench.errors import nearest

__all__ = ["COMPONENTS", "PLURAL", "Kind"]

PLURAL = {
    "scorer": "scorers",
    "method": "methods",
    "architecture": "architectures",
    "dataset": "datasets",
    "ablation": "ablations",
    "recipe": "recipes",
    "initialization": "initializations",
    "diagnostic": "diagnostics",
    "quantity": "quantities",
    "form": "forms",
    "suite": "suites",
    "plugin": "plugins",
}
"""Singular and plural of every kind; all but the last two are components."""

COMPONENTS = tuple(plural for plural in PLURAL.values() if plural not in ("suites", "plugins"))


if TYPE_CHECKING:
    _Text = click.ParamType[str]
else:  # not generic before click 8.5
    _Text = click.ParamType


class Kind(_Text):
    """A kind, in the singular or the plural; converted to the plural."""

    name = "kind"

    def __init__(self, *, plural: bool) -> None:
        self._allowed = list(PLURAL.values()) if plural else list(PLURAL)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        text = str(value).lower()
        if text in PLURAL.values():
            return text
        if text not in PLURAL:
            self.fail(f"there is no kind '{value}'{nearest(text, self._allowed)}", param, ctx)
        return PLURAL[text]

    def get_missing_message(self, param: click.Parameter, ctx: click.Context | None = None) -> str:
        return f"allowed: {', '.join(self._allowed)}"

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        return [CompletionItem(name) for name in self._allowed if name.startswith(incomplete)]
