"""The scorers against what their formulas say: finite differences, an explicit Hessian, sums over paths."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from prunebench_plugins.scorers import force, grasp, snip, synflow
from shorthand import score_network
from torch import Tensor, nn
from torch.func import functional_call

from prunebench.errors import UsageError


def initialised(model: nn.Module) -> nn.Module:
    generator = torch.Generator().manual_seed(5)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator))
    return model.double()


def convolutional() -> nn.Module:
    return initialised(
        nn.Sequential(
            nn.Conv2d(1, 2, 2, bias=False), nn.BatchNorm2d(2), nn.Tanh(), nn.Flatten(), nn.Linear(8, 3)
        )
    )


def connected() -> nn.Module:
    return initialised(nn.Sequential(nn.Flatten(), nn.Linear(9, 4), nn.Tanh(), nn.Linear(4, 3)))


def make_batch(examples: int = 10) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(6)
    x = torch.randn(examples, 1, 3, 3, generator=generator, dtype=torch.float64)
    return x, torch.arange(examples) * 3 // examples


def scores_of(model: nn.Module, function: Any, batch: Any = None, **parameters: Any) -> dict[str, Tensor]:
    arguments: dict[str, Any] = {"mode": "train", "precision": "float64", "batch": batch}
    return score_network(model, function, parameters=parameters, **arguments)


def weights_of(model: nn.Module) -> dict[str, Tensor]:
    return {name: p.detach() for name, p in model.named_parameters() if p.dim() in (2, 4)}


def hessian_times_gradient(model: nn.Module, batch: Any, temperature: float) -> Tensor:
    """Return Hg of all weights as one vector, from the full Hessian."""
    weights = weights_of(model)

    def loss(vector: Tensor) -> Tensor:
        parts = vector.split([w.numel() for w in weights.values()])
        named = {n: part.reshape(weights[n].shape) for n, part in zip(weights, parts, strict=True)}
        return F.cross_entropy(functional_call(model, named, (batch[0],)) / temperature, batch[1])

    flat = torch.cat([w.reshape(-1) for w in weights.values()])
    gradient = torch.autograd.functional.jacobian(loss, flat)
    hessian = torch.autograd.functional.hessian(loss, flat)
    return hessian @ gradient


def flat(tensors: dict[str, Tensor]) -> Tensor:
    return torch.cat([tensor.reshape(-1) for tensor in tensors.values()])


def test_snip_is_the_derivative_by_the_connection() -> None:
    """SNIP is |∂L/∂c| where c multiplies a weight, BatchNorm in training mode: central differences."""
    model, batch = convolutional(), make_batch()
    scores = scores_of(model, snip.score, batch)
    model.train()
    step = 1e-6
    for name, parameter in model.named_parameters():
        if name not in scores:
            continue
        for place in itertools.product(*map(range, parameter.shape)):
            weight = float(parameter.detach()[place])
            losses = []
            for c in (1 + step, 1 - step):
                with torch.no_grad():
                    parameter[place] = weight * c
                    losses.append(float(F.cross_entropy(model(batch[0]), batch[1])))
                    parameter[place] = weight
            slope = abs(losses[0] - losses[1]) / (2 * step)
            assert float(scores[name][place]) == pytest.approx(slope, rel=1e-5, abs=1e-9)


@pytest.mark.parametrize("temperature", [1.0, 200.0])
@pytest.mark.parametrize("build", [connected, convolutional])
def test_grasp_is_w_times_hg(build: Any, temperature: float) -> None:
    """GraSP is w · Hg with the Hessian written out, over all weights together, BatchNorm in training mode."""
    model, batch = build(), make_batch()
    found = flat(scores_of(model, grasp.score, batch, temperature=temperature))
    expected = flat(weights_of(model)) * hessian_times_gradient(model.train(), batch, temperature)
    assert torch.allclose(found, expected, rtol=1e-9, atol=0)


@pytest.mark.parametrize("chunk", [1, 3, 4, 10, 99])
def test_grasp_in_chunks_is_grasp(chunk: int) -> None:
    """Without BatchNorm chunks of any size, equal or not, give the whole batch's scores."""
    model, batch = connected(), make_batch()
    found = flat(scores_of(model, grasp.score, batch, temperature=1.0, chunk=chunk))
    expected = flat(weights_of(model)) * hessian_times_gradient(model, batch, 1.0)
    assert torch.allclose(found, expected, rtol=1e-9, atol=1e-15)


def test_grasp_in_one_chunk_is_grasp_with_batchnorm() -> None:
    """A chunk as large as the batch sees the batch's statistics; smaller ones see their own."""
    model, batch = convolutional(), make_batch(12)
    whole = flat(scores_of(model, grasp.score, batch, temperature=1.0))
    assert torch.allclose(
        flat(scores_of(model, grasp.score, batch, temperature=1.0, chunk=12)), whole, rtol=1e-9, atol=1e-15
    )
    assert not torch.allclose(flat(scores_of(model, grasp.score, batch, temperature=1.0, chunk=3)), whole)


@pytest.mark.parametrize("chunk", [4, 5, 6])
def test_grasp_in_chunks_with_batchnorm_is_hg_of_the_chunks_losses_together(chunk: int) -> None:
    """Each chunk normalised by its own statistics, losses weighted by size: Hg of that sum, H written out."""
    model, (x, y) = convolutional(), make_batch(12)
    found = flat(scores_of(model, grasp.score, (x, y), temperature=1.0, chunk=chunk))
    order = torch.tensor([0, 4, 8, 1, 5, 9, 2, 6, 10, 3, 7, 11])  # labels are 0 0 0 0 1 1 1 1 2 2 2 2
    weights = weights_of(model.train())

    def loss(vector: Tensor) -> Tensor:
        parts = vector.split([w.numel() for w in weights.values()])
        named = {n: part.reshape(weights[n].shape) for n, part in zip(weights, parts, strict=True)}
        losses = [
            F.cross_entropy(functional_call(model, named, (x[part],)), y[part], reduction="sum")
            for part in order.split(chunk)
        ]
        return torch.stack(losses).sum() / 12

    vector = flat(weights)
    gradient = torch.autograd.functional.jacobian(loss, vector)
    expected = vector * (torch.autograd.functional.hessian(loss, vector) @ gradient)
    assert torch.allclose(found, expected, rtol=1e-9, atol=1e-15)


@pytest.mark.parametrize("temperature", [1.0, 3.0])
def test_a_linear_layer_with_squared_error_has_a_closed_form(temperature: float) -> None:
    """With L = |WX/T − Y|²/2n: g = (WX/T − Y)Xᵀ/nT and Hg = gXXᵀ/nT²; SNIP is |W·g|, GraSP W·Hg."""
    torch.manual_seed(2)
    model = nn.Linear(5, 3, bias=False).double()
    x, y = torch.randn(7, 5, dtype=torch.float64), torch.randn(7, 3, dtype=torch.float64)

    def loss(outputs: Tensor, targets: Tensor) -> Tensor:
        return ((outputs - targets) ** 2).sum() / (2 * len(targets))

    arguments: dict[str, Any] = {"precision": "float64", "mode": "train", "batch": (x, y), "loss": loss}
    weight = model.weight.detach()
    gradient = (weight @ x.t() / temperature - y.t()) @ x / (7 * temperature)
    grasped = score_network(model, grasp.score, parameters={"temperature": temperature}, **arguments)
    expected = weight * (gradient @ x.t() @ x) / (7 * temperature**2)
    assert torch.allclose(grasped["weight"], expected, rtol=1e-12, atol=0)
    if temperature == 1.0:
        for function in (snip.score, force.score):
            found = score_network(model, function, **arguments)["weight"]
            assert torch.allclose(found, (weight * gradient).abs(), rtol=1e-12, atol=0)


def test_synflow_of_a_linear_network_has_a_closed_form() -> None:
    """Of |W₃||W₂||W₁|1: the score of a weight is |w| times what flows into it and what flows on from it."""
    model = initialised(nn.Sequential(*(nn.Linear(a, b, bias=False) for a, b in ((4, 6), (6, 5), (5, 3)))))
    one, two, three = (w.abs() for w in weights_of(model).values())
    into = [torch.ones(4), one @ torch.ones(4).double(), two @ one @ torch.ones(4).double()]
    on = [(three @ two).sum(0), three.sum(0), torch.ones(3)]
    for score, w, before, after in zip(
        synflow_of(model, (4,)).values(), (one, two, three), into, on, strict=True
    ):
        assert torch.allclose(score, w * after.double()[:, None] * before.double(), rtol=1e-12, atol=0)


def test_grasp_takes_the_classes_in_turn() -> None:
    """Chunks of a batch that is sorted by class hold all classes alike, whatever order the batch has."""
    x, y = make_batch(12)
    seen: list[list[int]] = []

    def loss(outputs: Tensor, targets: Tensor) -> Tensor:
        seen.append(sorted(targets.tolist()))
        return F.cross_entropy(outputs, targets)

    order = torch.randperm(12, generator=torch.Generator().manual_seed(0))
    arguments: dict[str, Any] = {
        "precision": "float64",
        "mode": "train",
        "parameters": {"chunk": 6},
        "reduction": "mean",
    }
    sorted_ = score_network(connected(), grasp.score, batch=(x, y), loss=loss, **arguments)
    assert seen == [[0, 0, 1, 1, 2, 2]] * 4  # two chunks, twice
    mixed = score_network(connected(), grasp.score, batch=(x[order], y[order]), loss=loss, **arguments)
    assert torch.allclose(flat(sorted_), flat(mixed), rtol=1e-9, atol=1e-18)


class OneByOne:
    """Examples that are made when asked for: what a scorer may do with a batch that does not fit in memory."""

    def __init__(self, x: Tensor) -> None:
        self._x = x
        self.shape = x.shape
        self.asked: list[int] = []

    def __len__(self) -> int:
        return len(self._x)

    def __getitem__(self, part: Any) -> Tensor:
        found = self._x[part]
        self.asked.append(len(found))
        return found


@pytest.mark.parametrize("function", [snip.score, force.score])
@pytest.mark.parametrize("chunk", [1, 3, 5, 10, 99])
def test_snip_and_force_in_chunks_are_the_whole_batchs(function: Any, chunk: int) -> None:
    """Without BatchNorm chunks of any size, equal or not, give the whole batch's scores, to rounding."""
    model, batch = connected(), make_batch()
    found = flat(scores_of(model, function, batch, chunk=chunk))
    assert torch.allclose(found, flat(scores_of(model, function, batch)), rtol=1e-12, atol=1e-15)


def test_snip_in_chunks_with_batchnorm_sees_the_chunks() -> None:
    """With BatchNorm the scores are the weighted sum of gradients of chunks that take the classes in turn."""
    model, (x, y) = convolutional(), make_batch(12)
    chunked = flat(scores_of(model, snip.score, (x, y), chunk=6))
    model.train()
    total = [torch.zeros_like(w) for w in weights_of(model).values()]
    for part in ([0, 4, 8, 1, 5, 9], [2, 6, 10, 3, 7, 11]):  # labels are 0 0 0 0 1 1 1 1 2 2 2 2
        model.zero_grad()
        (F.cross_entropy(model(x[part]), y[part]) / 2).backward()
        for sum_, parameter in zip(total, (p for p in model.parameters() if p.dim() in (2, 4)), strict=True):
            sum_ += parameter.grad
    expected = torch.cat(
        [(w * g).abs().flatten() for w, g in zip(weights_of(model).values(), total, strict=True)]
    )
    assert torch.allclose(chunked, expected, rtol=1e-12)
    assert not torch.allclose(chunked, flat(scores_of(model, snip.score, (x, y))))


@pytest.mark.parametrize("function", [snip.score, grasp.score, force.score])
def test_chunks_ask_for_so_many_examples_at_a_time(function: Any) -> None:
    """With a chunk the examples are asked for by number, never all at once, and the scores are the same."""
    model, (x, y) = connected(), make_batch()
    lazy = OneByOne(x)
    found = flat(scores_of(model, function, (lazy, y), chunk=4))
    assert torch.equal(found, flat(scores_of(model, function, (x, y), chunk=4)))
    assert set(lazy.asked) == {4, 2}


@pytest.mark.parametrize("function", [snip.score, force.score])
@pytest.mark.parametrize("chunk", [0, -1, 2.5, True, "all"])
def test_snip_and_force_refuse_chunks(function: Any, chunk: Any) -> None:
    """A chunk is a positive whole number of examples."""
    with pytest.raises(UsageError, match=r"(snip|force): chunk must be positive"):
        scores_of(connected(), function, make_batch(), chunk=chunk)


@pytest.mark.parametrize("parameters", [{"temperature": 0.0}, {"chunk": 0}])
def test_grasp_refuses_parameters(parameters: dict[str, Any]) -> None:
    """A temperature or chunk that is not positive is refused."""
    with pytest.raises(UsageError, match="must be positive"):
        scores_of(connected(), grasp.score, make_batch(), **parameters)


def synflow_of(model: nn.Module, shape: tuple[int, ...]) -> dict[str, Tensor]:
    return score_network(model, synflow.score, precision="float64", input_shape=shape)


def test_synflow_is_the_sum_over_paths() -> None:
    """In a bias-free MLP a score is the sum, over the paths through a weight, of products of magnitudes."""
    sizes = (3, 4, 2, 3)
    layers = [nn.Linear(a, b, bias=False) for a, b in itertools.pairwise(sizes)]
    model = initialised(nn.Sequential(layers[0], nn.ReLU(), layers[1], nn.ReLU(), layers[2]))
    scores = list(synflow_of(model, (3,)).values())
    expected = [torch.zeros_like(score) for score in scores]
    for path in itertools.product(*map(range, sizes)):
        product = 1.0
        for layer, (start, end) in zip(layers, itertools.pairwise(path), strict=True):
            product *= abs(float(layer.weight.detach()[end, start]))
        for total, (start, end) in zip(expected, itertools.pairwise(path), strict=True):
            total[end, start] += product
    for score, total in zip(scores, expected, strict=True):
        assert torch.allclose(score, total, rtol=1e-12, atol=0)


@pytest.mark.parametrize("seed", [0, 1])
def test_synflow_conserves_the_path_norm(seed: int) -> None:
    """In a positive network without biases every layer's scores sum to R, residual branches together."""

    class Residual(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.stem = nn.Conv2d(2, 3, 3, padding=1, bias=False)
            self.body = nn.Conv2d(3, 5, 3, padding=1, bias=False)
            self.shortcut = nn.Conv2d(3, 5, 1, bias=False)
            self.head = nn.Linear(5, 4, bias=False)

        def forward(self, x: Tensor) -> Tensor:
            x = torch.relu(self.stem(x))
            return self.head(torch.relu(self.body(x) + self.shortcut(x)).mean((2, 3)))

    torch.manual_seed(seed)
    model = Residual().double()
    sums = {name: float(score.sum()) for name, score in synflow_of(model, (2, 6, 6)).items()}
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.abs_()
        norm = float(model(torch.ones(1, 2, 6, 6, dtype=torch.float64)).sum())
    assert sums["stem.weight"] == pytest.approx(norm, rel=1e-12)
    assert sums["body.weight"] + sums["shortcut.weight"] == pytest.approx(norm, rel=1e-12)
    assert sums["head.weight"] == pytest.approx(norm, rel=1e-12)


def test_synflow_takes_absolute_statistics_in_evaluation_mode() -> None:
    """BatchNorm is γ' · (x − |µ|) / √(σ² + ε) + β' with absolute γ', β': the authors' variant, by hand."""
    model = nn.Sequential(nn.Linear(1, 1, bias=False), nn.BatchNorm1d(1), nn.Linear(1, 1)).double()
    with torch.no_grad():
        for parameter, value in zip(model.parameters(), (-2.0, -3.0, -0.5, -5.0, -0.25), strict=True):
            parameter.fill_(value)
        model[1].running_mean.fill_(-0.75)
        model[1].running_var.fill_(4.0)
    scale = 3.0 / (4.0 + model[1].eps) ** 0.5
    scores = synflow_of(model, (1,))
    assert scores["0.weight"].item() == pytest.approx(2.0 * scale * 5.0)
    assert scores["2.weight"].item() == pytest.approx(5.0 * ((2.0 - 0.75) * scale + 0.5))


def test_synflow_survives_where_float32_overflows() -> None:
    """Forty wide layers multiply to more than float32 holds; the scores are finite and not zero."""
    layers: list[nn.Module] = []
    for _ in range(40):
        layers += [nn.Linear(64, 64, bias=False), nn.ReLU()]
    model = initialised(nn.Sequential(*layers)).float()
    scores = synflow_of(model, (64,))
    assert min(float(score.min()) for score in scores.values()) > 0
    assert max(float(score.max()) for score in scores.values()) > 3.5e38
