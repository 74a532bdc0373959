"""prunebench.prune: what users call without the harness."""

from __future__ import annotations

import random
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from prunebench_plugins.scorers import snip
from somebodys import PRUNABLE, make_batch, make_model
from torch import Tensor, nn

import prunebench
import prunebench.pruning.prune
from prunebench.errors import ComponentError, UsageError
from prunebench.host.form import ScorerCall

METHODS = ["random", "magnitude", "snip", "grasp", "synflow", "iterative-snip", "grasp-inverted", "force"]


def state_of(model: nn.Module) -> dict[str, Any]:
    return {
        "tensors": [tensor.clone() for tensor in model.state_dict().values()],
        "gradients": [None if p.grad is None else p.grad.clone() for p in model.parameters()],
        "flags": [p.requires_grad for p in model.parameters()],
        "modes": [module.training for module in model.modules()],
        "torch": torch.get_rng_state(),
        "numpy": np.random.get_state()[1].tolist(),  # type: ignore[index, union-attr]
        "python": random.getstate(),
    }


def same(one: Any, other: Any) -> bool:
    if isinstance(one, Mapping):
        return all(same(one[key], other[key]) for key in one)
    if isinstance(one, list):
        return len(one) == len(other) and all(map(same, one, other))
    return torch.equal(one, other) if isinstance(one, Tensor) else bool(one == other)


@pytest.mark.parametrize("method", METHODS)
def test_any_module_every_method(method: str) -> None:
    """Every method that prunes the network at hand prunes a plain module to the exact count."""
    model = make_model()
    mask = prunebench.prune(model, method, density=0.3, batch=make_batch(), seed=0)
    assert list(mask) == ["conv.weight", "one.weight", "head.weight"]
    assert (mask.kept, mask.prunable) == (round(0.3 * PRUNABLE), PRUNABLE)
    mask.apply(model)
    assert sum(int(model.get_parameter(name).count_nonzero()) for name in mask) == mask.kept
    assert model.two.weight is model.one.weight


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("training", [True, False])
def test_the_model_is_untouched(method: str, training: bool) -> None:
    """Weights, BatchNorm statistics, gradients, flags, modes and the global random state stay."""
    model = make_model().train(training)
    model.bn.train(not training)
    model.conv.weight.requires_grad_(False)
    model.head.weight.grad = torch.ones_like(model.head.weight)
    before = state_of(model)
    mask = prunebench.prune(model, method, density=0.3, batch=make_batch())
    assert same(before, state_of(model))
    frozen = make_model().requires_grad_(False)
    assert prunebench.prune(frozen, method, density=0.3, batch=make_batch()) == mask


def test_the_model_is_untouched_after_an_error() -> None:
    """Also when the scorer fails half-way, everything is as it was."""

    def failing(net: Any, batch: Any, rng: Any) -> Any:
        net.loss(batch).backward()
        net.module.requires_grad_(False).zero_grad()
        torch.manual_seed(3)
        raise RuntimeError("half-way")

    model = make_model()
    before = state_of(model)
    with pytest.raises(ComponentError, match="scorer 'failing' failed: RuntimeError: half-way"):
        prunebench.prune(model, failing, density=0.3, batch=make_batch())
    assert same(before, state_of(model))


@pytest.mark.parametrize("method", METHODS)
def test_the_seed_decides(method: str) -> None:
    """The same seed gives the same mask, whatever the global random state; random draws differ by seed."""
    torch.manual_seed(1)
    one = prunebench.prune(make_model(), method, density=0.3, batch=make_batch(), seed=7)
    torch.manual_seed(2)
    assert prunebench.prune(make_model(), method, density=0.3, batch=make_batch(), seed=7) == one


def test_sparsity_is_one_less_density() -> None:
    """Sparsity is the share removed; decimals come out as decimals."""
    model = make_model()
    assert prunebench.prune(model, "magnitude", sparsity=0.9) == prunebench.prune(
        model, "magnitude", density=0.1
    )
    assert prunebench.prune(model, "magnitude", sparsity=0.0).kept == PRUNABLE
    assert prunebench.prune(model, "magnitude", density="0.5").kept == PRUNABLE // 2


def test_exceptions_are_left_dense_and_uncounted() -> None:
    """What is excepted is in no mask and in no density."""
    mask = prunebench.prune(make_model(), "magnitude", density=0.5, except_=["head", "conv.weight"])
    assert list(mask) == ["one.weight"]
    assert mask.kept == 18
    assert list(prunebench.score(make_model(), "magnitude", except_="head")) == ["conv.weight", "one.weight"]


def test_transformers_with_their_own_loss() -> None:
    """A network with other inputs and outputs is pruned with the user's loss."""
    model = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
    x = torch.randn(4, 5, 8, generator=torch.Generator().manual_seed(0))

    def loss(outputs: Tensor, targets: Tensor) -> Tensor:
        return ((outputs - targets) ** 2).mean()

    for method in ("snip", "grasp"):
        how = {"batch": (x, x.flip(1)), "loss": loss, "except_": ["self_attn.in_proj_weight"]}
        mask = prunebench.prune(model, method, density=0.2, **how)  # type: ignore[arg-type]
        assert mask.kept == round(0.2 * mask.prunable)


def test_synflow_needs_an_input_shape() -> None:
    """SynFlow's input comes from input_shape, or from a batch; without either it is asked for."""
    with pytest.raises(UsageError, match=r"input_shape=\(channels, height, width\)"):
        prunebench.prune(make_model(), "synflow", density=0.1)
    with pytest.raises(UsageError, match="input_shape must be"):
        prunebench.prune(make_model(), "synflow", density=0.1, input_shape=6)  # type: ignore[arg-type]
    shaped = prunebench.prune(make_model(), "synflow", density=0.1, input_shape=(2, 6, 6))
    assert shaped == prunebench.prune(make_model(), "synflow", density=0.1, batch=make_batch())


def test_shuffled() -> None:
    """A form that shuffles keeps each layer's count and another mask."""
    form = prunebench.Form.model_validate({"scorer": "magnitude", "alter": ["shuffle"]})
    plain = prunebench.prune(make_model(), "magnitude", density=0.3)
    shuffled = prunebench.prune(make_model(), form, density=0.3)
    assert shuffled.layers() == plain.layers()
    assert shuffled != plain
    assert shuffled != prunebench.prune(make_model(), form, density=0.3, seed=1)


def test_forms_with_allocations() -> None:
    """Uniform keeps each layer's share; like keeps another method's counts, or those of a changed form."""
    model, batch = make_model(), make_batch()

    def counts(form: dict[str, Any]) -> list[int]:
        mask = prunebench.prune(model, prunebench.Form.model_validate(form), density=0.5, batch=batch)
        return [layer["kept"] for layer in mask.layers()]

    assert counts({"scorer": "magnitude", "allocation": "uniform"}) == [54, 18, 9]
    assert counts({"scorer": "random", "allocation": {"like": "snip"}}) == counts({"scorer": "snip"})
    like = {"scorer": "random", "allocation": {"like": {"scorer": "snip", "keep": "low"}}}
    assert counts(like) == counts({"scorer": "snip", "keep": "low"})


@pytest.mark.parametrize("parameters", [{}, {"chunk": None}])
def test_one_scorer_for_all_weights_is_asked_once_a_round(
    parameters: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where removed weights are scored as the others are, also if a default is written out for them."""
    asked, run = [], prunebench.pruning.prune.run_scorer

    def counted(net: Any, scoring: Any, rng: Any) -> Any:
        asked.append(scoring.who)
        return run(net, scoring, rng)

    monkeypatch.setattr(prunebench.pruning.prune, "run_scorer", counted)
    call = {"name": "force", "parameters": parameters}
    form = prunebench.Form.model_validate(
        {"scorer": "force", "schedule": {"rounds": 6}, "regrowth": {"scorer": call}}
    )
    prunebench.prune(make_model(), form, density=0.1, batch=make_batch())
    assert asked == ["scorer 'force'"] * 6


def test_convolutions_only() -> None:
    """A form that prunes convolutions counts them alone."""
    form = prunebench.Form.model_validate({"scorer": "magnitude", "prunable": "convolutions"})
    assert list(prunebench.prune(make_model(), form, density=0.5)) == ["conv.weight"]


def test_own_scorer_as_function_and_component() -> None:
    """A scoring function or a Scorer of one's own is used as it is."""

    def negative(net: Any, batch: Any, rng: Any) -> dict[str, Tensor]:
        return {name: -weight.abs() for name, weight in net.weights.items()}

    form = prunebench.Form.model_validate({"scorer": "magnitude", "keep": "low"})
    expected = prunebench.prune(make_model(), form, density=0.5)
    assert prunebench.prune(make_model(), negative, density=0.5) == expected
    assert prunebench.prune(make_model(), prunebench.Scorer("mine", negative), density=0.5) == expected
    assert prunebench.score(make_model(), negative)["head.weight"].max() <= 0


def test_parameters_of_a_scorer() -> None:
    """A ScorerCall gives a scorer's parameters: without temperature GraSP scores other numbers."""
    call = ScorerCall(name="grasp", parameters={"temperature": 1.0})
    sharp = prunebench.score(make_model(), call, batch=make_batch())
    soft = prunebench.score(make_model(), "grasp", batch=make_batch())
    assert not torch.allclose(sharp["conv.weight"] / 200**2, soft["conv.weight"])


def test_plugin_file(tmp_path: Path) -> None:
    """A plugin file's scorer is a method by its name."""
    plugin = tmp_path / "mine.py"
    plugin.write_text(
        "import prunebench\n"
        "def score(net, batch, rng):\n"
        "    return {name: -w.detach().abs() for name, w in net.weights.items()}\n"
        "@prunebench.hookimpl\n"
        "def prunebench_scorers():\n"
        "    return [prunebench.Scorer('smallest', score)]\n"
    )
    mask = prunebench.prune(make_model(), "smallest", density=0.5, plugins=[plugin])
    form = prunebench.Form.model_validate({"scorer": "magnitude", "keep": "low"})
    assert mask == prunebench.prune(make_model(), form, density=0.5)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_other_precisions(dtype: torch.dtype) -> None:
    """A model in another precision is scored in the scorer's, by its own values, and keeps its own."""
    model = make_model().to(dtype)
    mask = prunebench.prune(model, "snip", density=0.3, batch=make_batch(dtype))
    assert mask == prunebench.prune(
        make_model().to(dtype).float(), "snip", density=0.3, batch=make_batch(dtype)
    )
    mask.apply(model)
    assert model.conv.weight.dtype == dtype


class MadeWhenWanted:
    """Examples with a length, a shape and indexing, and nothing else of a tensor's."""

    def __init__(self, x: Tensor) -> None:
        self._x = x
        self.shape = x.shape

    def __len__(self) -> int:
        return len(self._x)

    def __getitem__(self, part: Tensor) -> Tensor:
        return self._x[part]


def whole(net: Any, batch: Any, rng: Any) -> Any:
    """A scorer that knows no chunks."""
    raise AssertionError("it is not asked")


@pytest.mark.parametrize("scorer", ["snip", "grasp", "force"])
def test_examples_that_are_made_when_wanted(scorer: str) -> None:
    """In chunks, x may be something that makes its examples; without, the error says how to have chunks."""
    x, y = make_batch()
    lazy = MadeWhenWanted(x)
    call = ScorerCall(name=scorer, parameters={"chunk": 4})
    found = prunebench.score(make_model(), call, batch=(lazy, y))
    assert same(found, prunebench.score(make_model(), call, batch=(x, y)))
    with pytest.raises(UsageError, match=rf'"{scorer}", parameters={{"chunk": 100}}'):
        prunebench.score(make_model(), scorer, batch=(lazy, y))
    with pytest.raises(UsageError, match="scorer 'whole' wants a torch tensor"):
        prunebench.score(make_model(), prunebench.Scorer("whole", whole, needs="batch"), batch=(lazy, y))
    own = prunebench.Scorer("own", snip.score, needs="batch", mode="train", examples="lazy")
    with pytest.raises(UsageError, match="for scorer 'own' say how many at a time"):
        prunebench.score(make_model(), own, batch=(lazy, y))
    assert prunebench.score(make_model(), "synflow", batch=(lazy, y)).keys() == found.keys()


def test_force_brings_weights_back_and_its_scorers_must_agree() -> None:
    """A form with regrowth prunes by it; scorers in other modes or without data are refused in words."""
    rounds = {"scorer": "force", "schedule": {"rounds": 8}}
    with_, without = (
        prunebench.prune(
            make_model(),
            prunebench.Form.model_validate({**rounds, **more}),
            density=0.05,
            batch=make_batch(),
        )
        for more in ({"regrowth": {"scorer": "force"}}, {})
    )
    assert with_.kept == without.kept
    assert with_ != without
    x, y = make_batch()
    chunked = {**rounds, "scorer": {"name": "force", "chunk": 4}, "regrowth": {"scorer": "force"}}
    # the chunk is for both: else the examples would be wanted all at once
    prunebench.prune(
        make_model(), prunebench.Form.model_validate(chunked), density=0.05, batch=(MadeWhenWanted(x), y)
    )
    for scorer, regrowth, message in (
        ("force", "synflow", "'synflow' works in eval mode and float64, 'force' in train mode"),
        ("force", "fore", "did you mean 'force'"),
        ("force", {"name": "force", "chnk": 1}, "did you mean 'chunk'"),
    ):
        form = prunebench.Form.model_validate(
            {"scorer": scorer, "schedule": {"rounds": 8}, "regrowth": {"scorer": regrowth}}
        )
        with pytest.raises(UsageError, match=message):
            prunebench.prune(make_model(), form, density=0.5, batch=make_batch())


@pytest.mark.skipif(not torch.cuda.is_available(), reason="wants a GPU")
@pytest.mark.parametrize("method", METHODS)
def test_on_a_gpu(method: str) -> None:
    """A model on a GPU is scored there; the mask comes to the CPU, the generators stay as they were."""
    model = make_model().cuda()
    before, cuda = state_of(model), torch.cuda.get_rng_state()
    mask = prunebench.prune(model, method, density=0.3, batch=make_batch())
    assert same(before, state_of(model))
    assert torch.equal(cuda, torch.cuda.get_rng_state())
    assert mask.kept == round(0.3 * PRUNABLE)
    assert all(tensor.device.type == "cpu" for tensor in mask.values())
    mask.apply(model)
    on_cpu = prunebench.prune(make_model(), method, density=0.3, batch=make_batch())
    both = sum(int((mask[name] & on_cpu[name]).sum()) for name in mask)
    assert both >= 0.95 * mask.kept
