"""The first cells of every setting of every shipped suite, trained for three steps on little data of its layout.

A suite that plans may still ask for what cannot run: a scorer's chunk, a shape, an initialisation. Networks,
recipes (but for their length and batch), methods and measures are the suite's own.
"""

from __future__ import annotations

import io
import json
import pickle
import tomllib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import prunebench_plugins.datasets as datasets
import pytest
from PIL import Image
from prunebench_plugins.datasets._files import Original

from prunebench.inventory.rows import measure_rows
from prunebench.reading.cursor import Cursor, Problems
from prunebench.reading.families import members
from prunebench.suite import shipped_suites

pytestmark = pytest.mark.slow

Setting = tuple[str, str, str]

WNIDS = ("n02124075", "n01443537", "n04067472")
EPOCHS = {"digits": 1 / 8, "mnist": 3 / 1875}
BATCH = {"digits": 64, "mnist": 32, "cifar10": 40, "cifar100": 40, "tiny-imagenet": 12, "imagenet": 12}
"""Three steps of each: 36 photographs, 120 images of CIFAR, part of an epoch of the others."""


def first(value: Any) -> Any:
    return value[0] if isinstance(value, list) else value


def setting_of(matrix: dict[str, Any]) -> Setting:
    architecture, dataset, recipe = (first(matrix[key]) for key in ("architecture", "dataset", "recipe"))
    return architecture, dataset, recipe


def matrices_of(path: Path) -> list[dict[str, Any]]:
    """The matrices of a suite's file, its families filled in."""
    content = tomllib.loads(path.read_text(encoding="utf-8"))
    here = Cursor(Problems(path.name, content))
    return [
        dict(member)
        for table in content["matrix"]
        for member in members(table, here, content.get("sets"), "matrix")
    ]


def settings() -> list[Any]:
    """Every suite with each of its settings once; those on MNIST want its files.

    Those of chains of levels are not among them: three steps have no epoch to go back to (tests/schedules).
    """
    found = []
    for suite, path in sorted(shipped_suites().items()):
        if suite.startswith(("scaling", "find-eval")):
            continue
        for setting in dict.fromkeys(setting_of(matrix) for matrix in matrices_of(path)):
            marks = [pytest.mark.realdata] if setting[1] == "mnist" else []
            found.append(pytest.param(suite, setting, marks=marks, id="-".join((suite, *setting))))
    return found


def shortened(suite: str, setting: Setting) -> dict[str, Any]:
    """The setting's first matrix that prunes (or its first): one method that looks at data, one of all else."""
    of_setting = [m for m in matrices_of(shipped_suites()[suite]) if setting_of(m) == setting]
    matrix = next((m for m in of_setting if m["methods"] != ["none"]), of_setting[0])
    overrides = matrix.get("overrides", {})
    dataset = setting[1]
    kept: dict[str, Any] = {
        **{key: matrix[key] for key in ("name", "measures", "split", "find") if key in matrix},
        "architecture": setting[0],
        "dataset": dataset,
        "recipe": setting[2],
        "methods": ["snip"] if "snip" in matrix["methods"] else matrix["methods"][:1],
        "seeds": 1,
        "overrides": {
            **overrides,
            "recipe": {
                **overrides.get("recipe", {}),
                "epochs": EPOCHS.get(dataset, 1),
                "batch": BATCH[dataset],
                "drops": [],
                "rewind": {"step": 1},
            },
        },
    }
    if dataset in ("tiny-imagenet", "imagenet"):
        kept["dataset"] = {"name": dataset, "partial": True, "as": dataset}
    if dataset == "cifar100":  # ten of each class would be a thousand images
        scorer = {"name": "snip", "batch": {"per_class": 1}}
        kept["methods"] = [{"method": "snip", "as": "snip-few", "scorer": scorer}]
    if "score_at" in matrix:
        kept["score_at"] = [{"step": 1}]
    if "ablations" in matrix:
        kept["ablations"] = matrix["ablations"][:1]
    for key in ("sparsities", "densities"):
        if key in matrix:
            values = matrix[key]
            kept[key] = {**values, "count": 1} if isinstance(values, dict) else values[:1]
    return {"schema": 1, "name": suite, "version": "1", "matrix": [kept]}


def toml(value: Any) -> str:
    """A value as TOML writes it, tables inline."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key} = {toml(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(toml, value)) + "]"
    return json.dumps(value)


def write_suite(path: Path, table: dict[str, Any]) -> Path:
    path.write_text("".join(f"{key} = {toml(value)}\n" for key, value in table.items()), encoding="utf-8")
    return path


def jpeg(path: Path, seed: int, size: tuple[int, int]) -> None:
    """A photograph's likeness: smooth noise, compressed."""
    draws = np.random.default_rng(seed).integers(0, 256, (8, 8, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(draws).resize(size, Image.Resampling.BICUBIC).save(buffer, "JPEG", quality=90)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(buffer.getvalue())


def write_tiny_imagenet(root: Path) -> None:
    """Three classes; the validation images in one folder, with their list."""
    base, lines = root / "tiny-imagenet-200", []
    for c, wnid in enumerate(WNIDS):
        for i in range(12):
            jpeg(base / f"train/{wnid}/images/{wnid}_{i}.JPEG", 100 * c + i, (64, 64))
        for i in range(3):
            jpeg(base / f"val/images/val_{3 * c + i}.JPEG", 1000 + 3 * c + i, (64, 64))
            lines.append(f"val_{3 * c + i}.JPEG\t{wnid}\t0\t32\t44\t62\n")
    (base / "wnids.txt").write_text("".join(f"{wnid}\n" for wnid in WNIDS))
    (base / "val/val_annotations.txt").write_text("".join(lines))


def write_imagenet(root: Path) -> None:
    """Three classes of photographs of many sizes, upright and lying, in class folders."""
    base = root / "ImageNet"
    for c, wnid in enumerate(WNIDS):
        for i in range(12):
            size = (200 + 37 * i, 500 - 23 * i)
            jpeg(base / "train" / wnid / f"{wnid}_{i}.JPEG", 100 * c + i, size)
        for i in range(3):
            jpeg(
                base / "val" / wnid / f"ILSVRC2012_val_{3 * c + i + 1:08}.JPEG", 1000 + 3 * c + i, (300, 240)
            )


def pickled(path: Path, labels: dict[bytes, list[int]]) -> None:
    """A batch of CIFAR with these labels."""
    count = len(next(iter(labels.values())))
    pixels = np.random.default_rng(count).integers(0, 256, (count, 3072), dtype=np.uint8)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(pickle.dumps({b"data": pixels, **labels}, protocol=3))


def write_cifar10(root: Path) -> None:
    """Five batches of 24 images and one of 20, in the published files."""
    for k in range(1, 6):
        labels = [(24 * k + i) % 10 for i in range(24)]
        pickled(root / f"cifar-10-batches-py/data_batch_{k}", {b"labels": labels})
    pickled(root / "cifar-10-batches-py/test_batch", {b"labels": [i % 10 for i in range(20)]})


def write_cifar100(root: Path) -> None:
    """120 images with every fine label, and 20, in the published files."""
    for name, count in (("train", 120), ("test", 20)):
        labels = {b"fine_labels": [i % 100 for i in range(count)], b"coarse_labels": [0] * count}
        pickled(root / f"cifar-100-python/{name}", labels)


def write_miniplaces(root: Path) -> None:
    """Three classes below their letters; the validation images in one folder, with their list."""
    base, lines = root / "MiniPlaces", []
    for label, name in enumerate(("a/abbey", "b/bakery/shop", "y/yard")):
        for i in range(12):
            jpeg(base / f"images/train/{name}/{i:08}.jpg", 100 * label + i, (128, 128))
        for i in range(3 * label, 3 * label + 3):
            jpeg(base / f"images/val/{i:08}.jpg", 1000 + i, (128, 128))
            lines.append(f"val/{i:08}.jpg {label}\n")
    (base / "val.txt").write_text("".join(lines))


WRITERS: dict[str, Callable[[Path], None]] = {
    "digits": lambda root: None,
    "cifar10": write_cifar10,
    "cifar100": write_cifar100,
    "tiny-imagenet": write_tiny_imagenet,
    "miniplaces": write_miniplaces,
    "imagenet": write_imagenet,
}


@pytest.fixture
def small_cifar(monkeypatch: pytest.MonkeyPatch) -> None:
    """CIFAR-10 and -100 may be small: other numbers of images, and no published checksums."""
    monkeypatch.setattr(Original, "is_genuine", lambda self, content: True)
    for name in ("CIFAR10", "CIFAR100"):
        monkeypatch.setattr(datasets, name, replace(getattr(datasets, name), train=120, test=20))


@pytest.mark.parametrize(("suite", "setting"), settings())
def test_the_first_cells_of_a_setting_run(
    suite: str,
    setting: Setting,
    project: Any,
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The dense cell and a pruned one have records, the exact number of weights, and their measures."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(project.folder / "cache"))
    dataset = setting[1]
    if dataset == "mnist":
        (project.folder / "data").symlink_to(request.getfixturevalue("data_root"))
    else:
        if dataset.startswith("cifar"):
            request.getfixturevalue("small_cifar")
        (project.folder / "data").mkdir()
        WRITERS[dataset](project.folder / "data")
    table = shortened(suite, setting)
    matrix = table["matrix"][0]
    engine = project.run(write_suite(project.folder / "suite.toml", table))
    cells = list(engine.plan.cells)
    pruned = [cell for cell in cells if cell.density != "1"]
    assert len(cells) == len(pruned) + 1
    assert bool(pruned) == (matrix["methods"] != ["none"])
    for cell in cells:
        result = engine.store.read_record(cell.key).result
        assert result["outcome"] in ("finished", "diverged")
        if result["outcome"] == "finished":
            examples = {"digits": None, "mnist": 10_000, "cifar10": 20, "cifar100": 20}.get(dataset, 9)
            assert examples in (None, result["test"]["examples"])
            assert result["curve"][-1]["step"] == 3
        if cell in pruned:
            mask = result["mask"]
            assert mask["kept"] == round(float(cell.density) * mask["prunable"])
            assert sum(layer["kept"] for layer in mask["layers"]) == mask["kept"]
            measured = {row["measure"] for row in measured_of(engine) if row["density"] != "1"}
            assert measured == set(matrix.get("measures", []))
    assert {row["status"] for row in measured_of(engine)} <= {"finished", "diverged"}


def measured_of(engine: Any) -> list[dict[str, Any]]:
    """A row per cell and measure."""
    return measure_rows(engine.plan, engine.store)


@pytest.mark.parametrize(
    ("architecture", "dataset", "recipe"),
    [
        ("resnet18", "tiny-imagenet", "lan-resnet18-tinyimagenet"),
        ("resnet50", "tiny-imagenet", "lan-resnet50-tinyimagenet"),
        ("resnet50", "miniplaces", "lan-resnet50-miniplaces"),
    ],
)
def test_a_mask_is_found_at_one_rate_and_evaluated_at_another(
    architecture: str, dataset: str, recipe: str, project: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first level of find-eval's chain, after an epoch of three batches: a fifth of the convolutions goes."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(project.folder / "cache"))
    (project.folder / "data").mkdir()
    WRITERS[dataset](project.folder / "data")
    of_suite = next(
        m for m in matrices_of(shipped_suites()["find-eval"])
        if (m["architecture"], m["dataset"]) == (architecture, dataset)
    )  # fmt: skip
    assert of_suite["recipe"][0]["name"] == recipe
    matrix = {
        "name": "main",
        "architecture": architecture,
        "dataset": {"name": dataset, "partial": True, "as": dataset},
        "recipe": {"name": recipe, "epochs": 1, "batch": 12, "drops": [], "lr": 0.01, "as": "short"},
        "find": of_suite["find"][:1],
        "methods": of_suite["methods"],
        "sparsities": {"keep": 0.8, "count": 1},
        "seeds": 1,
        "measures": of_suite["measures"],
        "dense": False,
    }
    engine = project.run(
        write_suite(
            project.folder / "suite.toml", {"schema": 1, "name": "few", "version": "1", "matrix": [matrix]}
        )
    )
    (cell,) = engine.plan.cells
    result = engine.store.read_record(cell.key).result
    convolutions = {"resnet18": 11_166_912, "resnet50": 23_454_912}[architecture]
    assert (result["mask"]["kept"], result["mask"]["prunable"]) == (round(0.8 * convolutions), convolutions)
