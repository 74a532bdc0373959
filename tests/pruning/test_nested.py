"""One walk through inputs, targets and outputs that hold tensors inside; how inputs are passed."""

from __future__ import annotations

import dataclasses
from collections import OrderedDict, UserDict, namedtuple
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

import prunebench
from prunebench.errors import ComponentError, UsageError
from prunebench.host.form import ScorerCall
from prunebench.pruning import ScoringNetwork, nested

Pair = namedtuple("Pair", ["u", "v"])


@dataclasses.dataclass(frozen=True)
class Record:
    """Somebody's batch."""

    u: Any
    v: Any


class Output(OrderedDict):  # type: ignore[type-arg]
    """A mapping whose entries are attributes as well, as transformers return."""

    def __getattr__(self, name: str) -> Any:
        try:
            return self[name]
        except KeyError:
            raise AttributeError(name) from None


LEAVES = st.one_of(
    st.integers(0, 9).map(lambda n: torch.full((2,), float(n))), st.none(), st.integers(), st.text(max_size=3)
)
NESTS = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.lists(inner, max_size=3).map(tuple),
        st.dictionaries(st.text(max_size=2), inner, max_size=3),
        st.dictionaries(st.text(max_size=2), inner, max_size=3).map(OrderedDict),
        st.dictionaries(st.text(max_size=2), inner, max_size=3).map(UserDict),
        st.tuples(inner, inner).map(lambda pair: Pair(*pair)),
        st.tuples(inner, inner).map(lambda pair: Record(*pair)),
    ),
    max_leaves=12,
)


def skeleton(value: Any) -> Any:
    """Write a nest out in plain lists: types, keys, and tensors as their numbers."""
    if isinstance(value, Tensor):
        return ["tensor", value.tolist()]
    if dataclasses.is_dataclass(value):
        return [type(value).__name__, [skeleton(getattr(value, f.name)) for f in dataclasses.fields(value)]]
    if isinstance(value, dict | UserDict):
        return [type(value).__name__, [(key, skeleton(part)) for key, part in value.items()]]
    if isinstance(value, tuple | list):
        return [type(value).__name__, [skeleton(part) for part in value]]
    return value


def sequences(value: Any) -> list[Any]:
    """Return the tuples and lists inside that hold no containers."""
    if dataclasses.is_dataclass(value):
        parts = [getattr(value, field.name) for field in dataclasses.fields(value)]
    elif isinstance(value, dict | UserDict):
        parts = list(value.values())
    else:
        parts = list(value) if isinstance(value, tuple | list) else []
    inner = [found for part in parts for found in sequences(part)]
    containers = (dict, UserDict, tuple, list, Record)
    flat = isinstance(value, tuple | list) and not any(isinstance(part, containers) for part in parts)
    return [value, *inner] if flat else inner


@given(NESTS)
def test_a_walk_changes_tensors_and_nothing_else(value: Any) -> None:
    """Containers keep their types, keys and order; other leaves stay; the original is untouched."""
    before = skeleton(value)
    seen: list[Tensor] = []
    same = nested.mapped(lambda tensor: (seen.append(tensor), tensor.clone())[1], value)
    assert skeleton(same) == before == skeleton(value)
    assert [id(t) for t in seen] == [id(t) for t in nested.tensors(value)]
    shifted = nested.mapped(lambda tensor: tensor + 10, value)
    assert [t.tolist() for t in nested.tensors(shifted)] == [(t + 10).tolist() for t in nested.tensors(value)]
    assert skeleton(value) == before


@given(NESTS, st.permutations(range(2)))
def test_examples_are_taken_of_every_tensor_alike(value: Any, order: list[int]) -> None:
    """Taking examples is indexing each tensor; what is as long as the batch and no tensor is refused."""
    part = torch.tensor(order[:1])
    if any(len(held) == 2 and not nested.tensors(held) for held in sequences(value)):
        with pytest.raises(UsageError, match="of which it cannot be told whether they go by example"):
            nested.taken(value, part, 2, "x")
        return
    found = nested.taken(value, part, 2, "x")
    assert skeleton(found) == skeleton(nested.mapped(lambda tensor: tensor[part], value))


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({"a": torch.zeros(3, 2)}, r"x holds a tensor of shape \(3, 2\), the batch has 4 examples"),
        ({"a": torch.zeros(4), "names": ["p", "q", "r", "s"]}, "x holds a list of 4 str"),
        ((torch.zeros(4), {1, 2}), "x holds a set, which cannot be taken apart"),
    ],
)
def test_what_cannot_be_taken_apart_is_refused(value: Any, message: str) -> None:
    """Nothing is guessed of what belongs to which example."""
    with pytest.raises(UsageError, match=message):
        nested.taken(value, torch.tensor([0]), 4, "x")


def test_what_belongs_to_all_examples_stays_whole() -> None:
    """Tensors without dimensions, numbers and texts go with every chunk."""
    value = {"x": torch.arange(4), "scale": torch.tensor(2.0), "task": "depth", "level": 3, "none": None}
    found = nested.taken(value, torch.tensor([2, 0]), 4, "x")
    assert found["x"].tolist() == [2, 0]
    assert {k: v for k, v in found.items() if k != "x"} == {k: v for k, v in value.items() if k != "x"}


class Two(nn.Module):
    """Two inputs."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b, self.o = nn.Linear(8, 8), nn.Linear(4, 8), nn.Linear(8, 10)

    def forward(self, u: Tensor, v: Tensor) -> Any:
        return self.o(torch.relu(self.a(u) + self.b(v)))


class Keywords(Two):
    """Two inputs by name alone, one of them not needed."""

    def forward(self, *, u: Tensor, v: Tensor | None = None) -> Any:
        return super().forward(u, torch.zeros(len(u), 4, dtype=u.dtype) if v is None else v)


class Optional(Two):
    """All inputs have defaults, as those of language models."""

    def forward(self, u: Any = None, v: Any = None, **more: Any) -> Any:
        return super().forward(u, v)


class One(Two):
    """One argument that holds both inputs."""

    def forward(self, pair: Any) -> Any:
        if isinstance(pair, dict):
            return super().forward(pair["u"], pair["v"])
        u, v = (pair.u, pair.v) if dataclasses.is_dataclass(pair) else pair
        return super().forward(u, v)


class Any_(Two):
    """Whatever it is given."""

    def forward(self, *inputs: Any) -> Any:
        return super().forward(*inputs)


def made(kind: type[nn.Module]) -> nn.Module:
    torch.manual_seed(0)
    return kind()


U = torch.randn(20, 8, generator=torch.Generator().manual_seed(1))
V = torch.randn(20, 4, generator=torch.Generator().manual_seed(2))
T = torch.arange(20) % 10


def same(one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


@pytest.mark.parametrize("scorer", ["snip", "grasp", "force", "synflow"])
@pytest.mark.parametrize(
    ("kind", "x"),
    [
        (Two, (U, V)),
        (Two, {"u": U, "v": V}),
        (Two, {"v": V, "u": U}),
        (Keywords, {"u": U, "v": V}),
        (Optional, (U, V)),
        (Optional, {"u": U, "v": V}),
        (Any_, (U, V)),
        (One, (U, V)),
        (One, [U, V]),
        (One, {"u": U, "v": V}),
        (One, Pair(U, V)),
        (One, Record(U, V)),
        (One, ({"u": U, "v": V},)),
        (Two, (U.double(), V.half().double())),
    ],
)
def test_two_inputs_in_every_form_give_the_same_scores(scorer: str, kind: type[nn.Module], x: Any) -> None:
    """Tuples are unpacked and dicts passed by name where forward takes them so; moved and cast alike."""
    plain = V.half().float() if isinstance(x, tuple) and x[0] is not U and not isinstance(x[0], dict) else V
    expected = prunebench.score(made(Two), scorer, batch=((U, plain), T))
    assert same(prunebench.score(made(kind), scorer, batch=(x, T)), expected)


@pytest.mark.parametrize("function", ["snip", "grasp", "force"])
@pytest.mark.parametrize("x", [(U, V), {"u": U, "v": V}, {"u": U, "v": V.double()}])
def test_chunks_of_nested_inputs_are_the_whole_batch(function: str, x: Any) -> None:
    """Every tensor inside is sliced by the same examples."""
    whole = prunebench.score(made(Two), function, batch=(x, T))
    call = ScorerCall(name=function, parameters={"chunk": 3})
    for name, score in prunebench.score(made(Two), call, batch=(x, T)).items():
        assert torch.allclose(score, whole[name], rtol=1e-4, atol=1e-6 * float(whole[name].abs().max()))


class Returns(Two):
    """Wraps what it returns."""

    def __init__(self, wrap: Any) -> None:
        super().__init__()
        self.wrap = wrap

    def forward(self, u: Tensor) -> Any:
        return self.wrap(super().forward(u, torch.zeros(len(u), 4, dtype=u.dtype)))


@pytest.mark.parametrize("scorer", ["snip", "grasp", "force", "synflow"])
@pytest.mark.parametrize(
    ("wrap", "unwrap"),
    [
        (lambda o: {"out": o, "classes": o.argmax(1)}, lambda o: o["out"]),
        (lambda o: (o, None), lambda o: o[0]),
        (lambda o: [o], lambda o: o[0]),
        (lambda o: Pair(o, "text"), lambda o: o.u),
        (lambda o: Record(o, 3), lambda o: o.u),
        (lambda o: Output(logits=o), lambda o: o.logits),
        (lambda o: {"deep": [(o,)]}, lambda o: o["deep"][0][0]),
    ],
)
def test_outputs_may_be_nested_with_a_loss_of_ones_own(scorer: str, wrap: Any, unwrap: Any) -> None:
    """Whatever the network returns, the scores are those of the tensor inside; types are kept for the loss."""

    def loss(outputs: Any, targets: Tensor) -> Tensor:
        return nn.functional.cross_entropy(unwrap(outputs), targets)

    def net(wrap: Any) -> nn.Module:
        torch.manual_seed(0)
        return Returns(wrap)

    found = prunebench.score(net(wrap), scorer, batch=(U, T), loss=loss)
    assert same(found, prunebench.score(net(lambda o: o), scorer, batch=(U, T)))


class Guarded(OrderedDict[str, Any]):
    """Outputs as transformers return them: entries are attributes too, and `update` is refused."""

    def __init__(self, entries: Any = (), /) -> None:
        super().__init__()
        for key, value in dict(entries).items():
            self[key] = value

    def __setitem__(self, key: str, value: Any) -> None:
        super().__setitem__(key, value)
        super().__setattr__(key, value)

    def update(self, *_: Any, **__: Any) -> None:
        raise TypeError("update is refused")


class Mirrored(OrderedDict[str, Any]):
    """A dict whose entries were made attributes once."""

    def __init__(self, entries: Any = (), /) -> None:
        super().__init__(entries)
        self.__dict__.update(entries)


@pytest.mark.parametrize("kind", [Guarded, Mirrored])
@pytest.mark.parametrize("unwrap", [lambda o: o.logits, lambda o: o["logits"]])
def test_outputs_with_entries_as_attributes(kind: Any, unwrap: Any) -> None:
    """GraSP divides outputs by its temperature, under whichever name the loss asks for them."""
    test_outputs_may_be_nested_with_a_loss_of_ones_own("grasp", lambda o: kind({"logits": o}), unwrap)
    doubled = nested.mapped(lambda t: 2 * t, kind({"logits": torch.ones(2), "loss": None}))
    assert type(doubled) is kind
    assert doubled.loss is None
    assert torch.equal(unwrap(doubled), torch.full((2,), 2.0))


def test_synflow_takes_complex_inputs() -> None:
    """Ones in complex numbers, as the batch has them: they are not whole numbers."""

    class Magnitude(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Linear(5, 3)

        def forward(self, x: Tensor) -> Tensor:
            assert x.is_complex()
            return self.layer(x.abs())

    x = torch.randn(12, 5, dtype=torch.complex64)
    torch.manual_seed(0)
    net = Magnitude()
    found = prunebench.score(net, "synflow", batch=(x, T[:12] % 3))
    assert torch.allclose(found["layer.weight"], net.layer.weight.abs().double())


def test_targets_may_be_nested() -> None:
    """A dict of targets is moved, cast, and sliced in chunks like the inputs."""

    def loss(outputs: Tensor, targets: Any) -> Tensor:
        assert targets["value"].dtype == outputs.dtype
        error = ((outputs[:, 0] - targets["value"]) ** 2).mean()
        return nn.functional.cross_entropy(outputs, targets["label"]) + error

    how: dict[str, Any] = {
        "batch": ((U, V), {"label": T, "value": V[:, 0].double()}),
        "loss": loss,
        "reduction": "mean",
    }
    whole = prunebench.score(made(Two), "snip", **how)
    parts = prunebench.score(made(Two), ScorerCall(name="snip", parameters={"chunk": 7}), **how)
    assert all(torch.allclose(parts[name], score, rtol=1e-4, atol=1e-6) for name, score in whole.items())


def test_the_inputs_shapes_come_from_the_batch() -> None:
    """One tensor inside has the input's shape; of several there is no one shape, and ones stand for each."""
    assert ScoringNetwork(made(Two), like={"pixels": torch.zeros(5, 3, 4)}).input_shape == (3, 4)
    net = ScoringNetwork(
        made(Two), like=(U, V, torch.ones(20, 2) > 0, torch.tensor(3.0)), precision="float64"
    )
    u, v, flags, scale = net.ones()
    assert [tuple(t.shape) for t in (u, v, flags, scale)] == [(1, 8), (1, 4), (1, 2), ()]
    assert u.dtype == v.dtype == torch.float64
    assert flags.dtype == torch.bool
    with pytest.raises(UsageError, match=r"takes 4 inputs, of shapes \(20, 8\), \(20, 4\)"):
        _ = net.input_shape


def test_a_batch_without_targets_has_chunks_by_its_inputs() -> None:
    """Where y is None the inputs say how many examples there are."""

    def loss(outputs: Tensor, targets: None) -> Tensor:
        return (outputs**2).mean()

    how: dict[str, Any] = {"batch": ((U, V), None), "loss": loss, "reduction": "mean"}
    whole = prunebench.score(made(Two), "snip", **how)
    parts = prunebench.score(made(Two), ScorerCall(name="snip", parameters={"chunk": 7}), **how)
    assert all(torch.allclose(parts[name], score, rtol=1e-4, atol=1e-6) for name, score in whole.items())


def test_inputs_of_many_sizes_have_no_shape_of_one() -> None:
    """A list of images is scored with them; an input of ones has to be told its shape."""
    images = [torch.randn(3 + size % 2, 8) for size in range(4)]

    class Images(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a = nn.Linear(8, 3)

        def forward(self, images: Any) -> Tensor:
            return torch.stack([self.a(image).mean(0) for image in images])

    batch = (images, torch.arange(4) % 3)
    assert prunebench.prune(Images(), "grasp", density=0.5, batch=batch).kept == 12
    with pytest.raises(
        UsageError, match=r"shape of one input cannot be told: .* 3 and 4 entries; give input_shape"
    ):
        prunebench.prune(Images(), "synflow", density=0.5, batch=batch)
    with pytest.raises(UsageError, match=r"chunk: x holds a tensor of shape \(3, 8\), the batch has 4"):
        prunebench.score(Images(), ScorerCall(name="snip", parameters={"chunk": 2}), batch=batch)


@pytest.mark.parametrize(
    ("x", "found"),
    [({"x": "text"}, "found dict of str, without any"), ("text", "found str$"), ({}, "found dict$")],
)
def test_a_batch_without_tensors_is_refused(x: Any, found: str) -> None:
    """What was found in a tensor's place is said."""
    with pytest.raises(UsageError, match=f"x must be a torch tensor; {found}"):
        prunebench.prune(made(Two), "snip", density=0.5, batch=(x, T))


@pytest.mark.parametrize(
    ("kind", "x", "message"),
    [
        (Two, (U, V, V), r"x is a tuple of 3, and the network's forward takes \(u: .*, v: .*give a tuple"),
        (Two, {"u": U, "w": V}, "x is a dict of u, w, and the network's forward takes"),
        (Two, (V, U), r"the network does not take inputs of shapes \(20, 4\), \(20, 8\): "),
    ],
)
def test_inputs_that_do_not_fit_are_refused_in_words(kind: type[nn.Module], x: Any, message: str) -> None:
    """The sentence says how inputs can be given; no scorer is blamed."""
    for method in ("snip", "grasp"):
        with pytest.raises(UsageError, match=message) as error:
            prunebench.prune(made(kind), method, density=0.5, batch=(x, T))
        assert "scorer" not in str(error.value)


@pytest.mark.parametrize(
    "how", [{"input_shape": (5,)}, {"batch": (torch.arange(60).view(12, 5) % 9, T[:12] % 3)}]
)
def test_synflow_does_not_apply_to_indices_and_says_so(how: dict[str, Any]) -> None:
    """A network of token indices has no input of ones: neither it nor its input's shape is wrong."""
    model = nn.Sequential(nn.Embedding(9, 6), nn.Flatten(), nn.Linear(30, 3))
    with pytest.raises(UsageError, match=r"whole numbers.*not apply to"):
        prunebench.prune(model, "synflow", density=0.3, except_="0", **how)
    if "batch" in how:
        mask = prunebench.prune(model, "snip", density=0.3, except_="0", **how)
        assert mask.kept == 27


def test_a_loss_that_fails_is_told_from_a_network_and_a_scorer_that_do() -> None:
    """Each of the three is named for its own mistakes alone."""

    def wrong(outputs: Tensor, targets: Tensor) -> Tensor:
        return outputs.out  # type: ignore[attr-defined, no-any-return]

    for method in ("snip", "grasp"):
        with pytest.raises(
            UsageError, match=r"loss=wrong failed on .*outputs \(a tensor of shape \(20, 10\)\)"
        ):
            prunebench.prune(made(Two), method, density=0.5, batch=((U, V), T), loss=wrong)
    bn = nn.Sequential(nn.Linear(8, 4), nn.BatchNorm1d(4), nn.Linear(4, 10))
    with pytest.raises(
        ComponentError, match=r"the network failed while scorer 'snip' ran it: .*more than 1 value"
    ):
        prunebench.score(bn, ScorerCall(name="snip", parameters={"chunk": 1}), batch=(U, T))

    def mine(net: Any, batch: Any, rng: Any) -> Any:
        return net.outputs(batch[0]).logits

    with pytest.raises(ComponentError, match="scorer 'mine' failed: AttributeError"):
        prunebench.score(made(Two), mine, batch=((U, V), T))


@pytest.mark.parametrize(
    ("loss", "message"),
    [
        (lambda o, t: o.detach().sum(), "the loss is cut off"),
        (lambda o, t: torch.tensor(1.0), "the loss is cut off"),
    ],
)
def test_a_loss_without_a_gradient_is_the_losss(loss: Any, message: str) -> None:
    """A detached loss is no failure of the scorer's."""
    with pytest.raises(UsageError, match=message):
        prunebench.prune(made(Two), "snip", density=0.5, batch=((U, V), T), loss=loss)


def test_outputs_without_a_gradient_are_the_networks() -> None:
    """A forward under no_grad is told."""

    class Frozen(Two):
        def forward(self, u: Tensor, v: Tensor) -> Any:
            with torch.no_grad():
                return super().forward(u, v)

    with pytest.raises(UsageError, match=r"the network's outputs are cut off .*torch\.no_grad"):
        prunebench.prune(made(Frozen), "snip", density=0.5, batch=((U, V), T))
