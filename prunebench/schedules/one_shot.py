"""All at once: one scoring, one mask, before training."""

from __future__ import annotations

from typing import Any

from pydantic import model_serializer, model_validator

from prunebench.schedules.schedule import Schedule

__all__ = ["OneShot"]


class OneShot(Schedule):
    """Scored once; the mask keeps the best of these scores."""

    spelling = "'one-shot'"

    @classmethod
    def key(cls) -> str:
        """Return the word."""
        return "one-shot"

    @classmethod
    def is_spelled(cls, value: Any) -> bool:
        """Return True for the word."""
        return bool(value == "one-shot")

    @model_validator(mode="before")
    @classmethod
    def _word(cls, value: Any) -> Any:
        return {} if value == "one-shot" else value

    @model_serializer
    def _plain(self) -> str:
        return "one-shot"
