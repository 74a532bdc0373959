"""The ablations of Frankle et al. (2021), §5."""

from __future__ import annotations

from prunebench import Form
from prunebench.errors import UsageError
from prunebench.training.recipe import AtName, Point, of_find

__all__ = ["fixed_variance", "fixed_variance_scores", "invert", "reinit", "shuffle"]

_FIXED = "unit-variance"
_MIRRORED = {"high": "low", "low": "high", "far": "near", "near": "far"}


def _altered(form: Form, how: str) -> Form:
    if why := form.schedule.lacks("mask"):
        raise UsageError(f"'{how}' alters a mask before training, and {why}")
    return form if how in form.alter else form.changed(alter=(*form.alter, how))


def shuffle(form: Form) -> Form:
    """Permute each layer's mask at random before training: do only the layers' shares matter?

    Every layer keeps as many weights as before, elsewhere in the layer. The permutation is drawn from the
    seed, a stream of its own for each layer; scores, rounds and the scored network are as they were
    (Frankle et al. 2021, §5). It alters the evaluated network only, and shuffling twice is shuffling once.
    """
    return _altered(form, "shuffle")


def reinit(form: Form) -> Form:
    """Keep the mask and draw new initial weights from the same distribution: do the weights matter?

    The weights are the recipe's initialisation drawn again from another stream of the same seed, biases and
    BatchNorm included (Frankle et al. 2021, §5). It alters the evaluated network only.
    """
    return _altered(form, "reinit")


def invert(form: Form) -> Form:
    """Keep what the method removes first: is the order of the scores right?

    `keep` is mirrored: the lowest scores instead of the highest, those nearest zero instead of the furthest,
    at the same density (Frankle et al. 2021, §5). With rounds, every round is inverted. Twice is not at all.
    """
    return form.changed(keep=_MIRRORED[form.keep])


def fixed_variance(form: Form) -> Form:
    """Start from weights of variance 1 in every layer: do scores follow the layers' initial scale?

    The scored network and the one that trains both begin at initial weights of variance 1 (the initialization
    `unit-variance`), biases and BatchNorm as it draws them (Frankle et al. 2021, §5: magnitude becomes
    random pruning). The paper does not say whether the trained weights are scaled too; its App. L reads as if
    they were. `fixed-variance-scores` is the other reading.
    """
    changes: dict[str, object] = {"find": {**form.find, "init": _FIXED}}
    if form.train_from != "scored":
        changes["train_from"] = _of_find(form.train_from)
    return form.changed(**changes)


def fixed_variance_scores(form: Form) -> Form:
    """Score weights of variance 1 in every layer, and train from the recipe's own initialisation.

    The scored network begins at initial weights of variance 1; the pruned network takes its weights from the
    run under the recipe, at the same point (Frankle et al. 2021, §5, the other reading of `fixed-variance`).
    """
    if why := form.schedule.lacks("scored network"):
        raise UsageError(f"'fixed-variance-scores' trains other weights than it scores; {why}")
    changes: dict[str, object] = {"find": {**form.find, "init": _FIXED}}
    if form.train_from == "scored":
        changes["train_from"] = form.score_at
    elif of_find(form.train_from):
        changes["train_from"] = _of_recipe(form.train_from)
    return form.changed(**changes)


def _of_find(point: Point) -> Point:
    """Return the same point of the run that is scored."""
    if of_find(point):
        return point
    return (
        AtName(at=point, run="find") if isinstance(point, str) else point.model_copy(update={"run": "find"})
    )


def _of_recipe(point: Point) -> Point:
    """Return the same point of the run under the recipe."""
    if isinstance(point, str):
        return point
    return point.at if isinstance(point, AtName) else point.model_copy(update={"run": None})
