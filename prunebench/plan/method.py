"""A method in one setting, at one density, with one seed: the jobs that its schedule asks for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from prunebench.errors import UsageError
from prunebench.host.form import Form, Like, Regrowth
from prunebench.plan.between import Between, training_between
from prunebench.plan.builder import Builder
from prunebench.plan.donors import naming_the_donor, refuse_other_layers
from prunebench.plan.filters import refuse_misfit_of_filters
from prunebench.plan.idle_finds import refuse_idle_find
from prunebench.plan.params import Filters, MaskInRounds, MaskOfScores, MaskOfState, Policy, ShuffleParams
from prunebench.plan.runs import pruned_state, scored_state
from prunebench.plan.scoring import filters_of, kept_weights, liked, regrowth_of, scoring_cost, scoring_of
from prunebench.plan.setting import Setting
from prunebench.schedules import Removal, Shrinking
from prunebench.training.recipe import Point, Recipe

__all__ = ["MethodPlanning"]

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class MethodPlanning:
    """What a schedule plans with: `prunebench.schedules.Planning`."""

    builder: Builder
    setting: Setting
    form: Form
    recipe: Recipe
    seed: int
    density: str

    @property
    def prunable(self) -> int:
        """How many weights can be pruned."""
        return self.setting.network.prunable

    @property
    def target(self) -> int:
        """How many of them are to stay. Raises: UsageError where none is."""
        return kept_weights(self.setting, self.density)

    @property
    def removal(self) -> Removal:
        """From how many weights to how many the network is pruned before it trains."""
        return Removal(self.prunable, self.prunable, self.target, self.density)

    @property
    def clock(self) -> int:
        """The step of the recipe's schedule at which the pruned network begins to train."""
        return self.step_of(self.form.clock)

    def step_of(self, point: Point) -> int:
        """Return a point's step in the training of the pruned network. Raises: UsageError beyond its end."""
        return self.recipe.step_of(point, self.setting.data.examples)

    def at(self, density: str) -> MethodPlanning:
        """Return what plans the same method at another density."""
        return MethodPlanning(self.builder, self.setting, self.form, self.recipe, self.seed, density)

    def once(self, make: Callable[[], T]) -> T:
        """Return what `make` returned the first time for this method, setting and seed, at any density."""
        return self.builder.once("method", (self.setting, self.form, self.recipe), (self.seed,), make)

    def between(self, train_from: Any, clock: Any) -> Between:
        """Return what plans the trainings between one mask and the next. Raises: Misfit."""
        return training_between(
            self.builder, self.setting, self.form, self.recipe, self.seed, train_from, clock
        )

    def mask(self) -> str:
        """Add the jobs that make the method's mask, unaltered, and return its key.

        Raises: UsageError where the method is not built yet, its scorer cannot score the network's filters,
            or it has no mask before it trains.
        """
        self._refuse_misfits()
        return self.form.schedule.mask(self)

    def plan(self) -> tuple[str, str]:
        """Add the jobs of the whole method; return the keys of its end state and its mask.

        Raises: UsageError where the method is not built yet, or a point does not fit the recipe.
        """
        self._refuse_misfits()
        refuse_idle_find(self.builder, self.setting, self.form, self.recipe)
        return self.form.schedule.plan(self)

    def _refuse_misfits(self) -> None:
        if unbuilt := self.form.unbuilt():
            raise UsageError(f"{unbuilt} is not built yet")
        if self.form.whole_filters:
            refuse_misfit_of_filters(self.builder, self.setting, self.form, self.target)

    def mask_of_scores(self, *, state: str | None = None, target: int | None = None) -> str:
        """Add the jobs that score a state once and make the mask: unless given, the form's, of the target."""
        if isinstance(self.form.regrowth, Regrowth):
            raise UsageError(f"{self.form.schedule.called} has no rounds between which weights could return")
        cost = scoring_cost(self.builder, self.setting, self.form)
        scores = self.builder.add(self._scoring(), (state or self._scored(),), cost=cost)
        return self._add_mask(MaskOfScores(**self._asked(target), filters=self._filters), scores, 0.0)

    def mask_in_rounds(self, *, rounds: int | None = None) -> str:
        """Add the job that scores and prunes as often as the schedule's counts say, or in n equal ratios."""
        state, form = self._scored(), self.form
        params = MaskInRounds(
            **self._asked(),
            rounds=rounds,
            density=None if rounds is None else self.density,
            counts=form.schedule.checked_counts(self.removal) if rounds is None else None,
            scoring=self._scoring(),
            regrowth=regrowth_of(self.builder, form),
        )
        cost = params.in_rounds * scoring_cost(self.builder, self.setting, form)
        if isinstance(form.regrowth, Regrowth):
            further = scoring_cost(self.builder, self.setting, form, form.regrowth.scorer)
            cost += len(params.regrowth_rounds) * further
        return self._add_mask(params, state, cost)

    def mask_of_state(self, state: str) -> str:
        """Add the job that takes a state's mask: it stays when the state goes."""
        return self.builder.add(MaskOfState(filters=self._filters), (state,))

    def trained(self, mask: str, *, scored: str | None = None) -> tuple[str, str]:
        """Add the jobs that alter a mask and train with it; return the keys of the end state and the mask."""
        alter = self.form.alter
        if "shuffle" in alter:
            # the weights that go back to a point, or are drawn again, are all there; those of the scored
            # network are not where an earlier mask has removed them
            whole = scored is not None and (self.form.train_from != "scored" or "reinit" in alter)
            params = ShuffleParams(seed=self.seed, whole_layers=whole or None, filters=self._filters)
            mask = self.builder.add(params, (mask,))
        return self._end(mask=mask, scored=scored), mask

    def trained_while(self, shrinking: Shrinking) -> tuple[str, str]:
        """Add the jobs that train and prune on the way; return the keys of the end state and its mask.

        Raises: UsageError for removals before or after the run, for another count than the target, and for a
        schedule that does not say what its runs' keys hold.
        """
        self._check(shrinking)
        allocation: Any = self.form.allocation  # of the schedules that get here, never `Like`
        policy = Policy(
            shrinking=shrinking,
            schedule_version=self._version,
            keep=self.form.keep,
            allocation=allocation,
            scoring=self._scoring(),
        )
        cost = len(shrinking.steps) * scoring_cost(self.builder, self.setting, self.form)
        end = self._end(policy=policy, extra=cost)
        return end, self.mask_of_state(end)

    def _check(self, shrinking: Shrinking) -> None:
        schedule = self.form.schedule
        said = f"schedule = {schedule.spelling}"
        if schedule.shrinking is not type(shrinking):
            name = type(shrinking).__name__
            raise UsageError(f"{said} prunes while training: its class must say shrinking = {name}")
        steps, end = shrinking.steps, self.step_of("end")
        if not steps:
            raise UsageError(f"{said} removes no weights")
        if steps[0] <= self.clock or steps[-1] > end:
            raise UsageError(
                f"{said} removes weights from step {steps[0]} to step {steps[-1]}, but the run goes from "
                f"step {self.clock} to step {end}"
            )
        if (kept := shrinking.kept_at(steps[-1])) != self.target:
            raise UsageError(f"{said} leaves {kept} weights; {self.target} are to stay")

    @property
    def _version(self) -> str | None:
        """The version of the schedule, where it is not the first: that one's keys hold none."""
        version = self.form.schedule.version
        return None if version == "1" else version

    @property
    def _filters(self) -> Filters | None:
        return filters_of(self.builder, self.setting, self.form)

    def _scored(self) -> str:
        return scored_state(self.builder, self.setting, self.form, self.recipe, self.seed)

    def _scoring(self) -> Any:
        return scoring_of(self.builder, self.setting, self.form, self.seed)

    def _end(self, **how: Any) -> str:
        return pruned_state(self.builder, self.setting, self.form, self.recipe, self.seed, **how)

    def _asked(self, target: int | None = None) -> dict[str, Any]:
        """Return what every job is asked that makes a mask of scores."""
        like = isinstance(self.form.allocation, Like)
        return {
            "keep": self.form.keep,
            "target": self.target if target is None else target,
            "prunable": self.prunable,
            "allocation": "like" if like else self.form.allocation,
            "schedule_version": self._version,
        }

    def _add_mask(self, params: MaskOfScores | MaskInRounds, source: str, cost: float) -> str:
        """Add the job that makes a mask, and those of the mask whose layers' counts it takes."""
        inputs: tuple[str, ...] = (source,)
        if isinstance(self.form.allocation, Like):
            other = liked(self.builder, self.form, self.form.allocation)
            with naming_the_donor():
                refuse_other_layers(self.builder, self.setting, other)
                inputs = (source, replace(self, form=other).mask())
        return self.builder.add(params, inputs, cost=cost)
