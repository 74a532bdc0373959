"""What a job costs with all that it descends from, level by level."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from prunebench.plan.job import Job
from prunebench.plan.params import TrainParams

__all__ = ["Descent"]

Dense = Mapping[str, float]
"""What of each unpruned run is needed, as the cost of training so far."""


@dataclass
class Descent:
    """The costs of jobs with everything that they descend from, each job once, as if nothing were cached.

    As `Builder.cost_alone`, but what a level descends from is looked at once, and not again for every level
    behind it: a job that descends from a chain and from unpruned runs besides costs one step more.
    """

    jobs: Mapping[str, Job]
    costs: Mapping[str, float]
    _known: dict[str, tuple[float, Dense]] = field(default_factory=dict)

    def cost(self, key: str) -> float:
        """Return what a job costs with all that it descends from."""
        stack = [key]
        while stack:
            lacking = [one for one in self.jobs[stack[-1]].inputs if one not in self._known]
            if lacking:
                stack += lacking
            else:
                at = stack.pop()
                if at not in self._known:
                    self._known[at] = self._from_inputs(at)
        return self._known[key][0]

    def _from_inputs(self, key: str) -> tuple[float, Dense]:
        inputs, own = self.jobs[key].inputs, self.costs[key]
        if not inputs:
            run = self._run(key)
            return own, {} if run is None else {run: own}
        first = max(inputs, key=lambda one: self._known[one][0])
        total, dense = self._known[first]
        for other in inputs:
            if other == first or other in self.jobs[first].inputs:
                continue
            run = self._run(other)
            if self.jobs[other].inputs or run is None:  # two chains, which may share a part
                return self._walked(key)
            before, needed = dense.get(run, 0.0), self.costs[other]
            if needed > before:
                total, dense = total + needed - before, {**dense, run: needed}
        return total + own, dense

    def _run(self, key: str) -> str | None:
        params = self.jobs[key].params
        return params.run_key if isinstance(params, TrainParams) else None

    def _walked(self, key: str) -> tuple[float, Dense]:
        """Look at every job that this one descends from; of a run the furthest state counts."""
        runs: dict[str, float] = {}
        unpruned: set[str] = set()
        cost, seen, stack = 0.0, {key}, [key]
        while stack:
            at = stack.pop()
            run, inputs = self._run(at), self.jobs[at].inputs
            if run is None:
                cost += self.costs[at]
            else:
                runs[run] = max(runs.get(run, 0.0), self.costs[at])
                if not inputs:
                    unpruned.add(run)
            stack += [one for one in inputs if one not in seen]
            seen.update(inputs)
        return cost + sum(runs.values()), {run: runs[run] for run in unpruned}
