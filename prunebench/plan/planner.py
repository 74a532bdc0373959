"""Cells to jobs: the one place where a form becomes work, and where keys are made (DESIGN §2)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from prunebench.canonical import digest
from prunebench.errors import SuiteError, UsageError
from prunebench.host.components import Diagnostic
from prunebench.host.form import Form, Like, Rounds
from prunebench.host.registry import Host
from prunebench.plan.facts import DataFacts, Facts, NetworkFacts
from prunebench.plan.job import JOB_VERSIONS, Job, Kind, state_key
from prunebench.suite.cell import Cell
from prunebench.training.recipe import Recipe

__all__ = ["PlannedCell", "Planner"]

FORWARD_AND_BACKWARD = 3
"""A training pass costs about three forward passes: forward, gradient of inputs, gradient of weights."""


@dataclass(frozen=True, slots=True)
class PlannedCell:
    """A cell with what it takes. `key` is its record's; done means all its `targets` are in the store."""

    matrix: str
    name: str
    key: str
    targets: tuple[str, ...]
    labels: Mapping[str, str]
    density: str
    seed: int
    kept: int
    prunable: int
    cost: float
    """Multiply-accumulates that the method would need alone, everything it descends from included."""
    parts: tuple[str, ...]
    """Names in the plan's table of identities that this cell depends on."""

    @property
    def id(self) -> str:
        """matrix::name, as pytest shows it behind the suite's file."""
        return f"{self.matrix}::{self.name}"


@dataclass(frozen=True, slots=True)
class _Setting:
    """What all cells of a setting share, looked up once."""

    cell: Cell
    data: DataFacts
    network: NetworkFacts
    architecture: Mapping[str, Any]
    data_part: Mapping[str, Any]
    parts: tuple[str, ...]


@dataclass(slots=True)
class Planner:
    """Makes jobs of cells. `jobs` holds every job once, inputs before what reads them; `costs` in MACs."""

    host: Host
    data_root: Path
    jobs: dict[str, Job] = field(default_factory=dict)
    costs: dict[str, float] = field(default_factory=dict)
    identities: dict[str, Any] = field(default_factory=dict)
    missing_data: dict[str, str] = field(default_factory=dict)
    _facts: Facts = field(init=False)
    _settings: dict[Any, _Setting] = field(default_factory=dict)
    _memo: dict[Any, Any] = field(default_factory=dict)
    _kept_alive: list[Any] = field(default_factory=list)
    """Objects whose id() is part of a memo's key."""

    def __post_init__(self) -> None:
        self._facts = Facts(self.host, self.data_root)

    def plan(self, cells: Sequence[Cell]) -> list[PlannedCell]:
        """Return the planned cells; their jobs are in `self.jobs` then.

        Raises: SuiteError, naming the cell, where a form is not built yet, a point lies beyond the schedule
        or a density keeps no weight; DataError.
        """
        return [self._plan(cell) for cell in cells]

    # -- one cell ------------------------------------------------------------------------------------

    def _plan(self, cell: Cell) -> PlannedCell:
        setting = self._setting(cell)
        try:
            return self._resolve(cell, setting)
        except (UsageError, ValidationError) as error:
            raise SuiteError(f"cell {cell.matrix}::{cell.name}: {error}") from error

    def _resolve(self, cell: Cell, setting: _Setting) -> PlannedCell:
        examples = setting.data.examples
        total = cell.recipe.total_steps(examples)
        mask: str | None = None
        kept = setting.network.prunable
        if cell.form.scorer is None:
            end = self._dense(setting, cell.recipe, cell.seed, total)
        else:
            kept = self._kept(setting, cell.density)
            mask = self._mask(setting, cell.form, cell.recipe, cell.seed, kept, cell.density)
            if "shuffle" in cell.form.alter:
                mask = self._job("shuffle", {"seed": cell.seed}, (mask,), cost=0)
            end = self._pruned(setting, cell, mask, total)
        resolved = {
            **self._described(cell),
            "density": cell.density,
            "kept": kept,
            "prunable": setting.network.prunable,
            "seed": cell.seed,
        }
        record = self._job("record", {"cell": resolved}, (end, mask) if mask else (end,), cost=0)
        measures = tuple(
            key for name in cell.measures if (key := self._measure(setting, name, end, mask)) is not None
        )
        return PlannedCell(
            matrix=cell.matrix,
            name=cell.name,
            key=record,
            targets=(record, *measures),
            labels=cell.labels,
            density=cell.density,
            seed=cell.seed,
            kept=kept,
            prunable=setting.network.prunable,
            cost=self._cost_alone(record),
            parts=(*setting.parts, *self._parts(cell)),
        )

    def _described(self, cell: Cell) -> dict[str, Any]:
        """Return what a record says of the cell, less what differs between the setting's cells."""
        key = ("described", id(cell.architecture), id(cell.recipe), id(cell.form), cell.dataset, cell.split)
        if key not in self._memo:
            self._keep(cell.architecture, cell.recipe, cell.form)
            self._memo[key] = {
                "architecture": {
                    "name": cell.architecture.name,
                    "parameters": dict(cell.architecture.parameters),
                },
                "dataset": cell.dataset,
                "split": cell.split,
                "recipe": cell.recipe.model_dump(mode="json", exclude_none=True),
            }
            if cell.form.scorer is not None:
                form = cell.form.model_dump(mode="json", by_alias=True, exclude_none=True)
                self._memo[key]["form"] = form
        return dict(self._memo[key])

    def _parts(self, cell: Cell) -> tuple[str, ...]:
        scorer = cell.form.scorer
        return () if scorer is None else (self._part("scorers", scorer.name)[0],)

    def _part(self, kind: str, name: str) -> tuple[str, Mapping[str, Any]]:
        """Return the label of a component in the table of identities, and its identity."""
        label = f"{kind[:-1]} {name}"
        if label not in self.identities:
            self.identities[label] = self.host.identity(kind, name)
        return label, self.identities[label]

    def _setting(self, cell: Cell) -> _Setting:
        prunable = cell.form.prunable
        key = (id(cell.architecture), cell.dataset, cell.split, id(cell.recipe), prunable)
        found = self._settings.get(key)
        if found is None:
            self._keep(cell.architecture, cell.recipe)
            unbuilt = cell.form.unbuilt()
            if unbuilt:
                raise SuiteError(f"cell {cell.matrix}::{cell.name}: {unbuilt} is not built yet")
            data = self._facts.data(cell.dataset, cell.split)
            if data.missing:
                self.missing_data[cell.dataset] = data.missing
            dataset_label, dataset_identity = self._part("datasets", cell.dataset)
            network_label, network_identity = self._part("architectures", cell.architecture.name)
            init_label, _ = self._part("initializations", cell.recipe.init)
            recipe_label = f"recipe {cell.labels.get('recipe', '')}"
            self.identities[recipe_label] = {
                "values": digest(cell.recipe.model_dump(mode="json", exclude_none=True))
            }
            self.identities[f"data {cell.dataset}"] = {"fingerprint": data.fingerprint}
            found = _Setting(
                cell=cell,
                data=data,
                network=self._facts.network(cell.architecture, data, prunable),
                architecture={
                    "identity": network_identity,
                    "name": cell.architecture.name,
                    "parameters": dict(cell.architecture.parameters),
                    "input": list(data.shape),
                    "classes": data.classes,
                },
                data_part={
                    "name": cell.dataset,
                    "fingerprint": data.fingerprint,
                    "identity": dataset_identity,
                    "split": cell.split,
                },
                parts=(network_label, dataset_label, init_label, recipe_label, f"data {cell.dataset}"),
            )
            self._settings[key] = found
        return found

    def _kept(self, setting: _Setting, density: str) -> int:
        kept = round(float(density) * setting.network.prunable)
        if kept < 1:
            raise UsageError(
                f"density {density} keeps none of {setting.network.prunable} prunable weights; "
                f"at least {1 / setting.network.prunable:.3g} keeps one"
            )
        return kept

    # -- runs ------------------------------------------------------------------------------------------

    def _dense(self, setting: _Setting, recipe: Recipe, seed: int, step: int) -> str:
        key = ("dense", id(setting), id(recipe), seed, step)
        if key not in self._memo:
            self._keep(setting, recipe)
            origin = {"init": self._initial(recipe, "init")}
            self._memo[key] = self._train(setting, recipe, seed, step, origin=origin, inputs=())
        found: str = self._memo[key]
        return found

    def _initial(self, recipe: Recipe, purpose: str) -> dict[str, Any]:
        _, identity = self._part("initializations", recipe.init)
        return {"name": recipe.init, "identity": identity, "purpose": purpose}

    def _pruned(self, setting: _Setting, cell: Cell, mask: str, total: int) -> str:
        form, recipe, examples = cell.form, cell.recipe, setting.data.examples
        clock = recipe.step_of(form.clock, examples)
        if clock >= total:
            raise UsageError(
                f"clock = {form.clock!r} leaves nothing of the schedule of {total} steps to train"
            )
        inputs: tuple[str, ...] = ()
        carry = False
        if "reinit" in form.alter:
            origin: dict[str, Any] = {"init": self._initial(recipe, "fresh")}
        else:
            if form.train_from == "scored":
                found = self._find_recipe(form, recipe)
                step = found.step_of(form.score_at, examples)
                state = self._dense(setting, found, cell.seed, step)
            else:
                step = recipe.step_of(form.train_from, examples)
                state = self._dense(setting, recipe, cell.seed, step)
            origin = {"state": state}
            inputs = (state,)
            carry = clock > 0 and step == clock
        return self._train(
            setting,
            recipe,
            cell.seed,
            total,
            origin=origin,
            inputs=(*inputs, mask),
            mask=mask,
            start=clock,
            carry=carry,
        )

    def _train(
        self,
        setting: _Setting,
        recipe: Recipe,
        seed: int,
        step: int,
        *,
        origin: Mapping[str, Any],
        inputs: tuple[str, ...],
        mask: str | None = None,
        start: int = 0,
        carry: bool = False,
    ) -> str:
        """Add the job "train this run to this step"; the run's key holds all that decides its bits."""
        run = {
            "architecture": setting.architecture,
            "origin": origin,
            **({"mask": mask} if mask else {}),
            "start": start,
            "carry_momentum": carry,
            "recipe": self._run_fields(recipe),
            "data": setting.data_part,
            "seed": seed,
        }
        run_key = digest({"kind": "run", "version": JOB_VERSIONS["train"], **run})
        key = state_key(run_key, step)
        if key not in self.jobs:
            self.costs[key] = float(setting.network.macs) * self._examples(setting, recipe, start, step)
            self.jobs[key] = Job(key, "train", {"run": run, "run_key": run_key, "step": step}, inputs)
        return key

    def _examples(self, setting: _Setting, recipe: Recipe, start: int, step: int) -> int:
        """Return the forward passes that training from `start` to `step` amounts to, in examples."""
        key = ("examples", id(recipe), id(setting), start, step)
        if key not in self._memo:
            self._keep(recipe, setting)
            examples = setting.data.examples
            trained = FORWARD_AND_BACKWARD * max(0, step - start) * recipe.batch
            steps = {step, *range(0, step, recipe.steps_per_epoch(examples))}
            evaluations = sum(s > start and recipe.evaluates_at(s, examples) for s in steps)
            self._memo[key] = trained + evaluations * setting.data.evaluated
        found: int = self._memo[key]
        return found

    def _run_fields(self, recipe: Recipe) -> Mapping[str, Any]:
        key = ("run_fields", id(recipe))
        if key not in self._memo:
            self._keep(recipe)
            self._memo[key] = recipe.run_fields()
        found: Mapping[str, Any] = self._memo[key]
        return found

    def _find_recipe(self, form: Form, recipe: Recipe) -> Recipe:
        """Return the recipe under which the scored network trains (find / eval)."""
        if not form.find:
            return recipe
        key = ("find", id(form), id(recipe))
        if key not in self._memo:
            self._keep(form, recipe)
            self._memo[key] = Recipe.model_validate({**recipe.model_dump(), **form.find})
        found: Recipe = self._memo[key]
        return found

    # -- masks -----------------------------------------------------------------------------------------

    def _mask(
        self, setting: _Setting, form: Form, recipe: Recipe, seed: int, kept: int, density: str
    ) -> str:
        """Add the jobs that make a form's mask (unshuffled) with `kept` weights."""
        assert form.scorer is not None
        unbuilt = form.unbuilt()
        if unbuilt:
            raise UsageError(f"{unbuilt} is not built yet")
        found = self._find_recipe(form, recipe)
        step = found.step_of(form.score_at, setting.data.examples)
        state = self._dense(setting, found, seed, step)
        scoring = {**self._scoring(setting, form), "seed": seed}
        params: dict[str, Any] = {"keep": form.keep, "kept": kept, "prunable": setting.network.prunable}
        inputs: tuple[str, ...]
        if isinstance(form.schedule, Rounds):
            # rounds pass through the density's powers: another density with the same count is another mask
            params |= {"rounds": form.schedule.rounds, "density": density, "scoring": scoring}
            inputs, cost = (state,), self._scoring_cost(setting, form) * form.schedule.rounds
        else:
            cost_of_scores = self._scoring_cost(setting, form)
            inputs, cost = (self._job("score", scoring, (state,), cost=cost_of_scores),), 0.0
        if isinstance(form.allocation, Like):
            other = self._liked(form, form.allocation)
            params["allocation"] = "like"
            inputs = (*inputs, self._mask(setting, other, recipe, seed, kept, density))
        else:
            params["allocation"] = form.allocation
        return self._job("mask", params, inputs, cost=cost)

    def _liked(self, form: Form, allocation: Like) -> Form:
        if isinstance(allocation.like, str):
            other = self.host.method(allocation.like).form
            if other.scorer is None:
                raise UsageError(f"allocation = {{like = '{allocation.like}'}}: that method prunes nothing")
            return self._filled(other.changed(prunable=form.prunable.model_dump(by_alias=True)))
        return self._filled(form.changed(**{"allocation": "global", **allocation.like}))

    def _filled(self, form: Form) -> Form:
        """Return the form with the scorer's defaults written out, as a suite's forms are."""
        from prunebench.suite.forms import fill_scorer

        return fill_scorer(form, self.host)

    def _scoring(self, setting: _Setting, form: Form) -> Mapping[str, Any]:
        key = ("scoring", id(setting), id(form))
        if key not in self._memo:
            self._keep(setting, form)
            assert form.scorer is not None
            _, identity = self._part("scorers", form.scorer.name)
            batch = form.scorer.batch
            self._memo[key] = {
                "scorer": {
                    "name": form.scorer.name,
                    "identity": identity,
                    "parameters": form.scorer.parameters,
                    "device": form.scorer.device,
                },
                "prunable": form.prunable.model_dump(mode="json", by_alias=True),
                "architecture": setting.architecture,
            }
            if batch:
                self._memo[key] |= {"batch": batch.model_dump(exclude_none=True), "data": setting.data_part}
        found: Mapping[str, Any] = self._memo[key]
        return found

    def _scoring_cost(self, setting: _Setting, form: Form) -> float:
        assert form.scorer is not None
        batch = form.scorer.batch
        examples = 1 if batch is None else batch.examples or (batch.per_class or 0) * setting.data.classes
        return float(setting.network.macs) * FORWARD_AND_BACKWARD * examples

    # -- the rest --------------------------------------------------------------------------------------

    def _measure(self, setting: _Setting, name: str, end: str, mask: str | None) -> str | None:
        diagnostic = self.host.get("diagnostics", name)
        assert isinstance(diagnostic, Diagnostic)
        read = end if diagnostic.of == "state" else mask
        if read is None:  # an unpruned network has no mask to measure
            return None
        _, identity = self._part("diagnostics", name)
        params = {
            "diagnostic": {"name": name, "identity": identity},
            "of": diagnostic.of,
            "architecture": setting.architecture,
        }
        return self._job("measure", params, (read,), cost=0)

    def _job(self, kind: Kind, params: Mapping[str, Any], inputs: tuple[str, ...], *, cost: float) -> str:
        key = digest({"kind": kind, "version": JOB_VERSIONS[kind], "params": params, "inputs": inputs})
        if key not in self.jobs:
            self.jobs[key] = Job(key, kind, params, inputs)
            self.costs[key] = cost
        return key

    def _cost_alone(self, key: str) -> float:
        """Return the cost of a job and of everything it descends from, each once, as if nothing were cached.

        States of one run count once, at the furthest step that is needed.
        """
        furthest: dict[str, float] = {}
        seen: set[str] = set()
        cost = 0.0
        stack = [key]
        while stack:
            current = stack.pop()
            if current in seen:
                continue
            seen.add(current)
            job = self.jobs[current]
            stack.extend(job.inputs)
            if job.kind == "train":
                run = job.params["run_key"]
                furthest[run] = max(furthest.get(run, 0.0), self.costs[current])
            else:
                cost += self.costs[current]
        return cost + sum(furthest.values())

    def _keep(self, *objects: Any) -> None:
        self._kept_alive.extend(objects)
