"""Methods that prune before training and differ from a scorer's plain one-shot use."""

from __future__ import annotations

from prunebench import Form, Method
from prunebench.host.form import ScorerCall
from prunebench.schedules import Rounds

__all__ = ["GRASP_INVERTED", "GRASP_MAGNITUDE", "ITERATIVE_SNIP", "SYNFLOW"]

SYNFLOW = Method(
    "synflow",
    Form(scorer=ScorerCall(name="synflow"), schedule=Rounds(rounds=100)),
    text="""SynFlow: 100 rounds of the scorer `synflow`, before any data is seen (Tanaka et al. 2020).

After round k the density is d^(k/100) of all weights of convolutions and linear layers, biases and BatchNorm
never pruned; scores are taken anew on what is left, and what is removed never returns. Each round scores
|w · ∂R/∂w| in float64 with BatchNorm in evaluation mode and absolute parameters and buffers, on an input of
ones in the data set's shape, and ranks all layers together. Ties are kept by position. The weights that
train are the original ones.
""",
)

ITERATIVE_SNIP = Method(
    "iterative-snip",
    Form(scorer=ScorerCall(name="snip"), schedule=Rounds(rounds=100)),
    text="""SNIP in 100 rounds (Frankle et al. 2021, App. G).

After round k the density is d^(k/100); |g · w| is taken anew on what is left, with the same scoring batch in
every round (ten examples of each class), BatchNorm in training mode with its running statistics left alone.
All weights of convolutions and linear layers are ranked together without normalisation, biases never pruned;
what is removed never returns. Ties are kept by position.
""",
)

GRASP_INVERTED = Method(
    "grasp-inverted",
    Form(scorer=ScorerCall(name="grasp"), keep="low"),
    text="""GraSP with its order reversed (Frankle et al. 2021, App. H): what GraSP removes first is kept.

The scorer of `grasp` with the same batch, temperature and BatchNorm in training mode, one shot, all layers
ranked together. The same cells as the ablation `invert` of `grasp`.
""",
)

GRASP_MAGNITUDE = Method(
    "grasp-magnitude",
    Form(scorer=ScorerCall(name="grasp"), keep="far"),
    text="""GraSP by magnitude (Frankle et al. 2021, App. H): the scores nearest zero are removed.

The scorer of `grasp`, w · Hg, with the same batch, temperature and BatchNorm in training mode; its sign is
ignored. One shot, all layers ranked together.
""",
)
