"""Checks and claims as plain JSON, as a frozen plan holds them: a leaderboard needs no suite's file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel

from prunebench.checks.claims import Claim
from prunebench.checks.grammar import Check

__all__ = ["frozen_checks", "thawed_checks"]


def frozen_checks(checks: Sequence[Check], claims: Sequence[Claim]) -> dict[str, Any]:
    """Return checks, families filled in, and claims; keys of which there is nothing are absent."""
    whole = {"checks": [_plain(check) for check in checks], "claims": [_plain(claim) for claim in claims]}
    return {key: tables for key, tables in whole.items() if tables}


def _plain(one: BaseModel) -> dict[str, Any]:
    """Return every value, defaults written out, so that these can change and old plans say the same."""
    return one.model_dump(mode="json", by_alias=True, exclude_none=True)


def thawed_checks(suite: Mapping[str, Any]) -> tuple[list[Check], list[Claim]]:
    """Return the checks and claims of a plan's suite; a plan made before it froze them has none.

    Raises: pydantic.ValidationError for what is none; `plan.frozen.thawed` has looked at it.
    """
    checks, claims = suite.get("checks", []), suite.get("claims", [])
    return [Check.model_validate(one) for one in checks], [Claim.model_validate(one) for one in claims]
