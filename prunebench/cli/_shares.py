"""Shares on the command line: a fraction, or percent with its sign."""

from __future__ import annotations

import click

__all__ = ["SHARE"]


class _Share(click.ParamType):
    """A number as it is, `0.06`, or in percent, `6%`."""

    name = "share"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> float:
        text = str(value).strip()
        number = text.removesuffix("%")
        try:
            return float(number) / (100 if number != text else 1)
        except ValueError:
            self.fail(f"found '{text}'; allowed: a number, as 0.06, or percent, as 6%", param, ctx)


SHARE = _Share()
