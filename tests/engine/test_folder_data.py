"""Data sets in folders, through the whole harness: planned without their files, run with them, refused when spoiled."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pytest
from PIL import Image

from prunebench.engine.on_pytest.run import run_cells
from prunebench.errors import DataError
from prunebench.plan.facts import ABSENT
from prunebench.plan.frozen import frozen, thawed

MATRIX = """
[[matrix]]
name = "{name}"
architecture = "lenet-300-100"
dataset = {dataset}
recipe = {{name = "digits", epochs = 1}}
methods = ["snip"]
sparsities = [0.5]
seeds = 1
"""
SPELLED = {
    "cifar100": '"cifar100"',
    "svhn": '"svhn"',
    "tiny": '"tiny-imagenet"',
    "part": '{name = "tiny-imagenet", partial = true}',
    "imagenet": '"imagenet"',
    "flowers": '{name = "image-folder", path = "flowers", size = 8, as = "flowers"}',
    "stream": '{name = "image-folder-stream", path = "flowers", size = 8}',
}


def matrices(*names: str) -> str:
    return "".join(MATRIX.format(name=name, dataset=SPELLED[name]) for name in names)


def draw(path: Path, seed: int, size: int = 12) -> None:
    """An image whose brightness tells its class, so that something can be learned."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draws = np.random.default_rng(seed).integers(0, 128, (size, size, 3), dtype=np.uint8)
    Image.fromarray(draws + np.uint8(120 * (seed % 2))).save(path)


def flowers(root: Path, train: int = 40) -> Path:
    """Two classes, 40 training and 6 test images of each."""
    for c, name in enumerate(("oak", "rose")):
        for i in range(train):
            draw(root / "flowers/train" / name / f"{i:02}.png", 2 * i + c)
        for i in range(6):
            draw(root / "flowers/test" / name / f"{i:02}.png", 1000 + 2 * i + c)
    return root / "flowers"


def tiny(root: Path) -> Path:
    """TinyImageNet's layout with two classes."""
    base = root / "tiny-imagenet-200"
    for c, wnid in enumerate(("n01", "n02")):
        for i in range(30):
            draw(base / f"train/{wnid}/images/{wnid}_{i}.JPEG", 2 * i + c, 64)
    for i in range(8):
        draw(base / f"val/images/val_{i}.JPEG", 1000 + i, 64)
    (base / "wnids.txt").write_text("n02\nn01\n")
    lines = [f"val_{i}.JPEG\tn0{1 + i % 2}\t0\t0\t9\t9\n" for i in range(8)]
    (base / "val/val_annotations.txt").write_text("".join(lines))
    return base


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The user's cache is a folder of the test's own."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def test_every_data_set_is_planned_without_its_files(project: Any) -> None:
    """Published sizes; a fingerprint where it is known in advance, else a placeholder; sentences that help."""
    plan = project.session(project.suite(more=matrices(*SPELLED))).plan
    assert len(plan.cells) == 2 + 2 * len(SPELLED)
    missing = plan.missing_data
    assert sorted(missing) == [
        "cifar100",
        "image-folder-stream[path=flowers,size=8]",
        "image-folder[path=flowers,size=8]",
        "imagenet",
        "svhn",
        "tiny-imagenet",
        "tiny-imagenet[partial=true]",
    ]
    assert all(str(project.folder / "data") in text for text in missing.values())
    prints = {name: plan.identities[f"data {name}"]["fingerprint"] for name in missing}
    assert {name for name, found in prints.items() if found != ABSENT} == {"cifar100", "svhn"}


def test_a_folder_of_images_is_trained_on(project: Any) -> None:
    """As found; normalised by its training images; a second run makes nothing again."""
    folder = flowers(project.folder / "data")
    engine = project.run(project.suite(more=matrices("flowers")))
    cell = next(cell for cell in engine.plan.cells if cell.matrix == "flowers")
    record = engine.store.read_record(cell.key)
    assert record.result["test"]["examples"] == 12
    assert record.result["cell"]["dataset"] == "image-folder[path=flowers,size=8]"
    pixels = np.stack(
        [
            np.asarray(Image.open(path).resize((8, 8), Image.Resampling.BILINEAR)) / 255.0
            for path in sorted(folder.glob("train/*/*.png"))
        ]
    )
    found = record.provenance["normalization"]
    assert found["mean"] == pytest.approx(pixels.mean((0, 1, 2)), abs=1e-12)
    assert found["std"] == pytest.approx(pixels.std((0, 1, 2)), abs=1e-12)


def test_a_part_of_tiny_imagenet_is_trained_on(project: Any) -> None:
    """The folder's own numbers, because the suite says so; without that it is refused."""
    tiny(project.folder / "data")
    plan = project.session(project.suite(more=matrices("tiny", "part"))).plan
    assert "lists 2 classes, published are 200" in plan.missing_data.pop("tiny-imagenet")
    assert plan.missing_data == {}
    engine = project.run(project.suite(more=matrices("part")))
    cell = next(cell for cell in engine.plan.cells if cell.matrix == "part")
    assert engine.store.read_record(cell.key).result["test"]["examples"] == 8


def test_an_image_that_is_spoiled_is_named_and_costs_nothing_else(project: Any) -> None:
    """The cells of other data are made; put right, the rest are made as if nothing had been."""
    folder = flowers(project.folder / "data")
    path = folder / "train/oak/03.png"
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2] + b"\0" * (len(whole) - len(whole) // 2))
    suite = project.suite(more=matrices("flowers"))
    session, store = project.session(suite), project.store()
    session.freeze(store)
    outcome = run_cells(session, store, quiet=True)
    assert len(outcome.made) == 2
    assert len(outcome.failed) == 2
    assert all(str(path) in error for error in outcome.failed.values())
    path.write_bytes(whole)
    assert len(run_cells(project.session(suite), store, quiet=True).made) == 2


def test_an_image_that_is_added_after_planning_is_noticed(project: Any) -> None:
    """The key says what was trained on: the plan has to be made again."""
    folder = flowers(project.folder / "data")
    engine = project.engine(project.suite(more=matrices("flowers")))
    draw(folder / "train/oak/99.png", 5)
    job = next(
        job
        for job in engine.plan.jobs.values()
        if job.kind == "train" and job.params.run.data.name.startswith("image")
    )
    with pytest.raises(DataError, match="has changed since the plan was made"):
        engine.context.data(job.params.run.data, "cpu", 0)


def test_a_class_without_enough_images_for_scoring_is_named(project: Any) -> None:
    """Ten of every class are wanted; a class has eight."""
    flowers(project.folder / "data", train=8)
    suite = project.suite(more=matrices("flowers"))
    session, store = project.session(suite), project.store()
    session.freeze(store)
    outcome = run_cells(session, store, quiet=True)
    assert any("class 0" in error and "8" in error for error in outcome.failed.values())


def test_a_folder_whose_names_are_not_utf8_is_planned_frozen_and_trained_on(project: Any) -> None:
    """Classes and files; what is missing of it is said in text, so that the plan can be written."""
    folder = flowers(project.folder / "data")
    latin = b"ros\xe9".decode("utf-8", "surrogateescape")
    try:
        for part in ("train", "test"):
            (folder / part / "rose").rename(folder / part / latin)
            (folder / part / latin / "00.png").rename(folder / part / latin / f"{latin}.png")
    except OSError:
        pytest.skip("this file system takes UTF-8 names alone")
    suite = project.suite(more=matrices("flowers"))
    engine = project.run(suite)
    cell = next(cell for cell in engine.plan.cells if cell.matrix == "flowers")
    assert engine.store.read_record(cell.key).result["test"]["examples"] == 12
    (folder / "test" / latin).rename(folder / "test" / "other")
    plan = project.session(suite).plan
    assert r"class 'ros\xe9' has a folder in" in plan.missing_data["image-folder[path=flowers,size=8]"]
    thawed(orjson.loads(orjson.dumps(frozen(plan))))
