"""ImagesOnDisk images through the whole harness: readers change nothing, an interruption neither, faults are named."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from prunebench.engine.failures import JobFailed
from prunebench.training.images import reading

SUITE = """
schema = 1
name = "streamed"
version = "1"

[[matrix]]
name = "main"
architecture = "digits-convnet"
dataset = {name = "image-folder-stream", path = "leaves", size = 8}
recipe = {name = "digits", epochs = 2, batch = 16, augment = ["resized-crop", "flip"], last_batch = "drop"}
methods = [{method = "grasp", as = "grasp-chunks", scorer = {chunk = 5}}, "gradual-magnitude"]
sparsities = [0.5]
seeds = 1
measures = ["effective-density", "weights-remaining"]
"""


@pytest.fixture
def streamed(project: Any, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two classes, 24 training and 5 test images of each, of several sizes; a suite on them."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(project.folder / "cache"))
    rng = np.random.default_rng(0)
    for part, count in (("train", 24), ("test", 5)):
        for c, name in enumerate(("beech", "lime")):
            folder = project.folder / "data" / "leaves" / part / name
            folder.mkdir(parents=True)
            for k in range(count):
                size = (*rng.integers(9, 20, 2), 3)
                pixels = rng.integers(0, 128, size, dtype=np.uint8) + np.uint8(100 * c)
                Image.fromarray(pixels).save(folder / f"{k:02}.jpeg")
    path: Path = project.folder / "streamed.toml"
    path.write_text(SUITE)
    return path


@pytest.mark.slow
def test_the_number_of_readers_changes_no_record(
    project: Any, streamed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """None, or two of them: the same records, of a dense cell, one scored in chunks and one pruned gradually."""
    found = []
    for readers in ("0", "2"):
        monkeypatch.setenv("PRUNEBENCH_LOADERS", readers)
        found.append(project.results(project.run(streamed, store=f"store-{readers}")))
    assert found[0] == found[1]
    assert len(found[0]) == 3


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
    streamed.write_text(re.sub(r"methods = .*", f"methods = {ROUNDS}", SUITE))
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
