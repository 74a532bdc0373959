"""Training on images in files: the same for any number of workers, wherever a run starts; faults by name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from one_device import OneDevice
from PIL import Image
from torch import nn

from prunebench.errors import DataError, UsageError
from prunebench.training.devices import Together
from prunebench.training.images.batches import make_batches
from prunebench.training.images.data import Data, scoring_batch
from prunebench.training.images.files import ImageFiles
from prunebench.training.images.patches import DRAWS, Patch
from prunebench.training.images.reading import ImagesOnDisk, default_loaders
from prunebench.training.loop import train
from prunebench.training.recipe import Recipe
from prunebench.training.state import State
from prunebench.training.streams import stream
from prunebench.vision import torchvision

MEAN, STD = (0.4, 0.5, 0.6), (0.2, 0.25, 0.3)
SHAPE = (3, 14, 14)
RECIPE = Recipe(epochs=2, batch=8, lr=0.1, momentum=0.9, augment=("resized-crop", "flip"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Forty-two small photographs of noise, of several sizes; one is grey, one has a palette."""
    folder = tmp_path_factory.mktemp("images")
    rng = np.random.default_rng(0)
    for k in range(42):
        size = (int(rng.integers(16, 40)), int(rng.integers(16, 40)), 3)
        image = Image.fromarray(rng.integers(0, 256, size, dtype=np.uint8)).resize((size[1], size[0]))
        if k in (3, 4):
            image = image.convert("L" if k == 3 else "P")
        image.save(folder / f"{k:02}.{'png' if k == 4 else 'jpeg'}", quality=95)
    return folder


def files(folder: Path, part: slice) -> ImageFiles:
    paths = sorted(folder.iterdir())[part]
    return ImageFiles(paths, torch.arange(len(paths)) % 3, SHAPE)


def data(folder: Path, loaders: int = 0, split: Any = "test") -> Data:
    """Thirty training images (three full batches of eight and one of six), twelve test images."""
    train_files, test_files = files(folder, slice(0, 30)), files(folder, slice(30, 42))
    return Data.prepare(
        (ImagesOnDisk(train_files, loaders=loaders), train_files.labels),
        (ImagesOnDisk(test_files, loaders=loaders), test_files.labels),
        MEAN,
        STD,
        3,
        split=split,
    )


def network() -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return nn.Sequential(
            nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Dropout(0.1), nn.Linear(4 * 12 * 12, 3)
        )


def naive(path: Path, seed: int, epoch: int, position: int) -> torch.Tensor:
    """One augmented image, from its file, with torchvision and the streams as documented."""
    transforms = torchvision.transforms.v2.functional
    image = Image.open(path).convert("RGB")
    crops = stream(seed, "augment", epoch, "resized-crop").uniform((30, DRAWS))[position : position + 1]
    flips = stream(seed, "augment", epoch, "flip").integers(30, 2)
    box = Patch((0.1, 1.0), (0.8, 1.25)).boxes(crops, image.height, image.width)[0].tolist()
    image = transforms.resized_crop(image, *box, [14, 14], antialias=True)
    if flips[position]:
        image = transforms.horizontal_flip(image)
    scaled = transforms.pil_to_tensor(image).float() / 255
    return (scaled - torch.tensor(MEAN).view(3, 1, 1)) / torch.tensor(STD).view(3, 1, 1)


def test_batches_equal_a_loop_over_files(folder: Path) -> None:
    """Each image is decoded, cut, flipped and normalised as torchvision would, in the epoch's order."""
    batches = make_batches(data(folder), RECIPE, 5)
    paths = sorted(folder.iterdir())[:30]
    for step in range(8):
        epoch, position = divmod(step, 4)
        x, y = batches(step)
        order = stream(5, "order", epoch).permutation(30)[position * 8 : position * 8 + 8]
        assert y.tolist() == [int(image) % 3 for image in order]
        expected = [naive(paths[image], 5, epoch, position * 8 + k) for k, image in enumerate(order)]
        assert torch.allclose(x, torch.stack(expected), atol=1e-5)


def test_a_step_is_the_same_wherever_one_starts(folder: Path) -> None:
    """Also in the middle of an epoch, and again."""
    alone = make_batches(data(folder), RECIPE, 5)(6)[0]
    through = make_batches(data(folder), RECIPE, 5)
    for step in range(6):
        through(step)
    assert torch.equal(through(6)[0], alone)
    assert torch.equal(through(6)[0], alone)


@pytest.mark.parametrize("held", [False, True])
def test_devices_have_the_parts_of_the_batch_of_one(folder: Path, held: bool) -> None:
    """Each reads and draws for its own examples alone, wherever it starts; the last batch has six."""
    images = data(folder)
    if held:
        images = replace(images, images=images.images[:])
    recipe = RECIPE.model_copy(update={"augment": ("flip", "shift2")})
    whole = make_batches(images, recipe, 5)
    parts = [make_batches(images, recipe, 5, devices=Together(number, 4)) for number in range(4)]
    for step in (2, 3, 4, 7):
        (x, y), pieces = whole(step), [part(step) for part in parts]
        assert torch.equal(torch.cat([piece[0] for piece in pieces]), x)
        assert torch.equal(torch.cat([piece[1] for piece in pieces]), y)
        assert [len(piece[1]) for piece in pieces] == ([2, 2, 2, 2] if len(y) == 8 else [1, 2, 1, 2])


def trained(folder: Path, loaders: int, stop: int | None = None) -> State:
    module = network()
    state = State.of(module)
    for step in (8,) if stop is None else (stop, 8):
        state = train(module, state, RECIPE, data(folder, loaders), seed=2, to_step=step)
    return state


@pytest.mark.filterwarnings("ignore:This DataLoader will create")
def test_the_number_of_workers_changes_nothing(folder: Path) -> None:
    """Weights, momentum and curve of two epochs are the same bits with none, one and three processes."""
    alone = trained(folder, 0)
    for loaders in (1, 3):
        other = trained(folder, loaders)
        assert all(torch.equal(alone.parameters[name], other.parameters[name]) for name in alone.parameters)
        one, two = alone.slots["momentum"], other.slots["momentum"]
        assert all(torch.equal(one[name], two[name]) for name in one)
        assert alone.curve == other.curve


def test_going_on_in_the_middle_of_an_epoch_changes_nothing(folder: Path) -> None:
    """A run that stopped after step 5 ends like one that did not."""
    whole, parts = trained(folder, 0), trained(folder, 0, stop=5)
    assert all(torch.equal(whole.parameters[name], parts.parameters[name]) for name in whole.parameters)
    assert whole.curve == parts.curve


def test_evaluation_sees_the_middle_of_the_scaled_image(folder: Path) -> None:
    """The shorter side becomes 16 for images of 14 (as 256 for 224), and the middle is cropped."""
    transforms = torchvision.transforms.v2.functional
    images = data(folder).evaluation_images
    found = images[torch.tensor([0, 5])]
    for image, path in zip(found, [sorted(folder.iterdir())[30 + k] for k in (0, 5)], strict=True):
        scaled = transforms.resize(Image.open(path).convert("RGB"), [16], antialias=True)
        assert torch.equal(image, transforms.pil_to_tensor(transforms.center_crop(scaled, [14, 14])))


def test_a_scoring_batch_reads_no_more_than_its_images(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two of each of three classes are six files; lazily, none until some are asked for, then each once."""
    from prunebench.training.images import reading as module

    opened: list[Path] = []
    real = module.open_image

    def spy(path: Path, channels: int) -> Image.Image:
        opened.append(path)
        return real(path, channels)

    monkeypatch.setattr(module, "open_image", spy)
    x, y = scoring_batch(data(folder), 1, per_class=2)
    assert y.tolist() == [0, 0, 1, 1, 2, 2]
    assert len(opened) == 6
    opened.clear()
    lazy, _ = scoring_batch(data(folder), 1, per_class=2, lazy=True)
    assert opened == []
    assert (len(lazy), lazy.shape) == (6, x.shape)
    assert opened == []
    assert torch.equal(lazy[torch.tensor([1, 4])], x[[1, 4]])
    assert torch.equal(lazy[:], x)
    assert torch.equal(lazy[-1], x[-1])
    assert torch.equal(lazy.to("cpu")[1:3], x[1:3])
    assert sorted(opened) == sorted(set(opened))
    assert len(opened) == 6


def test_a_held_out_part_is_taken_without_reading(folder: Path) -> None:
    """With split "val" a tenth of the training files is evaluated, nine tenths train."""
    held = data(folder, split="val")
    assert (len(held.images), len(held.evaluation_images)) == (27, 3)
    assert held.images.shape == (27, 3, 14, 14)


@pytest.mark.parametrize(
    ("loaders", "fault"),
    [(0, fault) for fault in ("half", "text", "gone", "wide")]
    + [pytest.param(2, fault, marks=pytest.mark.slow) for fault in ("text", "gone", "wide")]
    + [(2, "half")],
)
def test_a_file_that_holds_no_whole_image_is_named(
    folder: Path, tmp_path: Path, loaders: int, fault: str
) -> None:
    """Whichever process reads it, the error is one sentence with the file in it."""
    path = tmp_path / "bad.png"
    if fault == "half":
        Image.effect_noise((60, 60), 50).save(path)
        path.write_bytes(path.read_bytes()[:1000])
    elif fault == "text":
        path.write_text("no image")
    elif fault == "wide":
        Image.fromarray(np.full((20, 20), 40_000, dtype=np.uint16)).save(path)
    bad = ImageFiles([*sorted(folder.iterdir())[:11], path], torch.arange(12) % 3, SHAPE)
    good = files(folder, slice(30, 42))
    both = Data.prepare(
        (ImagesOnDisk(bad, loaders=loaders), bad.labels), (ImagesOnDisk(good), good.labels), MEAN, STD, 3
    )
    module = network()
    with pytest.raises(DataError, match=r"bad\.png .*cannot be (used|read)") as caught:
        train(module, State.of(module), RECIPE, both, seed=0, to_step=2)
    assert "Traceback" not in str(caught.value)


def test_reading_leaves_torchs_global_generator_alone(folder: Path) -> None:
    """Whoever draws from it afterwards draws what they would have drawn."""
    torch.manual_seed(3)
    expected = torch.rand(2)
    torch.manual_seed(3)
    make_batches(data(folder, 1), RECIPE, 5)(0)
    assert torch.equal(torch.rand(2), expected)


@pytest.mark.parametrize(("said", "expected"), [("0", 0), ("5", 5)])
def test_the_number_of_workers_can_be_said(monkeypatch: pytest.MonkeyPatch, said: str, expected: int) -> None:
    """PRUNEBENCH_LOADERS; otherwise a share of the cores, at least one."""
    monkeypatch.setenv("PRUNEBENCH_LOADERS", said)
    assert default_loaders() == expected
    monkeypatch.delenv("PRUNEBENCH_LOADERS")
    assert default_loaders() >= 1


def test_a_number_of_workers_that_is_none_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """With what was found."""
    monkeypatch.setenv("PRUNEBENCH_LOADERS", "many")
    with pytest.raises(UsageError, match="'many'"):
        default_loaders()


def test_shifts_of_streamed_images_are_those_of_held_ones(folder: Path) -> None:
    """Without patches among the augmentations the image is first made fit, then shifted and flipped."""
    recipe = Recipe(epochs=1, batch=30, lr=0.1, augment=("shift2", "flip"))
    streamed = data(folder)
    held = Data.prepare(
        (streamed.images[:], streamed.labels),
        (streamed.evaluation_images[:], streamed.evaluation_labels),
        MEAN,
        STD,
        3,
    )
    one: Callable[[int], Any] = make_batches(streamed, recipe, 4)
    assert torch.equal(one(0)[0], make_batches(held, recipe, 4)(0)[0])


def test_a_step_brings_its_images_to_the_device_and_nothing_else(folder: Path) -> None:
    """Its labels are there since the epoch began: a copy of them a step would wait for the GPU."""
    recipe = Recipe(epochs=1, batch=10, lr=0.1)
    batches = make_batches(data(folder).to("meta"), recipe, 4)
    batches(0)
    with OneDevice("meta") as seen:
        images, labels = batches(1)
    assert (images.device.type, labels.device.type, len(labels)) == ("meta", "meta", 10)
    assert sum(len(places) > 1 for places in seen.moved) == 1
    assert seen.waits == {}
