"""Second derivatives through attention, which torch's fast kernels lack, while a network is scored."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from prunebench_plugins.scorers import grasp
from shorthand import score_network
from torch import Tensor, nn
from torch.func import functional_call

import prunebench
from prunebench.errors import ComponentError
from prunebench.host.form import ScorerCall


class Attention(nn.Module):
    """One head, by torch's fused function or written out."""

    def __init__(self, fused: bool = True, causal: bool = False) -> None:
        super().__init__()
        self.qkv, self.out = nn.Linear(8, 24), nn.Linear(8, 3)
        self.fused, self.causal = fused, causal

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = self.qkv(x).unsqueeze(1).chunk(3, -1)
        if self.fused:
            mixed = F.scaled_dot_product_attention(q, k, v, is_causal=self.causal)
        else:
            logits = q @ k.transpose(-1, -2) / 8**0.5
            if self.causal:
                logits = logits.masked_fill(torch.ones(logits.shape[-2:]).triu(1) > 0, -torch.inf)
            mixed = logits.softmax(-1) @ v
        return self.out(mixed.squeeze(1).mean(1))


def made(build: Callable[..., nn.Module], **how: Any) -> nn.Module:
    torch.manual_seed(0)
    return build(**how)


def encoder(layers: int = 2, first: bool = True) -> nn.Module:
    layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True, norm_first=first, dropout=0.0)
    return nn.Sequential(
        nn.TransformerEncoder(layer, layers, enable_nested_tensor=False), nn.Flatten(), nn.Linear(40, 3)
    )


X = torch.randn(6, 5, 8, generator=torch.Generator().manual_seed(0))
BATCH = (X, torch.arange(6) % 3)


@pytest.mark.parametrize("causal", [False, True])
def test_grasp_through_attention_is_that_of_attention_written_out(causal: bool) -> None:
    """The fused function's scores are those of softmax(QKᵀ/√d)V."""
    fused = prunebench.score(made(Attention, causal=causal), "grasp", batch=BATCH)
    plain = prunebench.score(made(Attention, fused=False, causal=causal), "grasp", batch=BATCH)
    for name, score in plain.items():
        assert torch.allclose(fused[name], score, rtol=1e-3, atol=1e-5 * float(score.abs().max()))


def test_grasp_of_a_transformer_encoder_is_w_times_hg() -> None:
    """A nn.TransformerEncoder in float64 against the Hessian written out over all prunable weights."""
    model = nn.Sequential(
        nn.TransformerEncoder(nn.TransformerEncoderLayer(4, 2, 3, batch_first=True, dropout=0.0), 1),
        nn.Flatten(),
        nn.Linear(12, 2),
    )
    torch.manual_seed(1)
    for parameter in model.parameters():
        nn.init.normal_(parameter, std=0.5)
    model.double().eval()
    x, y = torch.randn(5, 3, 4).double(), torch.arange(5) % 2
    excepted = ["0.layers.0.self_attn.in_proj_weight"]
    found = score_network(
        model, grasp.score, mode="train", precision="float64", batch=(x, y), except_=excepted,
        parameters={"temperature": 1.0},
    )  # fmt: skip
    weights = {name: model.get_parameter(name).detach() for name in found}
    sizes = [weight.numel() for weight in weights.values()]

    def loss(vector: Tensor) -> Tensor:
        named = {n: p.reshape(weights[n].shape) for n, p in zip(weights, vector.split(sizes), strict=True)}
        with torch.nn.attention.sdpa_kernel(torch.nn.attention.SDPBackend.MATH):
            return F.cross_entropy(functional_call(model.train(), named, (x,)), y)

    flat = torch.cat([weight.flatten() for weight in weights.values()])
    gradient = torch.autograd.functional.jacobian(loss, flat)
    expected = flat * (torch.autograd.functional.hessian(loss, flat) @ gradient)
    assert torch.allclose(torch.cat([s.flatten() for s in found.values()]), expected, rtol=1e-8, atol=1e-12)


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("mode", ["train", "eval"])
@pytest.mark.parametrize("norm_first", [True, False])
def test_any_scorer_may_differentiate_twice(mode: Any, training: bool, norm_first: bool) -> None:
    """In either mode, where evaluation would take attention's fast path; with frozen weights too."""

    def second(net: Any, batch: Any, rng: Any) -> dict[str, Tensor]:
        weights = list(net.weights.values())
        first = torch.autograd.grad(net.loss(batch), weights, create_graph=True)
        found = torch.autograd.grad(sum((g**2).sum() for g in first), weights)
        return dict(zip(net.weights, found, strict=True))

    model = made(encoder, first=norm_first).train(training).requires_grad_(False)
    excepted = [name for name, _ in model.named_parameters() if "in_proj_weight" in name]
    scorer = prunebench.Scorer("second", second, needs="batch", mode=mode)
    found = prunebench.score(model, scorer, batch=BATCH, except_=excepted)
    assert all(float(score.abs().sum()) > 0 for score in found.values())


def test_the_modes_of_attention_are_put_back() -> None:
    """Kernels and the fast path are as they were after scoring, and after a scorer that fails."""

    def state() -> tuple[bool, ...]:
        cuda = torch.backends.cuda
        flags = (cuda.flash_sdp_enabled(), cuda.mem_efficient_sdp_enabled(), cuda.math_sdp_enabled())
        return (*flags, torch.backends.mha.get_fastpath_enabled())

    def failing(net: Any, batch: Any, rng: Any) -> Any:
        assert state() == (False, False, True, False)
        torch.backends.mha.set_fastpath_enabled(True)
        torch.backends.cuda.enable_math_sdp(False)
        raise ZeroDivisionError

    before = state()
    prunebench.score(made(Attention), "grasp", batch=BATCH)
    assert state() == before
    with pytest.raises(ComponentError, match="ZeroDivisionError"):
        prunebench.score(made(Attention), failing, batch=BATCH)
    assert state() == before


def test_an_operation_without_a_second_derivative_is_said_to_lack_it() -> None:
    """Where torch cannot differentiate twice, the message says that this is what was asked for."""

    class Fast(Attention):
        def forward(self, x: Tensor) -> Tensor:
            with torch.nn.attention.sdpa_kernel(torch.nn.attention.SDPBackend.FLASH_ATTENTION):
                return super().forward(x)

    with pytest.raises(ComponentError, match=r"scorer 'grasp' asks for a derivative.*an operation.* lacks"):
        prunebench.score(made(Fast), "grasp", batch=BATCH)
    assert prunebench.score(made(Fast), "snip", batch=BATCH)


@pytest.mark.parametrize("method", ["snip", "grasp", "force", "grasp-inverted"])
def test_a_small_vision_transformer_is_pruned(method: str) -> None:
    """Torchvision's VisionTransformer, its packed projections and embeddings left alone."""
    from prunebench.vision import torchvision

    torch.manual_seed(0)
    model = torchvision.models.VisionTransformer(
        image_size=16, patch_size=8, num_layers=2, num_heads=2, hidden_dim=16, mlp_dim=32, num_classes=3
    )
    nn.init.normal_(
        model.heads.head.weight, std=0.1
    )  # it starts at zero, where no gradient goes further back
    check_vision(model, method, 16)


@pytest.mark.slow
def test_vit_b_16_is_pruned_by_grasp() -> None:
    """Torchvision's ViT-B/16, two images, one at a time."""
    from prunebench.vision import torchvision

    torch.manual_seed(0)
    model = torchvision.models.vit_b_16(num_classes=3)
    check_vision(model, prunebench.Form.model_validate({"scorer": {"name": "grasp", "chunk": 1}}), 224, 2)


def check_vision(model: nn.Module, method: Any, size: int, images: int = 6) -> None:
    excepted = [n for n, _ in model.named_parameters() if "in_proj_weight" in n]
    excepted += ["class_token", "encoder.pos_embedding"]
    x = torch.randn(images, 3, size, size, generator=torch.Generator().manual_seed(0))
    mask = prunebench.prune(model, method, density=0.5, batch=(x, torch.arange(images) % 3), except_=excepted)
    assert mask.kept == round(0.5 * mask.prunable)


def test_chunks_through_attention() -> None:
    """Without BatchNorm, chunks give the whole batch's scores here as well."""
    whole = prunebench.score(made(Attention), "grasp", batch=BATCH)
    call = ScorerCall(name="grasp", parameters={"chunk": 4})
    for name, score in prunebench.score(made(Attention), call, batch=BATCH).items():
        assert torch.allclose(score, whole[name], rtol=1e-3, atol=1e-5 * float(whole[name].abs().max()))


def test_a_compiled_network_is_scored_as_what_it_was_compiled_from() -> None:
    """Compiled code has no second derivative; the mask is the plain network's, with attention and without."""
    for build in (
        Attention,
        lambda: nn.Sequential(nn.Linear(8, 6), nn.Tanh(), nn.Flatten(), nn.Linear(30, 3)),
    ):
        model = made(build)
        expected = prunebench.score(model, "grasp", batch=BATCH)
        found = prunebench.score(torch.compile(model), "grasp", batch=BATCH)  # type: ignore[arg-type]
        assert found.keys() == expected.keys()
        assert all(torch.equal(found[name], score) for name, score in expected.items())
