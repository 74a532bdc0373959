"""The ablations of Frankle et al. (2021), §5."""

from __future__ import annotations

from prunebench import Form

__all__ = ["invert", "reinit", "shuffle"]

_MIRRORED = {"high": "low", "low": "high", "far": "near", "near": "far"}


def _altered(form: Form, how: str) -> Form:
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
