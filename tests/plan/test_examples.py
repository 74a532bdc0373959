"""A part of the training examples in a plan: what keys hold, what is counted, what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from prunebench.errors import SuiteError
from prunebench.plan.params import TrainParams


def with_data(project: Any, dataset: str, more: str = "") -> Path:
    path: Path = project.suite(["random"], sparsities=[0.5])
    text = path.read_text()
    line = next(line for line in text.splitlines() if line.startswith("dataset"))
    path.write_text(text.replace(line, f"dataset = {dataset}\n{more}"))
    return path


def test_a_number_and_a_share_of_it_are_one_cell_and_all_are_the_data_set_itself(project: Any) -> None:
    """0.25 of 1,442 is 360; cells of the whole are as without `examples`, key by key."""
    keys = [
        [cell.key for cell in project.session(with_data(project, dataset)).plan.cells]
        for dataset in (
            '{name = "digits", examples = 360, as = "a"}',
            '{name = "digits", examples = 0.25, as = "a"}',
            '{name = "digits", examples = 1442, as = "digits"}',
            '"digits"',
        )
    ]
    assert keys[0] == keys[1]
    assert keys[2] == keys[3]
    assert not set(keys[0]) & set(keys[2])


@pytest.mark.parametrize(("split", "steps", "evaluated"), [("test", 6, 355), ("val", 5, 144)])
def test_steps_and_points_are_those_of_the_part(project: Any, split: str, steps: int, evaluated: int) -> None:
    """An epoch of 330 in batches of 64 is 6 steps; of val's nine tenths (297) 5. All is evaluated on."""
    path = with_data(project, '{name = "digits", examples = 330}', f'split = "{split}"')
    plan = project.session(path).plan
    trains = [job.params for job in plan.jobs.values() if isinstance(job.params, TrainParams)]
    assert max(params.step for params in trains) == steps
    assert plan.suite["examples"] == {"digits[examples=330]": {split: evaluated}}


def test_a_folders_number_is_known_from_its_files(project: Any) -> None:
    """A share of ten images, and of all: the spellings of their numbers, in the cells' records too."""
    for name in (f"{part}/{label}/{i}.png" for part in ("train", "val") for label in "ab" for i in range(5)):
        file = project.folder / "data" / "flowers" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (8, 8), (int(name[-5]) * 20, 9, 9)).save(file)
    folder = 'name = "image-folder", path = "flowers", size = 8'
    wanted = {"0.3": ",examples=3]", "3": ",examples=3]", "10": "]"}
    for examples, ending in wanted.items():
        plan = project.session(with_data(project, f"{{{folder}, examples = {examples}}}")).plan
        names = {plan.jobs[cell.key].params.cell.dataset for cell in plan.cells}
        assert names == {f"image-folder[path=flowers,size=8{ending}"}
    with pytest.raises(SuiteError) as caught:
        project.session(with_data(project, f"{{{folder}, examples = 11}}"))
    assert "matrix[0].dataset.examples: data set 'image-folder[path=flowers,size=8]': examples = 11; " in str(
        caught.value
    )


def test_missing_files_are_told_once_for_all_parts(project: Any) -> None:
    """Parts of one data set read the same files."""
    parts = '["mnist", {name = "mnist", examples = 0.5}, {name = "mnist", examples = 100}]'
    plan = project.session(with_data(project, parts)).plan
    assert list(plan.missing_data) == ["mnist"]
    assert all(plan.lacks(cell) == plan.missing_data["mnist"] for cell in plan.cells)


def test_a_wrong_number_is_told_with_its_place(project: Any) -> None:
    """Where the component declares how many there are, no file is looked at."""
    with pytest.raises(SuiteError) as caught:
        project.session(with_data(project, '{name = "digits", examples = 1443}'))
    assert str(caught.value).endswith(
        "matrix[0].dataset.examples: examples = 1443; allowed: a whole number from 1 to 1442, or a share "
        "above 0 and below 1 of its training examples"
    )
