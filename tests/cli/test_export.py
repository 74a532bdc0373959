"""`export`: the file, where the weights come from, and what is refused."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from click.testing import Result
from safetensors import safe_open
from safetensors.torch import load_file

from .conftest import PLUGIN, Place


@pytest.fixture
def copy(done: tuple[Place, Result], tmp_path: Path) -> Place:
    """A copy of the folder in which the tiny suite has been run."""
    shutil.copytree(done[0].folder, tmp_path / "copy")
    return Place(tmp_path / "copy")


def cell_of(place: Place, method: str) -> dict[str, Any]:
    plan = place.json("plan", place.suite, *place.plugin)
    found: dict[str, Any] = next(cell for cell in plan["cells"] if cell["method"] == method)
    return found


def network() -> torch.nn.Module:
    space: dict[str, Any] = {}
    exec(PLUGIN, space)
    built: torch.nn.Module = space["build"]((1, 8, 8), 10)
    return built


def accuracy(module: torch.nn.Module) -> int:
    """Count what a network gets right, by hand, from the component's own images."""
    from prunebench.host.registry import Host

    digits = Host.load(third_party=False).get("datasets", "digits")
    images, labels = digits.load(Path(), "test")
    mean = torch.tensor(digits.mean).view(-1, 1, 1)
    std = torch.tensor(digits.std).view(-1, 1, 1)
    with torch.no_grad():
        return int((module.eval()((images / 255 - mean) / std).argmax(1) == labels).sum())


def test_a_pruned_cell_is_made_again_and_dropped_again(copy: Place) -> None:
    """The file's network has the record's accuracy, zeros where the mask is; the store is as before."""
    cell = cell_of(copy, "own")
    before = set(copy.store.rglob("*.safetensors"))
    found = copy.json("export", cell["key"][:8], "-o", "out.safetensors", *copy.plugin)
    assert found["jobs_made_again"] >= 1
    assert found["agrees_with_record"] is True
    assert set(copy.store.rglob("*.safetensors")) == before
    tensors = load_file(copy.folder / "out.safetensors")
    masks = {name[5:]: tensor for name, tensor in tensors.items() if name.startswith("mask.")}
    weights = {name: tensor for name, tensor in tensors.items() if not name.startswith("mask.")}
    assert set(masks) == {"1.weight", "4.weight"}
    assert all(mask.dtype == torch.bool for mask in masks.values())
    assert sum(int(mask.sum()) for mask in masks.values()) == cell["kept"] == found["kept"]
    assert all(not weights[name][~mask].any() for name, mask in masks.items())
    module = network()
    module.load_state_dict(weights)
    assert accuracy(module) == found["correct"]


def test_the_file_says_what_it_is(copy: Place) -> None:
    """safetensors metadata hold key, cell, suite and the test counts."""
    cell = cell_of(copy, "own")
    copy.call("export", cell["key"], "-o", "out.safetensors", *copy.plugin)
    with safe_open(copy.folder / "out.safetensors", "pt") as file:
        metadata = file.metadata()
    about = json.loads(metadata["prunebench"])
    assert metadata["format"] == "pt"
    assert about["key"] == cell["key"]
    assert about["cell"] == f"main::{cell['cell']}"
    assert about["suite"]["name"] == "tiny"
    assert about["test"]["examples"] == 355


def test_an_unpruned_cell_by_its_name(copy: Place) -> None:
    """matrix::cell with --suite; the weights are in the store, so nothing is made again; there is no mask."""
    cell = cell_of(copy, "none")
    result = copy.call("export", f"main::{cell['cell']}", "--suite", copy.suite, *copy.plugin)
    assert result.stderr == ""
    assert result.stdout.startswith(
        f"{cell['cell']}.safetensors: main::{cell['cell']} of suite tiny 3, record "
    )
    tensors = load_file(copy.folder / f"{cell['cell']}.safetensors")
    assert not any(name.startswith("mask.") for name in tensors)
    network().load_state_dict(tensors)


def test_pt_is_a_dict_of_state_dict_and_mask(copy: Place) -> None:
    """--format pt is read by torch.load without trusting the file."""
    cell = cell_of(copy, "random")
    result = copy.call("export", cell["key"], "--format", "pt", "--output", "out.pt", *copy.plugin)
    assert "were not kept: they are made again" in result.stderr
    found = torch.load(copy.folder / "out.pt", weights_only=True)
    assert set(found) == {"state_dict", "mask"}
    network().load_state_dict(found["state_dict"])
    assert set(found["mask"]) == {"1.weight", "4.weight"}


def test_a_file_that_exists_is_kept(copy: Place) -> None:
    """Without --force nothing is replaced; with it the file is."""
    cell = cell_of(copy, "none")
    copy.write("out.safetensors", "mine")
    args = ["export", cell["key"], "-o", "out.safetensors", *copy.plugin]
    result = copy.call(*args, code=2)
    assert "out.safetensors exists" in result.stderr
    assert (copy.folder / "out.safetensors").read_text() == "mine"
    copy.call(*args, "--force")
    assert load_file(copy.folder / "out.safetensors")
    assert not list(copy.folder.glob(".*.tmp"))


def test_a_changed_component_is_refused(copy: Place) -> None:
    """Weights that were dropped are never made with another scorer than the record's."""
    cell = cell_of(copy, "own")
    for path in copy.store.glob("artifacts/*/*.safetensors"):
        path.unlink()
    copy.write("mine.py", PLUGIN.replace("** power", "** (power + 1)"))
    result = copy.call("export", cell["key"], "-o", "out.safetensors", *copy.plugin, code=2)
    assert "has changed since" in result.stderr
    assert not (copy.folder / "out.safetensors").exists()


@pytest.mark.parametrize(
    ("args", "told"),
    [
        (["12ab"], "'12ab' is no key; allowed: a record's key or at least its first 6 characters"),
        (["not-a-key"], "'not-a-key' is no key"),
        (["0123456789"], "has a key that begins with '0123456789'"),
        (["main::x"], "say of which suite with --suite"),
        (["main::x", "--suite", "tiny"], "no frozen plan of suite 'tiny'"),
        (["main::x", "--suite", "other"], "no frozen plan of suite 'other'"),
    ],
)
def test_what_cannot_be_found(done: tuple[Place, Result], args: list[str], told: str) -> None:
    """A key that is none, is in no record, or a cell that is in no plan."""
    place, _ = done
    before = place.files()
    assert told in place.call("export", *args, code=2).stderr
    assert place.files() == before


def test_a_store_that_is_not_there(place: Place) -> None:
    """No store: says how one is made, and makes none."""
    result = place.call("export", "0123456789", code=2)
    assert "no store at" in result.stderr
    assert not place.store.exists()


def test_a_folder_that_is_not_there(copy: Place) -> None:
    """A folder that does not exist is told before anything is made again."""
    cell = cell_of(copy, "own")
    before = sorted(copy.store.rglob("*"))
    result = copy.call("export", cell["key"], "-o", "none/out.safetensors", *copy.plugin, code=2)
    assert "the folder none does not exist" in result.stderr
    assert sorted(copy.store.rglob("*")) == before


def test_a_damaged_plan_is_passed_over(copy: Place) -> None:
    """A frozen plan that cannot be read hides no other."""
    cell = cell_of(copy, "none")
    (plan,) = (copy.store / "plans").glob("*.json")
    (plan.parent / f"{plan.stem.rsplit('-', 1)[0]}-ffffffffffff.json").write_bytes(plan.read_bytes()[:-9])
    copy.call("export", cell["key"], "-o", "out.safetensors", *copy.plugin)


def test_the_mask_alone_trains_nothing(copy: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is read from the store: no plugin is loaded, no job runs, nothing of the store changes."""
    cell = cell_of(copy, "own")
    whole = load_file(copy.folder / made(copy, cell, "whole.safetensors"))
    monkeypatch.setattr("prunebench.engine.worker.Worker.make_key", None)
    before = {path: path.stat().st_mtime_ns for path in copy.store.rglob("*")}
    found = copy.json("export", cell["key"][:8], "--mask", "-o", "mask.safetensors")
    assert found["jobs_made_again"] == 0
    assert found["parts"] == ["mask"]
    assert {path: path.stat().st_mtime_ns for path in copy.store.rglob("*")} == before
    masks = load_file(copy.folder / "mask.safetensors")
    assert set(masks) == {"mask.1.weight", "mask.4.weight"}
    assert sum(int(mask.sum()) for mask in masks.values()) == cell["kept"]
    assert all(torch.equal(mask, whole[name]) for name, mask in masks.items())
    copy.call("export", cell["key"], "--mask", "--format", "pt")
    read = torch.load(copy.folder / f"{cell['cell']}.mask.pt", weights_only=True)
    assert all(torch.equal(mask, masks[f"mask.{name}"]) for name, mask in read["mask"].items())
    assert set(read) == {"mask"}


def made(place: Place, cell: dict[str, Any], name: str) -> str:
    """Export a cell to a file and return its name."""
    place.call("export", cell["key"], "-o", name, *place.plugin)
    return name


def test_a_mask_that_is_not_there_is_not_made_unasked(copy: Place) -> None:
    """It says what making it again takes, and the command that does it; that command does."""
    cell = cell_of(copy, "own")
    for path in copy.store.glob("artifacts/*/*.safetensors"):
        path.unlink()
    result = copy.call("export", cell["key"], "--mask", "-o", "mask.safetensors", code=2)
    assert re.search(
        r"the mask of main::\S+ is not in \S+store any more\. To make it again takes 3 jobs "
        r"\(1 train, 1 score, 1 mask; [0-9.e-]+ GMAC\)",
        result.stderr,
    )
    assert f"`prunebench export {cell['key'][:12]}` without --mask does both" in result.stderr
    assert not (copy.folder / "mask.safetensors").exists()
    copy.call("export", cell["key"][:12], "-o", "whole.safetensors", *copy.plugin)
    copy.call("export", cell["key"], "--mask", "-o", "mask.safetensors")
    whole = load_file(copy.folder / "whole.safetensors")
    masks = load_file(copy.folder / "mask.safetensors")
    assert all(torch.equal(mask, whole[name]) for name, mask in masks.items())


def test_an_unpruned_cell_has_no_mask(copy: Place) -> None:
    """Said, and nothing is written."""
    cell = cell_of(copy, "none")
    assert "has no mask" in copy.call("export", cell["key"], "--mask", code=2).stderr


def test_a_cell_is_selected_by_name_and_sparsity(copy: Place) -> None:
    """-k and --sparsity of one cell; of several some are listed."""
    chosen = ("export", "--suite", copy.suite, "--mask", "-o", "out.safetensors")
    result = copy.call(*chosen, "-k", "own", "--sparsity", "50 %", code=2)
    assert "2 cells are selected (main::tiny-net-digits-own-d0.5-s0, main::tiny-net-digits-own-d0.5-s1)" in (
        result.stderr
    )
    found = copy.json(*chosen, "-k", "own and s1", "--sparsity", "50")
    assert found["cell"] == "main::tiny-net-digits-own-d0.5-s1"
    for wrong in ([], ["-k", "own"], ["--suite", copy.suite], ["0123456", "-k", "own"]):
        assert "KEY" in copy.call("export", *wrong, code=2).stderr


@pytest.mark.parametrize("output", ["none/out.safetensors", "tiny.toml/out", "."])
def test_a_file_that_cannot_be_is_refused_first(copy: Place, output: str) -> None:
    """Before the store is even looked at: nothing is trained for a file that cannot be written."""
    before = copy.files()
    for more in ([], ["--mask"], ["--force"]):
        copy.call("export", "0123456789", "-o", output, *more, code=2)
        result = copy.call("export", "0123456789", "-o", output, *more, code=2)
        assert "-o FILE" in result.stderr
    assert copy.files() == before
