"""What pytest collects: a suite file, its matrices, an item for each cell; its checks, an item for each."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from prunebench.engine.on_pytest.suites import loaded, standing
from prunebench.engine.summary import summary

if TYPE_CHECKING:
    from prunebench.plan import PlannedCell

__all__ = ["CellItem", "CheckItem", "MatrixCollector", "SuiteFile", "checks_name"]


_SELECTED = pytest.StashKey[dict[Path, "Sequence[PlannedCell]"]]()


class SuiteFile(pytest.File):
    """A suite: its matrices, and its checks."""

    def collect(self) -> Iterator[pytest.Collector]:
        """Plan the suite, freeze the plan, and return a collector for each matrix, then one for the checks.

        Where the cells that become items are chosen beforehand there are none of checks: whoever chose them
        judges those at the end.
        """
        from prunebench.engine.sparsities import of_sparsity
        from prunebench.errors import PrunebenchError

        try:
            suite = loaded(self.config, self.path)
            cells = of_sparsity(suite.session.plan.cells, suite.session.request.sparsities)
        except PrunebenchError as error:
            raise self.CollectError(f"{type(error).__name__}: {error}") from error
        matrices: dict[str, list[PlannedCell]] = {}
        chosen = None if suite.chosen is None else set(suite.chosen)
        for cell in cells:
            if chosen is not None and cell.id not in chosen:
                continue
            matrices.setdefault(cell.matrix, []).append(cell)
        for name, cells in matrices.items():
            yield MatrixCollector.from_parent(self, name=name, cells=cells)
        checks = suite.session.plan.suite.get("checks")
        if checks and chosen is None:
            yield ChecksCollector.from_parent(self, name=checks_name(matrices), checks=checks)


def checks_name(matrices: Iterable[str]) -> str:
    """Return what the checks of a suite stand under, so that no matrix is called the same."""
    return "checks" if "checks" not in matrices else "checks.2"


class MatrixCollector(pytest.Collector):
    """A matrix: its cells, in the file's order."""

    def __init__(self, *, cells: list[PlannedCell], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.cells = cells

    def collect(self) -> Iterator[pytest.Item]:
        """Return an item for each cell."""
        for cell in self.cells:
            yield CellItem.from_parent(self, name=cell.name, cell=cell)


class CellItem(pytest.Item):
    """A cell: running it makes whatever it lacks, up to its record and measures."""

    def __init__(self, *, cell: PlannedCell, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.cell = cell
        self.extra_keyword_matches.update(value for value in cell.labels.values() if value)

    def runtest(self) -> None:
        """Make the cell; what it took and how it came out are kept for the report."""
        from prunebench import stopping
        from prunebench.engine.on_pytest.gpus import leaving
        from prunebench.store import Unwritable

        worker = loaded(self.config, self.path).worker
        before = len(worker.made)
        try:
            with stopping.listening(), leaving(self.config):
                jobs = worker.make(self.cell)
        except Unwritable as error:  # every other cell would meet the same
            self.session.shouldstop = str(error)
            self.user_properties.append(("prunebench_unwritable", str(error)))
            raise
        finally:
            made = [job.key for job in worker.made[before:]]
            self.user_properties.append(("prunebench_made", made))
        self.user_properties.append(("prunebench_jobs", jobs))
        self.user_properties.append(("prunebench_result", summary(worker, self.cell)))

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> str:
        """Return a failed job's own error, without a traceback: that is in the job's log and attempt."""
        from prunebench.engine.failures import JobFailed
        from prunebench.errors import PrunebenchError, readable

        if isinstance(excinfo.value, JobFailed | PrunebenchError):
            return str(excinfo.value)
        return readable(str(super().repr_failure(excinfo, style)))

    def reportinfo(self) -> tuple[str, int | None, str]:
        """Return where the cell is defined, for pytest's headings.

        pytest reads a name that a node's id ends with as dotted, and would print `d0::5` for `d0.5`.
        """
        from prunebench.errors import readable

        # a worker sends it, and only text goes through
        return readable(str(self.path)), None, f"{self.cell.matrix}: {self.cell.name}"


class CheckFails(Exception):
    """A check fails: the cells are there, and say so; or its quantity fails at them."""


class ChecksCollector(pytest.Collector):
    """The checks of a suite, behind all its cells."""

    def __init__(self, *, checks: Sequence[Mapping[str, Any]], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.checks = checks

    def collect(self) -> Iterator[pytest.Item]:
        """Return an item for each check."""
        for check in self.checks:
            yield CheckItem.from_parent(self, name=check["name"], claim=check.get("claim") or "")


class CheckItem(pytest.Item):
    """A check: it waits for those of its cells that are selected, and trains nothing else.

    It fails where the check fails, or its quantity does, and is skipped where the check is undecided or has
    not been run.
    """

    def __init__(self, *, claim: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.extra_keyword_matches.add(claim or self.name)

    def runtest(self) -> None:
        """Judge the check, once its cells are there."""
        from prunebench import stopping
        from prunebench.checks.words import lacks, told
        from prunebench.engine.on_pytest.gpus import leaving

        with stopping.listening(), leaving(self.config):
            outcome, jobs = standing(self.config, self.path).judge(self.name, self._selected())
        self.user_properties.append(("prunebench_jobs", jobs))
        self.user_properties.append(("prunebench_verdict", outcome.verdict))
        if outcome.error and outcome.single:  # one about others is not run: theirs say so
            raise CheckFails(f"{self.name} cannot be judged: {outcome.error}")
        if outcome.verdict == "fails":
            raise CheckFails(told(outcome))
        if outcome.verdict != "holds":
            cells = loaded(self.config, self.path).session.plan.cells if outcome.absent else ()
            names = lacks(outcome, {cell.key: cell.id for cell in cells})
            pytest.skip(f"{outcome.verdict}: {told(outcome)}{names}")

    @property
    def line(self) -> int:
        """The line of the file that names the check; that of the first check where none does (a family)."""
        content = self.path.read_text("utf-8", errors="replace")
        named = re.search(
            rf"""^[ \t]*name[ \t]*=[ \t]*["']{re.escape(self.name)}["']""", content, re.MULTILINE
        )
        place = named or re.search(r"^\[\[[ \t]*check", content, re.MULTILINE)
        return content.count("\n", 0, place.start()) + 1 if place else 1

    def _selected(self) -> Sequence[PlannedCell]:
        """Return the cells of the suite that are selected: looked up once a session."""
        of_suites = self.session.stash.setdefault(_SELECTED, {})
        if self.path not in of_suites:
            items = (item for item in self.session.items if isinstance(item, CellItem))
            of_suites[self.path] = [item.cell for item in items if item.path == self.path]
        return of_suites[self.path]

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> str:
        """Return what was found, without a traceback."""
        from prunebench.errors import PrunebenchError, readable

        if isinstance(excinfo.value, CheckFails | PrunebenchError):
            return str(excinfo.value)
        return readable(str(super().repr_failure(excinfo, style)))

    def reportinfo(self) -> tuple[str, int | None, str]:
        """Return where the check is defined, for pytest's headings."""
        from prunebench.errors import readable

        return readable(str(self.path)), None, f"check: {self.name}"
