"""Pruning after training: the baselines of Frankle et al. (2021), App. E, iteratively, and not at all."""

from __future__ import annotations

from prunebench import Form, Method
from prunebench.host.form import ScorerCall
from prunebench.schedules import parsed
from prunebench.training.recipe import AtEpoch

__all__ = ["IMP", "LTR", "MAGNITUDE_AFTER_TRAINING", "NONE"]

NONE = Method("none", Form(), text="The unpruned network, trained once by the recipe; every weight is kept.")

MAGNITUDE_AFTER_TRAINING = Method(
    "magnitude-after-training",
    Form(scorer=ScorerCall(name="magnitude"), score_at="end"),
    text="""Magnitude pruning after training: train, remove the smallest, train on (Frankle et al. 2021).

The unpruned network is trained by the recipe to its end; the weights of smallest |w| over all convolutions
and linear layers together are removed in one step, biases and BatchNorm never. The trained network, its
BatchNorm statistics included, then goes through the whole schedule once more, from the first learning rate
and with fresh momentum: two trainings in all. Ties are kept by position.
""",
)

LTR = Method(
    "ltr",
    Form(scorer=ScorerCall(name="magnitude"), score_at="end", train_from="rewind"),
    text="""Lottery ticket rewinding, one shot (Frankle et al. 2020; 2021, App. E).

The mask of `magnitude-after-training`; the weights, biases and BatchNorm (statistics included) go back to
what they were at the recipe's rewind step of the unpruned run, and train from there through the whole
schedule from the first learning rate. Where the rewind step is 0 these are the initial weights.
""",
)

IMP = Method(
    "imp",
    Form(
        scorer=ScorerCall(name="magnitude"),
        score_at="end",
        schedule=parsed({"levels": 0.2}),
        train_from=AtEpoch(epoch=10),
        clock=AtEpoch(epoch=10),
    ),
    text="""Iterative magnitude pruning, rewound to epoch 10 (Rosenfeld et al. 2021, Algorithm 1).

The network is trained to its end; a fifth of the weights that are left, those of smallest |w| over all
convolutions and linear layers together, is removed; what stays goes back to its values at epoch 10 (biases
and BatchNorm, statistics included, too) and trains from there to the end, with the learning rate and the data
order of epoch 10; and so on, level by level. Level k keeps round(0.8^k · prunable) weights; a suite takes
`sparsities = {keep = 0.8, count = n}`. What was removed never comes back. Ties are kept by position.

A recipe of ten epochs or fewer has nothing left to train from epoch 10 on; a tenth of its schedule does:
`{method = "imp", as = "imp-short", train_from = {share = 0.1}, clock = {share = 0.1}}`.
""",
)
