"""prunebench.score: scores of the network at hand."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from somebodys import make_batch, make_model
from torch import nn

import prunebench
from prunebench.errors import UsageError
from prunebench.host.form import ScorerCall


def test_scores_are_what_prune_ranks() -> None:
    """The scores' highest are what prune keeps."""
    scores = prunebench.score(make_model(), "snip", batch=make_batch(), seed=0)
    mask = prunebench.prune(make_model(), "snip", density=0.25, batch=make_batch(), seed=0)
    kept = torch.cat([score[mask[name]] for name, score in scores.items()])
    removed = torch.cat([score[~mask[name]] for name, score in scores.items()])
    assert kept.min() >= removed.max()


@pytest.mark.parametrize(
    ("scorer", "message"),
    [
        ("snap", "'snap'; did you mean 'snip'"),
        ("iterative-snip", "'iterative-snip' is a method, not a scorer; its scorer is 'snip'"),
        ("none", "'none' is a method, not a scorer; it has no scorer"),
        (3, "expected the name of a scorer, a ScorerCall, a Scorer or a scoring function; found 3"),
        (ScorerCall(name="snip", parameters={"chunks": 3}), "no parameter 'chunks'; did you mean 'chunk'"),
    ],
)
def test_what_score_takes(scorer: Any, message: str) -> None:
    """Errors of score speak of scorers."""
    with pytest.raises(UsageError, match=message):
        prunebench.score(make_model(), scorer, batch=make_batch())


def test_score_names_what_it_does_not_cover() -> None:
    """Weights that get no scores are named, with what to write to except them."""
    model = nn.Sequential(nn.Embedding(5, 4), nn.Flatten(), nn.Linear(4, 2))
    with pytest.raises(UsageError, match=r"that score does not cover: 0\.weight.*get no scores.*except_="):
        prunebench.score(model, "magnitude")
