"""What stands below each figure: what is shown, and how it is read."""

from __future__ import annotations

__all__ = ["caption"]

_MARKED = """
A red cross marks runs that diverged, a ring a layer without any weight left, a box missing runs; where no
run finished the mark stands at the accuracy of a guess, or on the lower edge.
"""
_SPACED = """
The axis is spaced by the logarithm of the error, so that half a point at high accuracy is seen beside
methods that fall to a guess.
"""
_BARS = "Bars are 95 % t intervals of means over seeds; one that leaves the figure is cut."

_CAPTIONS = {
    "accuracy": f"""
Test accuracy at the end of training against the share of prunable weights that is kept. Points are means
over the seeds that finished; the dashed line is the unpruned network. {_BARS} {_SPACED} {_MARKED}
""",
    "differences": """
Accuracy less that of {after} at the same seed: the mean difference and the pair's own 95 % t interval. A
diverged run counts with the accuracy of a guess. A bar that leaves the figure is cut.
""",
    "ablations": f"""
A panel a method: as it is (solid, in its own colour) and under each ablation. Shuffle permutes each layer's
mask, reinit draws new initial weights, invert removes the other end of the scores, fixed variance gives every
layer's initial weights variance 1, to score and to train or to score alone. {_BARS} {_SPACED} {_MARKED}
""",
    "ablations-variants": f"""
A panel for each method of which there are variants, by their names: grasp-magnitude and grasp-inverted of
grasp. {_BARS} {_SPACED} {_MARKED}
""",
    "ablations-best": f"""
Of each method and its variants the one whose mean over all sparsities is highest in this setting. It is
chosen by the same runs that are drawn, so its lead is flattered. {_BARS} {_SPACED} {_MARKED}
""",
}


def caption(figure: str, **words: str) -> str:
    """Return the caption of a figure as one paragraph."""
    return " ".join(_CAPTIONS[figure].format(**words).split())
