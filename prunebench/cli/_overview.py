"""What `plan` and `run` say before anything runs: cells, jobs, cost."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from prunebench.cli._keeping import keeping
from prunebench.cli._output import amount, between, complain, counted, say, say_smoke
from prunebench.engine.devices.slots import ONE, Workforce
from prunebench.engine.session import Session
from prunebench.inventory.again import Redo, keep_aside, refuse_running, to_redo
from prunebench.inventory.estimate import Estimate, Machine, estimate
from prunebench.inventory.frozen import previous_plans
from prunebench.inventory.snapshot import Failure, Snapshot
from prunebench.plan import Earlier, PlannedCell, reason
from prunebench.plan.uncollected import uncollected
from prunebench.smoke import limit_of
from prunebench.store import Store
from prunebench.training.kernels import SPARSE, kernels_in, sparse_enough

__all__ = ["Overview"]

_NOUNS = {"train": "training", "score": "scoring", "shuffle": "shuffled mask"}
_KINDS = ("train", "score", "mask", "shuffle", "measure", "record")


@dataclass
class Overview:
    """The selected cells of a plan against what the store holds."""

    session: Session
    store: Store
    cells: Sequence[PlannedCell]
    workforce: Workforce
    """How many workers there would be, and what they may use."""
    redo: Redo | None = None
    """What is to be made again, whatever is there of it."""
    kept_aside: Path | None = None
    """Where that is now; None before `keep_aside`, and where nothing was there."""

    @classmethod
    def of(
        cls,
        session: Session,
        *,
        keyword: str | None = None,
        last_failed: bool = False,
        workforce: Workforce = ONE,
        again: Sequence[str] = (),
    ) -> Overview:
        """Select cells and look at the store, which may not be there yet; nothing is written.

        What the methods of `again` have made counts as missing.

        Raises: UsageError for a selection that is none, and a method that no selected cell is of.
        """
        from prunebench.engine.selection import select

        root = Path(session.request.store)
        store = Store.open(root, create=False, write=False, absent_ok=True)
        cells = select(
            session.plan,
            session.path,
            keyword=keyword,
            last_failed=last_failed,
            store=root,
            sparsities=session.request.sparsities,
        )
        redo = to_redo(session.plan, cells, again) if again else None
        return cls(session, store, cells, workforce, redo)

    @cached_property
    def snapshot(self) -> Snapshot:
        """One look at the store."""
        return Snapshot(self.session.plan, self.store, without=self.redo.keys if self.redo else ())

    @cached_property
    def after(self) -> Snapshot:
        """Another look, first asked for when the run is over: what is new is read."""
        return Snapshot(self.session.plan, self.store, before=self.snapshot)

    @cached_property
    def statuses(self) -> dict[str, str]:
        """Each selected cell's status, by its id."""
        with uncollected():  # all records are read
            return {cell.id: self.snapshot.status(cell) for cell in self.cells}

    @cached_property
    def remaining(self) -> list[str]:
        """The jobs still to run for the selected cells."""
        return self.snapshot.remaining(self.cells)

    @cached_property
    def estimate(self) -> Estimate:
        """What the selected cells cost."""
        request, workforce = self.session.request, self.workforce
        return estimate(
            self.snapshot,
            self.cells,
            workers=workforce.workers,
            threads=request.threads,
            device=workforce.device or request.device,
            machine=None if workforce.cores is None else Machine(workforce.cores, 0.0),
            gpus=workforce.gpus,
            model=workforce.model,
            unsure=workforce.unsure,
        )

    @property
    def done(self) -> int:
        """The number of selected cells that are done."""
        return sum(status == "done" for status in self.statuses.values())

    @cached_property
    def jobs(self) -> list[dict[str, Any]]:
        """Jobs by kind: in all, to do."""
        plan = self.session.plan
        every = plan.remaining((t for cell in self.cells for t in cell.targets), lambda key: False)
        whole, left = Counter(map(self._kind, every)), Counter(map(self._kind, self.remaining))
        order = ["train dense", "train pruned", *_KINDS[1:]]
        return [{"kind": kind, "jobs": whole[kind], "to_do": left[kind]} for kind in order if whole[kind]]

    def _kind(self, key: str) -> str:
        job = self.session.plan.jobs[key]
        if job.kind != "train":
            return job.kind
        return "train pruned" if job.prunes else "train dense"

    @cached_property
    def failures(self) -> dict[str, Failure]:
        """The last failure of each selected cell that failed, by its id."""
        failures = {c.id: self.snapshot.failure(c) for c in self.cells if self.statuses[c.id] == "failed"}
        return {cell: failure for cell, failure in failures.items() if failure is not None}

    @cached_property
    def reasons(self) -> dict[str, str]:
        """Why each selected cell that is not done has to run, by its id."""
        earlier = Earlier(previous_plans(self.store, self.session.plan))
        reasons = {}
        for cell in self.cells:
            status = self.statuses[cell.id]
            if status == "failed":
                failure = self.failures.get(cell.id)
                reasons[cell.id] = f"failed ({failure.kind}): {failure.error}" if failure else "failed"
            elif status == "partial":
                reasons[cell.id] = "measures are missing"
            elif status == "missing" and self.redo is not None and cell.key in self.redo.keys:
                reasons[cell.id] = "made again (--again)"
            elif status == "missing":
                reasons[cell.id] = reason(cell, self.session.plan, earlier.having(cell.id))
        return reasons

    def refuse_running(self) -> None:
        """Refuse to make again what somebody works on at this moment. Raises: UsageError."""
        if self.redo is not None:
            refuse_running(self.redo, self.session.plan, self.store)

    def keep_aside(self, store: Store, tell: Callable[[str], object] = say) -> None:
        """Move what is to be made again aside, and tell where to."""
        if self.redo is not None:
            self.kept_aside = keep_aside(self.redo, self.session.plan, store)
            if self.kept_aside is not None:
                name = self.kept_aside.name
                tell(f"kept aside: {self.kept_aside} (`prunebench restore {name}` puts it back)")

    # -- in words ----------------------------------------------------------------------------------------

    def heading(self) -> list[str]:
        """Return the lines that say what there is, what is to do, and what that costs."""
        suite, cost = self.session.plan.suite, self.estimate
        matrices = len({cell.matrix for cell in self.cells})
        of = len(self.session.plan.cells)
        selected = "" if len(self.cells) == of else f", selected of {of:,}"
        to_do = len(self.cells) - self.done
        every = sum(row["jobs"] for row in self.jobs)
        lines = [
            f"suite {suite['name']}, version {suite['version']}: {counted(len(self.cells), 'cell')} in "
            f"{'1 matrix' if matrices == 1 else f'{matrices} matrices'}{selected}; "
            f"{self.done:,} done, {to_do:,} to do",
            f"{counted(every, 'job')}; {len(self.remaining):,} to do",
            f"estimated cost: {amount(cost.total_macs)} in all, {amount(cost.remaining_macs)} to do",
        ]
        workers = "" if cost.workers == 1 else f" with {cost.workers} workers"
        if to_do:
            lines.append(
                f"estimated time: {between(*cost.total_range)} in all, {between(*cost.remaining_range)} to do"
                f"{workers} ({cost.basis})"
            )
        asked = self.session.request.keep_states
        return [
            *lines,
            *self.kernels(),
            *keeping(self.store, self.session.plan.name, asked=asked),
            *self._redone(),
        ]

    def kernels(self) -> list[str]:
        """Return the lines that say which kernels compute, and which cells were computed with others."""
        asked = self.session.request.kernels
        done = (
            cell for cell in self.cells if self.statuses[cell.id] == "done" and cell.target < cell.prunable
        )
        records = [self.snapshot.result(cell.key) for cell in done]
        classes = [
            str(record.provenance.get("numerics") or "")
            for record in records
            if record is not None and sparse_enough((record.result.get("mask") or {}).get("layers", ()))
        ]
        others = Counter(kernels_in(numerics) for numerics in classes)
        del others[asked]
        lines = [] if asked == "dense" else [SPARSE]
        for kernels, number in others.items():
            was, stay, it = ("was", "stays", "it") if number == 1 else ("were", "stay", "them")
            of_those = f"{counted(number, 'cell')} of those done"
            lines.append(
                f"{of_those} {was} computed with {kernels} kernels and {stay} so: --again METHOD makes {it} "
                f"with {asked} ones"
            )
        return lines

    def _redone(self) -> list[str]:
        """Return the line that says what is made again, and what stays."""
        if self.redo is None:
            return []
        plan, redo = self.session.plan, self.redo
        there = redo.there(plan, self.store)
        made = ", ".join(counted(there[kind], _NOUNS.get(kind, kind)) for kind in _KINDS if there[kind])
        stay = "stays" if len(redo.shared) == 1 else "stay"
        stays = f"; {counted(len(redo.shared), 'job')} {stay} that other methods need" if redo.shared else ""
        of = f"{counted(len(redo.cells), 'cell')} of {', '.join(redo.methods)}"
        return [f"made again: {of} ({made or 'nothing of it was there'}{stays})"]

    def say_heading(self, *, missing: bool = True) -> None:
        """Print the heading, and which data of the selected cells are missing (on standard error)."""
        say_smoke(self.session.plan.suite)
        first, *rest = self.heading()
        say(first, "bold")
        for line in rest:
            say(line)
        if missing:
            for what in self._missing().values():
                complain(what, label="Missing data")

    def _missing(self) -> dict[str, str]:
        """Return which data sets the selected cells lack, and what to put where."""
        needed = {label.removeprefix("data ") for cell in self.cells for label in cell.parts}
        return {name: what for name, what in self.session.plan.missing_data.items() if name in needed}

    def as_dict(self) -> dict[str, Any]:
        """Return everything as plain values."""
        plan = self.session.plan
        failures = {cell: asdict(failure) for cell, failure in self.failures.items()}
        return {
            "suite": {name: plan.suite.get(name) for name in ("name", "version", "digest")},
            "limit": limit_of(plan.suite),
            "plan": plan.name,
            "cells_planned": len(plan.cells),
            "counts": {"cells": len(self.cells), **Counter(self.statuses.values())},
            "jobs": self.jobs,
            "again": None if self.redo is None else dict(self.redo.there(plan, self.store)),
            "estimate": asdict(self.estimate),
            "missing_data": self._missing(),
            "cells": [
                {
                    "matrix": cell.matrix,
                    "cell": cell.name,
                    "key": cell.key,
                    "status": self.statuses[cell.id],
                    "why": self.reasons.get(cell.id, ""),
                    **{name: cell.labels.get(name, "") for name in cell.labels},
                    "density": cell.density,
                    "seed": cell.seed,
                    "kept": cell.target,
                    "prunable": cell.prunable,
                    "macs": cell.cost,
                    "failure": failures.get(cell.id),
                }
                for cell in self.cells
            ],
        }
