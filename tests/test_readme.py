"""What the README says about using a mask, and its examples, hold."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import torch
from torch import nn

import prunebench

README = (Path(__file__).parent.parent / "README.md").read_text("utf-8")


def network() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 3))


OPTIMIZERS = {
    "sgd": lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9, nesterov=True, weight_decay=1e-4),
    "adam": lambda p: torch.optim.Adam(p, lr=0.01),
    "adamw": lambda p: torch.optim.AdamW(p, lr=0.01),
}


@pytest.mark.parametrize("name", OPTIMIZERS)
@pytest.mark.parametrize("how", ["gradients", "weights"])
def test_a_masked_network_stays_masked_where_the_mask_is_applied_after_every_step(
    name: str, how: str
) -> None:
    """Masked gradients are not enough: the optimizer's state was gathered before, and moves the weights."""
    model = network()
    optimizer = OPTIMIZERS[name](model.parameters())
    x, y = torch.randn(32, 6), torch.arange(32) % 3
    mask: prunebench.Mask | None = None
    for step in range(12):
        if step == 6:
            mask = prunebench.prune(model, "snip", density=0.5, batch=(x, y))
            mask.apply(model)
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(x), y).backward()
        if mask is not None and how == "gradients":
            for key, tensor in mask.items():
                weight = model.get_parameter(key)
                assert weight.grad is not None
                weight.grad *= tensor
        optimizer.step()
        if mask is not None and how == "weights":
            mask.apply(model)
    assert mask is not None
    alive = sum(int(model.get_parameter(key).count_nonzero()) for key in mask)
    assert alive == mask.kept if how == "weights" else alive > mask.kept


def test_the_example_without_the_harness_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As it stands in the README, for a network and a batch."""
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    example = next(block for block in blocks if "prunebench.prune(" in block)
    loop = next(block for block in blocks if "optimizer.step()" in block)
    model = nn.Sequential(nn.Flatten(), nn.Linear(3 * 32 * 32, 4))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    x, y = torch.randn(8, 3, 32, 32), torch.arange(8) % 4
    names = {"model": model, "x": x, "y": y, "optimizer": optimizer}
    exec(example, names)
    nn.functional.cross_entropy(model(x), y).backward()
    exec(loop, names)
    assert int(model[1].weight.count_nonzero()) == names["mask"].kept == round(0.1 * 3 * 32 * 32 * 4)
    assert prunebench.Mask.load(tmp_path / "mask.safetensors") == names["mask"]
    assert all((names["mask"][key] >= kept).all() for key, kept in names["further"].items())


def test_the_scorer_of_the_readme_is_a_sound_component(tmp_path: Path) -> None:
    """The file as it stands there, loaded as `--plugin` loads it."""
    from prunebench.host import Host
    from prunebench.testing import check_component

    blocks = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    (tmp_path / "mine.py").write_text(next(block for block in blocks if "# mine.py" in block), "utf-8")
    host = Host.load(plugins=[tmp_path / "mine.py"], third_party=False)
    check_component(host.get("scorer", "weight-times-gradient"))


def test_the_door_to_torchvision_is_named() -> None:
    """And is there."""
    assert "from prunebench.vision import torchvision" in README
    from prunebench.vision import torchvision

    assert hasattr(torchvision.transforms, "v2")
