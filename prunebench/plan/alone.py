"""What a job and everything that it descends from cost, each once, as if nothing were cached."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from prunebench.plan.job import Job
from prunebench.plan.params import TrainParams

__all__ = ["CostsAlone"]

_NEAR = 16
"""So many jobs before one are looked at for one whose ancestors are known."""


@dataclass(slots=True)
class _Descent:
    """The jobs that one descends from, itself too, and what they cost."""

    seen: set[str] = field(default_factory=set)
    furthest: dict[str, float] = field(default_factory=dict)
    """Of each run, what its furthest state costs: its states count once."""
    cost: float = 0.0
    """All that is no training."""


class CostsAlone:
    """Costs of jobs with their ancestors.

    In a chain each level descends from all before it. What is known of one level's ancestors is therefore
    taken over by the next: to walk back from each would take the square of their number.
    """

    def __init__(self, jobs: Mapping[str, Job], costs: Mapping[str, float]) -> None:
        self._jobs, self._costs = jobs, costs
        self._known: dict[str, _Descent] = {}

    def of(self, key: str) -> float:
        """Return what a job that is no training, and all that it descends from, cost.

        States of one run count once, at the furthest step that is needed.
        """
        inputs = self._jobs[key].inputs
        if not inputs:
            return self._costs[key]
        descent = self._descent(inputs[0])
        if not descent.seen.issuperset(inputs):
            descent = _Descent(set(descent.seen), dict(descent.furthest), descent.cost)
            self._add(descent, list(inputs[1:]))
        return descent.cost + sum(descent.furthest.values()) + self._costs[key]

    def _descent(self, key: str) -> _Descent:
        if key not in self._known:
            near = self._near(key)
            descent = self._known.pop(near) if near is not None else _Descent()
            self._add(descent, [key])
            self._known[key] = descent
        return self._known[key]

    def _near(self, key: str) -> str | None:
        """Return an ancestor, not far back, whose own are known."""
        queue = [key]
        for current in queue:
            if current in self._known:
                return current
            if len(queue) < _NEAR:
                queue += self._jobs[current].inputs
        return None

    def _add(self, descent: _Descent, stack: list[str]) -> None:
        while stack:
            current = stack.pop()
            if current in descent.seen:
                continue
            descent.seen.add(current)
            job, cost = self._jobs[current], self._costs[current]
            stack.extend(job.inputs)
            if isinstance(job.params, TrainParams):
                run = job.params.run_key
                descent.furthest[run] = max(descent.furthest.get(run, 0.0), cost)
            else:
                descent.cost += cost
