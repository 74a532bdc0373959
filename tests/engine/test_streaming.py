"""Images in files through the whole harness: an interruption changes nothing, readers start once, faults are named.

That their number changes no record is asked in tests/slow/test_on_a_gpu.py, of the CPU too.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from streamed_suite import write_streamed

from prunebench.engine.failures import JobFailed
from prunebench.training.images import reading


@pytest.fixture
def streamed(project: Any, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A suite on images in files."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(project.folder / "cache"))
    return write_streamed(project)


def test_a_run_that_was_stopped_in_an_epoch_goes_on_with_the_same_bits(
    project: Any, streamed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A checkpoint after every step, an interruption at the fourth of six."""
    monkeypatch.setenv("PRUNEBENCH_LOADERS", "0")
    whole = project.results(project.run(streamed))
    engine = project.engine(streamed, store="again")
    engine.context.checkpoint_seconds = 0.0

    def stop(job: Any, step: int, to_step: int) -> None:
        if step == 4:
            raise KeyboardInterrupt

    engine.context.progress = stop
    with pytest.raises(KeyboardInterrupt):
        engine.make(engine.plan.cells[-1])
    assert project.results(project.run(streamed, store="again")) == whole


ROUNDS = """[
    {method = "iterative-snip", as = "rounds", schedule = {rounds = 3}, scorer = {chunk = 3}},
    {method = "grasp", as = "grasp-chunks", scorer = {chunk = 3}},
]"""


def test_a_scoring_pass_starts_its_readers_once_and_decodes_each_image_once(
    project: Any, streamed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Three rounds of seven chunks, and GraSP's two passes over as many: one loader, twenty images, for each."""
    monkeypatch.setenv("PRUNEBENCH_LOADERS", "0")
    started, opened = [0], list[str]()
    loader, open_image = reading.DataLoader, reading.open_image

    def starts(*arguments: Any, **named: Any) -> Any:
        started[0] += 1
        return loader(*arguments, **named)

    def opens(path: Path, channels: int) -> Image.Image:
        opened.append(str(path))
        return open_image(path, channels)

    monkeypatch.setattr(reading, "DataLoader", starts)
    monkeypatch.setattr(reading, "open_image", opens)
    streamed.write_text(re.sub(r"methods = .*", f"methods = {ROUNDS}", streamed.read_text()))
    engine = project.engine(streamed)
    scorings = [job for job in engine.plan.jobs.values() if job.params.scorings(1)]
    assert len(scorings) == 2
    for job in scorings:
        for key in job.inputs:
            engine.make_key(key)
        started[0] = 0
        opened.clear()
        engine.make_key(job.key)
        assert started == [1]
        assert (len(opened), len(set(opened))) == (20, 20)


@pytest.mark.parametrize("readers", ["0", "1"])
def test_a_corrupt_image_fails_its_cell_and_is_named(
    project: Any, streamed: Path, monkeypatch: pytest.MonkeyPatch, readers: str
) -> None:
    """One sentence, whichever process read it; nothing is recorded."""
    monkeypatch.setenv("PRUNEBENCH_LOADERS", readers)
    victim = project.folder / "data/leaves/train/lime/07.jpeg"
    victim.write_bytes(victim.read_bytes()[:100])
    engine = project.engine(streamed)
    with pytest.raises(JobFailed, match=r"07\.jpeg .*cannot be used") as caught:
        engine.make(engine.plan.cells[0])
    assert "worker process" not in str(caught.value)
    assert engine.store.record_keys() == set()
