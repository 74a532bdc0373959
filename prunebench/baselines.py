"""The methods that others are compared with, as a suite names them and ranges of sparsity are found with."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import BaseModel, ConfigDict, Field

from prunebench.errors import SuiteError, nearest

__all__ = ["Baselines"]

_ROLES = {
    "after-training": "after",
    "magnitude-after-training": "after",
    "random": "random",
    "none": "none",
}


class Baselines(BaseModel):
    """Which methods stand for magnitude after training, random pruning, and no pruning."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    after_training: str = Field(default="magnitude-after-training", alias="after")
    random: str = "random"
    none: str = "none"

    @classmethod
    def of(cls, names: Mapping[str, str] | None) -> Baselines:
        """Return the baselines of a frozen plan: a mapping with any of after-training, random, none.

        "magnitude-after-training" (or with underscores) is another spelling of the first key.

        Raises: SuiteError for another key.
        """
        methods: dict[str, str] = {}
        for key, method in (names or {}).items():
            role = _ROLES.get(key.replace("_", "-"))
            if role is None:
                raise SuiteError(f"baselines has no {key!r}{nearest(key, _ROLES)}")
            methods[role] = method
        return cls.model_validate(methods)
