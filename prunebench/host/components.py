"""What a plugin registers: ten kinds of component, each a small frozen value (imports no torch).

Every component has a `name`, unique within its kind. One with a `version` is identified by its name, that
version and the versions of the distributions that it `depends` on; one without by a digest of its source
(`prunebench.host.identity`). Whoever changes what a versioned component computes gives it a new version.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from prunebench.host._component import Component, Origin, keyword_parameters
from prunebench.host.form import Batch, Form
from prunebench.host.functional import FunctionalForm
from prunebench.host.quantity import Quantity
from prunebench.training.recipe import Recipe
from prunebench.training.tasks import CLASSIFICATION

if TYPE_CHECKING:
    from pathlib import Path

    import torch
    from torch import nn

    from prunebench.pruning.product import Product

__all__ = [
    "KINDS",
    "Ablation",
    "Architecture",
    "Component",
    "Dataset",
    "Description",
    "Diagnostic",
    "FunctionalForm",
    "Initialization",
    "Method",
    "Origin",
    "Quantity",
    "RecipeComponent",
    "Scorer",
]


@dataclass(frozen=True)
class Scorer(Component):
    """A score for every prunable weight; higher is kept.

    `function(net, batch, rng, **parameters)` returns {parameter name: tensor of that parameter's shape}.
    `net` is a `prunebench.pruning.ScoringNetwork`, a private copy in the declared mode and precision;
    `batch` is (x, y), or None where `needs` is "nothing"; `rng` draws this seed's random numbers.
    Keyword-only arguments of the function are the scorer's parameters. `passes` is what scoring costs, in
    forward passes for each example (3: forward, gradient of the inputs, gradient of the weights): a number,
    or a function of the parameters.

    `examples` says what x of the batch must be. "tensors": a tensor. "lazy": the scorer may be given examples
    that are made when it asks for them; it has their `len`, their `shape` and x[numbers] → tensor. That keeps
    a large batch out of memory, and changes no number. A lazy scorer with a parameter `chunk` is given them
    where `chunk` is not None, and tensors otherwise.

    `gives` says what the scores are of. "weights": of weights; where whole filters are pruned
    (`unit = "filter"`) a group of filters that go together has the sum over its weights. "filters": one score
    a filter, {parameter name: 1-D tensor, one an output channel} for the layers of `net.groups.shapes`; a
    group has the sum over its filters. Such a scorer serves `unit = "filter"` alone. "either": as "filters"
    where filters are pruned, that is where `net.groups` is not None, and as "weights" otherwise.

    `unfit(groups)` returns why the filters of a network cannot be scored, or None where they can, by the
    network's groups of filters (`net.groups`). It is asked when a suite is planned, before anything trains.

    `reads = "shapes"` says that scores depend on names and shapes of the weights and on `rng` alone, on no
    value of the network: the scores of every network of an architecture are the same at a seed. Such a method
    is refused under a `find` that trains networks for its scores.
    """

    kind: ClassVar[str] = "scorer"
    function: Callable[..., Mapping[str, torch.Tensor] | Mapping[str, Product]]
    needs: Literal["nothing", "batch"] = "nothing"
    mode: Literal["train", "eval"] = "eval"
    precision: Literal["float32", "float64"] = "float32"
    batch: Batch = Batch(per_class=10)  # noqa: RUF009 (it is frozen)
    examples: Literal["tensors", "lazy"] = "tensors"
    passes: float | Callable[[Mapping[str, Any]], float] = 3.0
    gives: Literal["weights", "filters", "either"] = "weights"
    unfit: Callable[[Any], str | None] | None = None
    reads: Literal["weights", "shapes"] = "weights"
    version: str | None = None
    depends: tuple[str, ...] = ()

    @property
    def source(self) -> object:
        """The scoring function."""
        return self.function

    @property
    def parameters(self) -> dict[str, Any]:
        """The scorer's parameters with their defaults."""
        return keyword_parameters(self.function)

    def takes_lazy(self, parameters: Mapping[str, Any]) -> bool:
        """Return True if the scorer, with these parameters, takes examples that are made on demand."""
        return self.examples == "lazy" and {**self.parameters, **parameters}.get("chunk", 1) is not None

    def cost(self, parameters: Mapping[str, Any]) -> float:
        """Return the forward passes that scoring takes for each example with these parameters."""
        return float(self.passes({**self.parameters, **parameters}) if callable(self.passes) else self.passes)


@dataclass(frozen=True)
class Architecture(Component):
    """A network: `build(input_shape, classes, **parameters)` returns a module from N×C×H×W to N×classes.

    A preset (`preset = (name of another architecture, its parameters)`) is only another name: cells of
    `resnet20` and of `{name = "cifar-resnet", depth = 20}` are the same cells.
    """

    kind: ClassVar[str] = "architecture"
    build: Callable[..., nn.Module]
    preset: tuple[str, Mapping[str, Any]] | None = None
    version: str | None = None
    depends: tuple[str, ...] = ()
    made_for: tuple[tuple[int, int, int], int] = ((3, 32, 32), 10)
    """The input and number of classes for which listings count its weights; nothing else depends on it."""

    @property
    def source(self) -> object:
        """The building function or class."""
        return self.build

    @property
    def parameters(self) -> dict[str, Any]:
        """The architecture's parameters with their defaults (a preset's own values among them)."""
        return {**keyword_parameters(self.build), **(self.preset[1] if self.preset else {})}


@dataclass(frozen=True)
class Initialization(Component):
    """Initial values: `draw(module, name, parameter, rng)` returns a CPU tensor like `parameter`.

    It may return None to leave the constructor's values. `module` owns the parameter under the attribute
    `name` ("weight", "bias"); `rng` draws from stream(seed, "init", the parameter's full name). `draw = None`
    keeps all of the constructor's own values, run under a seeded torch generator.
    """

    kind: ClassVar[str] = "initialization"
    draw: Callable[..., torch.Tensor | None] | None
    version: str | None = None
    depends: tuple[str, ...] = ()
    text: str = ""

    @property
    def source(self) -> object:
        """The drawing function (of "own", this class)."""
        return self.draw or Initialization

    @property
    def documentation(self) -> str:
        """The drawing function's docstring, or the text given."""
        return self.text or super().documentation


@dataclass(frozen=True)
class Description:
    """What a data set holds: image shape (C, H, W), number of classes, sizes; mean, std as in `Dataset`."""

    shape: tuple[int, int, int]
    classes: int
    train: int
    test: int
    mean: tuple[float, ...] | None = None
    std: tuple[float, ...] | None = None


@dataclass(frozen=True)
class Dataset(Component):
    """Labelled images: in memory, or (`stream`) as files that are read while training.

    `load(root, part)` with part "train" or "test" returns (uint8 images N×C×H×W, int64 labels N), or with
    `stream` a `prunebench.ImageFiles`; it raises `prunebench.DataError` with what to
    put where. Keyword-only arguments of `load` are the data set's parameters; each of the other functions is
    given those that it takes. `fingerprint(root)` returns a hexadecimal digest of the files without decoding
    them; without one the loaded tensors are hashed. `mean` and `std` are of the training images, per channel,
    on the scale 0–1; None has them computed from the loaded training images. `margin` is the difference in
    accuracy, in points, that does not matter to a user.
    """

    kind: ClassVar[str] = "dataset"
    load: Callable[..., Any]
    shape: tuple[int, int, int]
    classes: int
    train: int
    test: int
    mean: tuple[float, ...] | None
    std: tuple[float, ...] | None
    fingerprint: Callable[..., str] | None = None
    download: Callable[..., None] | None = None
    """Fetches the original files into the root, verified; None where there is nothing to fetch."""
    missing: Callable[..., str | None] | None = None
    """Returns what is missing under the root and what to put where, or None; cheap, reads no contents."""
    margin: float = 0.5
    version: str | None = None
    depends: tuple[str, ...] = ()
    describe: Callable[..., Description] | None = None
    """Returns what the files under the root hold; where they are missing, what can be said without them.

    None: the declared shape, classes, sizes, mean and std count."""
    check: Callable[..., None] | None = None
    """Raises UsageError for values of parameters that cannot be; called before any file is looked at."""
    stream: bool = False
    """True if `load` returns files to read while training, not tensors."""
    task: str = CLASSIFICATION
    """What networks are trained for on it, which decides the loss and the evaluation."""
    examples: int | float | None = None
    """How many of the training examples are trained on (a float: what share of them); None: all. It is what
    a suite asks for, nothing that a plugin says."""

    @property
    def source(self) -> object:
        """The loading function."""
        return self.load

    @property
    def documentation(self) -> str:
        """The loading function's docstring, also where parameters were bound to it."""
        return inspect.getdoc(self.load.func if isinstance(self.load, partial) else self.load) or ""

    @property
    def parameters(self) -> dict[str, Any]:
        """The data set's parameters with their defaults (after `bound`: with the values given)."""
        return keyword_parameters(self.load)

    def bound(self, spelled: str, parameters: Mapping[str, Any]) -> Dataset:
        """Return this data set under a spelled name, with values for its parameters."""
        names = ("load", "fingerprint", "download", "missing", "describe", "check")
        functions: dict[str, Any] = {name: _given(getattr(self, name), parameters) for name in names}
        return replace(self, name=spelled, **functions)

    def description(self, root: Path) -> Description:
        """Return what the files under a root hold, or else what is declared. Raises: DataError."""
        if self.describe is not None:
            return self.describe(root)
        return Description(self.shape, self.classes, self.train, self.test, self.mean, self.std)


def _given(function: Callable[..., Any] | None, parameters: Mapping[str, Any]) -> Callable[..., Any] | None:
    """Return a function with values for those of the parameters that it takes."""
    if function is None:
        return None
    takes = inspect.signature(function).parameters
    return partial(function, **{name: value for name, value in parameters.items() if name in takes})


@dataclass(frozen=True)
class Ablation(Component):
    """A function from a method's form to a method's form."""

    kind: ClassVar[str] = "ablation"
    function: Callable[[Form], Form]

    @property
    def source(self) -> object:
        """The function."""
        return self.function


@dataclass(frozen=True)
class RecipeComponent(Component):
    """A named recipe. Its values, not its name, are what a run's key holds."""

    kind: ClassVar[str] = "recipe"
    recipe: Recipe
    text: str = ""
    """What it is and where its numbers come from."""
    inferred: tuple[str, ...] = ()
    """Fields of the recipe that its source does not state."""

    @property
    def source(self) -> object:
        """The recipe's class: a recipe is data and needs no identity."""
        return Recipe

    @property
    def documentation(self) -> str:
        """The text given."""
        return self.text


@dataclass(frozen=True)
class Method(Component):
    """A named value of the general form. Its fields, not its name, are what a cell's key holds."""

    kind: ClassVar[str] = "method"
    form: Form
    text: str = ""
    """The exact variant, and where it comes from."""

    @property
    def source(self) -> object:
        """The form's class: a method is data and needs no identity."""
        return Form

    @property
    def documentation(self) -> str:
        """The text given."""
        return self.text


@dataclass(frozen=True)
class Diagnostic(Component):
    """A measure of a mask, a trained network or its making, beside the accuracy; returns plain JSON values.

    `function(net, mask, input_shape)` gets the network on the CPU in evaluation mode (with the state's
    weights where `of` is "state", else with the structure alone), its `prunebench.pruning.Mask` (None where
    nothing is pruned) and the shape (C, H, W) of an input. Of "course" it is given as its fourth argument
    what the method did from the first step on: a `prunebench.training.course.Course`; of "scored" what is
    known of the network by whose scores the mask was made: a `prunebench.training.scored_network.Finding`.

    Of "epochs" the fourth argument is a mapping from epochs to masks: those that the method would have made
    of its scored network at the end of each epoch of that network's training, 0 being its beginning; each is
    read when it is asked for. The second argument is the mask that it made, before ablations change it.

    Unpruned cells have no measures of masks, nor of networks that were scored. Measures by epoch have none
    but those whose mask is made of scores before the network trains, and whose layers' counts are not another
    method's.
    """

    kind: ClassVar[str] = "diagnostic"
    function: Callable[..., Any]
    of: Literal["mask", "state", "course", "epochs", "scored"] = "mask"
    version: str | None = None
    depends: tuple[str, ...] = ()
    fields: tuple[str, ...] = ()
    """The numbers in the value that a check can ask for, `*` for any name: `share`, `layers.*.kept`.

    With them a suite that asks for another is refused before it runs; () says nothing."""
    timing: Callable[..., Mapping[str, float]] | None = None
    """timing(net, mask, input_shape) → seconds by name, above 0: what differs whenever it is measured.

    They are no part of the value, whose digest tells results apart, but stand in the measure's provenance;
    tables show them as `seconds.NAME`."""

    @property
    def source(self) -> object:
        """The measuring function."""
        return self.function


KINDS: dict[str, type[Component]] = {
    "scorers": Scorer,
    "architectures": Architecture,
    "initializations": Initialization,
    "datasets": Dataset,
    "ablations": Ablation,
    "recipes": RecipeComponent,
    "methods": Method,
    "diagnostics": Diagnostic,
    "quantities": Quantity,
    "forms": FunctionalForm,
}
"""The hook (less its prefix) and what it returns a list of."""
