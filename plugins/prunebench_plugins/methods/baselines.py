"""Baselines that users expect: layer shares by a rule, weights that return, pruning while training."""

from __future__ import annotations

from prunebench import Form, Method
from prunebench.host.form import Regrowth, ScorerCall
from prunebench.schedules import Gradual, Rounds
from prunebench_plugins.methods.at_initialization import SYNFLOW

__all__ = [
    "ERK",
    "FORCE",
    "GRADUAL_MAGNITUDE",
    "SYNFLOW_SHUFFLED",
    "UNIFORM_MAGNITUDE",
    "UNIFORM_RANDOM",
]

ERK = Method(
    "erk",
    Form(scorer=ScorerCall(name="random"), allocation="erk"),
    text="""Random pruning at the layer densities of Erdős–Rényi-Kernel (Evci et al. 2020, Sec. 3).

A convolution's density is in proportion to (n_in + n_out + k_h + k_w) / (n_in · n_out · k_h · k_w), a linear
layer's to (n_in + n_out) / (n_in · n_out); the first and the last layer count like the others. A layer that
would be more than full keeps all its weights, and the rest is spread over the others in the same proportions,
so that exactly the wanted number is kept over all layers. Within a layer the weights are drawn at random.
""",
)

UNIFORM_RANDOM = Method(
    "uniform-random",
    Form(scorer=ScorerCall(name="random"), allocation="uniform"),
    text="""Random pruning with the same density in every layer.

The first and the last layer are pruned like the others (some codes spare one or both). `random` ranks all
layers together instead: the same on average, with the spread of chance in small layers.
""",
)

UNIFORM_MAGNITUDE = Method(
    "uniform-magnitude",
    Form(scorer=ScorerCall(name="magnitude"), allocation="uniform"),
    text="""Magnitude pruning with the same density in every layer.

In each layer the weights of smallest |w| are removed, the first and the last layer like the others (some
codes spare one or both); biases and BatchNorm never. `magnitude` ranks all layers together instead. Ties are
kept by position. At another point of training: `score_at`.
""",
)

SYNFLOW_SHUFFLED = Method(
    "synflow-shuffled",
    SYNFLOW.form.changed(alter=["shuffle"]),
    text="""SynFlow with its mask shuffled in each layer (Frankle et al. 2021, App. I).

Every layer keeps as many weights as under `synflow`, elsewhere: all layers are ranked together, then each
layer's mask is permuted at random. The same cells as the ablation `shuffle` of `synflow`.
""",
)

FORCE = Method(
    "force",
    Form(
        scorer=ScorerCall(name="force"),
        schedule=Rounds(rounds=60),
        regrowth=Regrowth(scorer=ScorerCall(name="force")),
    ),
    text="""FORCE in 60 rounds: a weight that was removed may return (de Jorge et al. 2021).

After round k the density is d^(k/60), the exponential schedule. Each round scores |w · g| for every weight,
w its value before any pruning and g the gradient in the network as it is pruned then, and ranks removed and
kept weights of all layers together; biases and BatchNorm are never pruned, ties are kept by position. One
scoring batch for all rounds (ten examples of each class), BatchNorm in training mode with its running
statistics left alone, no normalisation of scores. The authors' code has 10 rounds as its default: give
`schedule = {rounds = 10}` for those.
""",
)

GRADUAL_MAGNITUDE = Method(
    "gradual-magnitude",
    Form(
        scorer=ScorerCall(name="magnitude"),
        schedule=Gradual.model_validate(
            {"gradual": {"from": {"share": 0.1}, "to": {"share": 0.5}, "every": 100}}
        ),
    ),
    text="""Gradual magnitude pruning while training (Zhu and Gupta 2018, Eq. 1).

One training by the recipe, from its initial weights. From a tenth of the schedule to its half, every 100
steps, the weights of smallest |w| that are left are removed: after step t the density is
d + (1 − d) · (1 − (t − t0) / (t1 − t0))³, which is d, the cell's, at the end. All weights of convolutions and
linear layers are ranked together (Zhu and Gupta prune each layer to the same density: `allocation =
"uniform"`); biases and BatchNorm never. What is removed stays removed, with weight and momentum at zero. Ties
are kept by position.

When to begin, to end and how often are choices of the user: `schedule = {gradual = {from = POINT, to = POINT,
every = n}}`. A schedule whose span is shorter than `every` removes everything at its end: give a smaller one
then. Half way is where the recipes of Frankle et al. (2021) first lower the learning rate, so that
the network can recover.
""",
)
