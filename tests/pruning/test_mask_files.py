"""Masks as files and as objects that travel."""

from __future__ import annotations

import copy
import os
import pickle
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch
from safetensors import safe_open
from torch import nn

from prunebench import Mask
from prunebench.errors import UsageError


def make_mask() -> Mask:
    generator = torch.Generator().manual_seed(0)
    shapes = {"z.weight": (3, 5), "a.weight": (2, 2, 3, 3), "m.weight": (0, 4)}
    return Mask({name: torch.rand(shape, generator=generator) < 0.5 for name, shape in shapes.items()})


@pytest.mark.parametrize("name", ["mask.safetensors", "mask", "Maske für später.bin"])
def test_what_is_saved_is_loaded(tmp_path: Path, name: str) -> None:
    """Names, their order, shapes and bits come back; there is one file, with the usual rights."""
    mask = make_mask()
    mask.save(tmp_path / name)
    found = Mask.load(str(tmp_path / name))
    assert found == mask
    assert list(found) == list(mask)
    assert os.listdir(tmp_path) == [name]
    (tmp_path / "other").write_bytes(b"")
    assert stat.S_IMODE(os.stat(tmp_path / name).st_mode) == stat.S_IMODE(os.stat(tmp_path / "other").st_mode)


def test_other_programs_read_it(tmp_path: Path) -> None:
    """The safetensors library alone finds a bool tensor under each weight's name."""
    mask = make_mask()
    mask.save(tmp_path / "mask")
    found = safetensors.torch.load_file(tmp_path / "mask")
    assert found.keys() == mask.keys()
    assert all(torch.equal(found[name], mask[name]) for name in mask)
    assert {tensor.dtype for tensor in found.values()} == {torch.bool}
    with safe_open(tmp_path / "mask", framework="pt") as file:
        assert list(file.metadata()) == ["prunebench-mask"]


def test_other_programs_write_it(tmp_path: Path) -> None:
    """Any safetensors file of bool tensors is a mask."""
    safetensors.torch.save_file(dict(make_mask()), tmp_path / "mask")
    assert Mask.load(tmp_path / "mask") == make_mask()


def test_a_loaded_mask_prunes(tmp_path: Path) -> None:
    """It can be applied like the one that was saved."""
    net = nn.Linear(4, 3)
    mask = Mask({"weight": torch.arange(12).reshape(3, 4) % 2 == 0})
    mask.save(tmp_path / "mask")
    Mask.load(tmp_path / "mask").apply(net)
    assert torch.equal(net.weight != 0, mask["weight"])


def cut(data: bytes) -> bytes:
    return data[:-3]


def empty(data: bytes) -> bytes:
    return b""


def flipped(data: bytes) -> bytes:
    return data[:-2] + bytes([data[-2] ^ 1]) + data[-1:]


def no_truth(data: bytes) -> bytes:
    return data[:-1] + b"\x07"


def of_another_layer(data: bytes) -> bytes:
    return data.replace(b'"z.weight":{', b'"y.weight":{')


def garbled(data: bytes) -> bytes:
    return data.replace(b'\\"version\\"', b'\\"verso n\\"')


def of_tomorrow(data: bytes) -> bytes:
    return data.replace(b'\\"version\\": 1', b'\\"version\\": 9')


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (cut, "is no safetensors file, or is damaged"),
        (empty, "is no safetensors file, or is damaged"),
        (flipped, "is damaged: its contents are not those that were written"),
        (no_truth, "is damaged: not all of its entries are true or false"),
        (of_another_layer, "is damaged: its contents are not those that were written"),
        (garbled, "is damaged: its metadata cannot be read"),
        (of_tomorrow, "is a mask of version 9; this prunebench reads up to 1"),
    ],
)
def test_damaged_files_are_refused(tmp_path: Path, damage: Callable[[bytes], bytes], message: str) -> None:
    """A file that is cut, altered, or of a later version is told as such, with its path."""
    path = tmp_path / "mask"
    make_mask().save(path)
    data = path.read_bytes()
    assert damage(data) != data
    path.write_bytes(damage(data))
    with pytest.raises(UsageError, match=message) as error:
        Mask.load(path)
    assert str(path) in str(error.value)


def test_files_that_are_no_mask(tmp_path: Path) -> None:
    """Weights, files of torch.save, folders and missing files are told apart."""
    safetensors.torch.save_file({"w": torch.ones(2), "m": torch.ones(2).bool()}, tmp_path / "weights")
    with pytest.raises(UsageError, match=r"holds no mask: 'w' is F32, .* \(1 of 2 tensors are others\)"):
        Mask.load(tmp_path / "weights")
    safetensors.torch.save_file({}, tmp_path / "none")
    with pytest.raises(UsageError, match="holds no mask: it has no tensors"):
        Mask.load(tmp_path / "none")
    torch.save(make_mask(), tmp_path / "mask.pt")
    with pytest.raises(UsageError, match=r"what torch\.save has written is read by torch\.load"):
        Mask.load(tmp_path / "mask.pt")
    with pytest.raises(UsageError, match="No such file"):
        Mask.load(tmp_path / "missing")
    with pytest.raises(UsageError, match="directory"):
        Mask.load(tmp_path)


def test_what_cannot_be_written_changes_nothing(tmp_path: Path) -> None:
    """A folder that is not there, or in the file's place, is an error; nothing is left behind."""
    (tmp_path / "folder").mkdir()
    for where in ("no/mask", "folder"):
        with pytest.raises(UsageError, match="the mask cannot be written to"):
            make_mask().save(tmp_path / where)
    assert os.listdir(tmp_path) == ["folder"]


@pytest.mark.parametrize("protocol", range(2, pickle.HIGHEST_PROTOCOL + 1))
def test_masks_are_pickled_and_copied(protocol: int) -> None:
    """What comes out is a mask of its own, equal to the first."""
    mask = make_mask()
    for found in (pickle.loads(pickle.dumps(mask, protocol)), copy.copy(mask), copy.deepcopy(mask)):
        assert type(found) is Mask
        assert found == mask
        assert list(found) == list(mask)
        assert (found.kept, found.prunable) == (mask.kept, mask.prunable)
        assert found["z.weight"].data_ptr() != mask["z.weight"].data_ptr()


def test_torch_load_reads_what_torch_save_wrote(tmp_path: Path) -> None:
    """With torch's default, which runs no code of the file's: alone and in a checkpoint."""
    mask = make_mask()
    torch.save({"mask": mask, "epoch": 3}, tmp_path / "checkpoint.pt")
    found: Any = torch.load(tmp_path / "checkpoint.pt", weights_only=True)
    assert found["mask"] == mask
    assert type(found["mask"]) is Mask


def test_torch_load_in_another_process(tmp_path: Path) -> None:
    """A script that imports torch and prunebench reads it, whether or not it uses anything of prunebench."""
    torch.save(make_mask(), tmp_path / "mask.pt")
    script = f"import torch, prunebench; print(torch.load({str(tmp_path / 'mask.pt')!r}).kept)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert int(done.stdout) == make_mask().kept


def test_masks_that_were_pickled_before(tmp_path: Path) -> None:
    """A mask that was saved by its slots, as earlier versions did, is loaded too."""

    class Before:
        def __reduce__(self) -> Any:
            mask = make_mask()
            state = {"_tensors": mask._tensors, "_kept": mask._kept}
            return _new, (Mask,), (None, state)

    torch.save(Before(), tmp_path / "mask.pt")
    with torch.serialization.safe_globals([_new]):
        assert torch.load(tmp_path / "mask.pt") == make_mask()


def _new(kind: type[Mask]) -> Mask:
    return kind.__new__(kind)
