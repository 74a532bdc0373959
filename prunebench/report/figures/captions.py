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
A panel a method: as it is (solid, filled marks) and under each ablation (dashed, hollow marks). Shuffle
permutes each layer's mask, reinit draws new initial weights, invert removes the other end of the scores,
fixed variance gives every layer's initial weights variance 1, to score and to train or to score alone.
{_BARS} {_SPACED} {_MARKED}
""",
    "ablations-variants": f"""
A panel for each method of which there are variants, by their names: grasp-magnitude and grasp-inverted of
grasp. {_BARS} {_SPACED} {_MARKED}
""",
    "ablations-best": f"""
Of each method and its variants the one whose mean over all sparsities is highest in this setting. It is
chosen by the same runs that are drawn, so its lead is flattered. {_BARS} {_SPACED} {_MARKED}
""",
    "baselines": f"""
What pruning at initialisation is compared with: random pruning, magnitude pruning after training, rewinding,
gradual pruning; the dashed line is the unpruned network. {_BARS} {_SPACED} {_MARKED}
""",
    "extreme": f"""
Left our means, beside them numbers that others report for the same method, setting and sparsity, a panel a
source; a method keeps its colour and mark. Reported numbers have no bars. {_BARS} {_SPACED} {_MARKED}
""",
    "pruning-time": f"""
Accuracy against the training step after which a method scores and removes weights, at one sparsity a panel.
Dashed lines: the unpruned network and methods that prune after training. Methods named after the step that
they rewind to (ltr-1000) are one line at these steps. A point whose step only the recipe knows, as the end of
training, stands one grid step after the last. {_BARS} {_SPACED} {_MARKED}
""",
    "pruning-time-ablations": f"""
A panel a network and method: accuracy against the step of pruning, as it is and under each ablation. {_BARS}
{_SPACED} {_MARKED}
""",
    "layers": """
Sparsity of each layer, from the input to the output, at one overall sparsity: the highest matching one, else
the middle of the grid. Means over seeds, bars their 95 % t intervals; a ring marks a layer of which no seed's
mask keeps a weight.
""",
    "neurons": """
Share of neurons (output channels of convolutions, units of linear layers) of which at least so many of the
incoming weights are removed, at one overall sparsity: the highest matching one, else the middle of the grid.
Where a line is still high at 100 %, whole neurons are gone. Bars are 95 % t intervals of means over seeds;
what became of a line's runs is marked at its end.
""",
    "neurons-collapsed": """
Share of neurons without any incoming weight left, against the share of weights that is kept. Bars are 95 % t
intervals of means over seeds.
""",
    "weights": """
Share of the prunable weights that is there at each step of everything that a method trains. Of each method
the highest sparsity that was measured and at which its mean accuracy is at most {within} below the unpruned
network's. Dashed, where that is another course: what leads to the evaluated network alone, as if its mask had
been known beforehand. The area under a line is a cost of training. {unshown}
""",
    "effective": """
Effective parameters (kept weights on a path from input to output) of the shuffled network over those of the
unmodified one at the same seed, in the method's colour. 1: shuffling disconnects as much as the method did.
Bars are 95 % t intervals of means over seeds.
""",
    "effective-share": """
Share of the kept weights that lie on a path from input to output, against the share of weights that is kept.
Bars are 95 % t intervals of means over seeds.
""",
    "cost": f"""
Accuracy against what making and training the network costs, as a multiple of training the unpruned network
once; a point a sparsity, joined along the grid. One panel counts every weight, as masked networks are really
computed; the other, where it was measured, only the weights that are there: what no masked network reaches
by itself. {_BARS} {_SPACED} {_MARKED}
""",
    "smaller": f"""
Accuracy of networks from which filters were really removed, against what is left of all parameters, of
the FLOPs of a forward pass of one example, and, where it was measured, of the seconds of one: each as a
share of what the same network has while filters are only masked, which is what the unpruned one has. A
point a sparsity; horizontal axes are logarithmic, smaller networks to the right, and each has its own.
Shares are means over seeds. Latency is that of one image on the CPU of whoever ran it, and differs
between machines. The dashed line is the unpruned network. {_BARS} {_SPACED} {_MARKED}
""",
    "places": """
Places in each range of sparsities: from 1 + the number of methods that are significantly better to the
number of methods less those that are significantly worse (each pair's own t test at 5 %, Holm over all pairs
of the setting and range). Methods with ablations are counted, too, and not drawn. Bars that
overlap may belong to methods that are told apart: the table of comparisons says of each pair whether it is.
""",
    "across": """
Difference to {after} averaged over settings, with a 95 % interval from a bootstrap over settings: what
another choice of networks and data sets might have given. Methods with fewer than three settings have none.
""",
    "find-accuracy": f"""
Test accuracy against the share of weights kept, a panel a method and the recipe that its networks were
trained and evaluated under, a line for each find: the recipe under which the network was trained that was
scored; "as eval" changes nothing. Grey: what no find concerns, random pruning and, dashed, the unpruned
network under the recipe of evaluation. Hollow, at 100 %: the unpruned network that was scored, as it was
then, under the find. Masks of one find are the same in all panels of a method; each panel has its own
vertical axis.
{_BARS} {_SPACED} {_MARKED}
""",
    "find-eval": """
Mean test accuracy at {at} sparsity by the recipe that found the mask (rows) and the one that its network
was trained and evaluated under (columns); lighter is better, and the best find of each column is bold.
Shades span a panel. Below the means their 95 % t intervals over seeds.
""",
    "distance-by-epoch": """
If the scored network had been pruned at the end of an epoch of its training, to the same density: how far
the share pruned of a layer would be from that of the mask that was made, as the mean of the absolute
difference over layers. At {at} sparsity, the lowest that was measured. Epoch 0 is the beginning. Bars are
95 % t intervals of means over seeds.
""",
    "ratios-by-epoch": """
The share of each layer that would be pruned if the scored network were pruned at the end of an epoch of its
training, to the same density, a panel a find. At {at} sparsity, the lowest that was measured; colours
follow layers from the input to the output. Bars are 95 % t intervals of means over seeds.
""",
    "mediation": """
A panel a recipe of evaluation. Above: test accuracy of networks whose masks keep in each layer the share
that one find keeps there (its ratios), of the weights that are largest under one find; and of random masks
at both finds' ratios. Below: by how much accuracy changes when B's ratios take the place of A's (the mean
over both finds' weights), when B's weights do (the mean over both finds' ratios), when both do, which is
the sum of the two, and when random masks have B's ratios in place of A's. Which find or method is A, and
which B, is said above the panels. Points are means over the seeds, changes are taken at each seed; bars are
95 % t intervals. A diverged run counts with the accuracy of a guess.
""",
    "profiles": """
In which share of the settings a method is at most so many margins below the best one there, the margin being
the difference that does not matter in a setting. The higher a line and the earlier, the better; at 0 it is
how often the method is the best.
""",
}


def caption(figure: str, **words: str) -> str:
    """Return the caption of a figure as one paragraph."""
    return " ".join(_CAPTIONS[figure].format(**words).split())
