"""Shared by all tests: one thread, a data root, a project to run suites in, tables of cells."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import torch
from little_suites import little_suite

torch.set_num_threads(1)


def pytest_configure(config: Any) -> None:
    """Leave the asserts of prunebench itself as they are, and interrupts on.

    pytest rewrites those of every plugin that is installed for editing, here 500 modules in every process.
    """
    hook = config.pluginmanager.rewrite_hook
    getattr(hook, "_must_rewrite", set()).discard("prunebench")
    getattr(hook, "_marked_for_rewrite_cache", {}).clear()
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # as behind a shell's "&"
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_runtest_setup() -> None:
    """Compute with one thread, whatever a test before has left: beside other processes two are far slower."""
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def data_root() -> Path:
    """The folder with real MNIST, Fashion-MNIST, CIFAR-10; tests that need it are skipped where it is not."""
    root = os.environ.get("PRUNEBENCH_DATA")
    if not root or not Path(root).is_dir():
        pytest.skip("real images wanted: set PRUNEBENCH_DATA to a data root")
    return Path(root)


@dataclass
class Project:
    """A folder with suites and stores; sessions, engines and runs of them."""

    folder: Path
    number: int = 0
    options: dict[str, Any] = field(default_factory=dict)

    def suite(self, methods: Iterable[Any] = ("snip",), *, name: str = "tiny", **options: Any) -> Path:
        """Write a little suite on digits (options as `little_suite` has them) and return its path."""
        path = self.folder / f"{name}.toml"
        path.write_text(little_suite(methods, name=name, **options))
        return path

    def session(self, path: Path, store: str = "store", **options: Any) -> Any:
        """Plan a suite; nothing is written."""
        from prunebench.engine.request import Request
        from prunebench.engine.session import Session

        request = Request(
            suite=str(path),
            store=str(self.folder / store),
            data=str(self.folder / "data"),
            third_party=False,
            **{**self.options, **options},
        )
        return Session.prepare(request)

    def store(self, name: str = "store") -> Any:
        """Open a store of the project."""
        from prunebench.store import Store

        return Store.open(self.folder / name)

    def engine(self, path: Path, store: str = "store", **options: Any) -> Any:
        """Return an engine on a suite and a store."""
        return self.session(path, store, **options).worker(self.store(store))

    def run(self, path: Path, store: str = "store", *, reverse: bool = False, **options: Any) -> Any:
        """Make all cells of a suite, in the file's order or backwards; return the engine."""
        engine = self.engine(path, store, **options)
        cells = list(engine.plan.cells)
        for cell in reversed(cells) if reverse else cells:
            engine.make(cell)
        return engine

    def results(self, engine: Any) -> dict[str, str]:
        """Return the digest of every record, by the cell's id."""
        return {cell.id: engine.store.read_record(cell.key).digest for cell in engine.plan.cells}


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """A folder with suites and stores."""
    return Project(tmp_path)


Entry = float | str | None
Spelled = Mapping[str, Mapping[float, Sequence[Entry]]]


def _rows(methods: Spelled, **labels: Any) -> list[dict[str, Any]]:
    rows = []
    for name, points in methods.items():
        method, _, ablations = name.partition("+")
        for sparsity, entries in points.items():
            for seed, entry in enumerate(entries):
                finished = isinstance(entry, int | float)
                rows.append(
                    {
                        "matrix": "main",
                        "cell": f"{name}-{sparsity}-s{seed}",
                        "key": f"{labels}-{name}-{sparsity}-{seed}",
                        "architecture": "lenet",
                        "dataset": "mnist",
                        "method": method,
                        "ablations": ablations,
                        "density": f"{1 - sparsity:.12f}".rstrip("0").rstrip("."),
                        "seed": seed,
                        "status": "finished" if finished else entry or "missing",
                        "accuracy": entry if finished else None,
                        **labels,
                    }
                )
    return rows


@pytest.fixture
def cells() -> Callable[..., Any]:
    """Make a table: numbers are accuracies, None a missing cell, a word its status; labels for all rows."""

    from prunebench.analysis import table

    def make(methods: Spelled, **labels: Any) -> Any:
        return table(_rows(methods, **labels))

    return make
