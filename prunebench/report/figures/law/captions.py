"""What stands below each figure of a law: what is shown, and how it is read."""

from __future__ import annotations

__all__ = ["caption"]

_CAPTIONS = {
    "curves": """
Top-1 test error against the share of prunable weights that is kept, by {by}; a panel a place where
everything else is fixed, all on the same axes. Marks are means over seeds, bars reach from the lowest to
the highest seed, lines are the law with one set of coefficients for all networks. From the left each curve
is flat at the unpruned error, then a power law (a straight line here), then flat at the high-error plateau.
Below, by how much the law is off: (law − measured) / measured; what leaves the axis stands at its
edge.{more}
""",
    "actual": """
The error that the law estimates against the error that was measured, both on logarithmic axes; a mark a
network and density, mean over seeds. On the diagonal both are equal; the dotted lines are 10 % off. Each
panel colours the same marks by another dimension. µ and σ are mean and standard deviation of (law −
measured) / measured: of the marks, and of every seed apart, as `prunebench fit` has them.
""",
    "left-out": """
Estimated against measured error of each network, where the estimate is of a law that was fitted to all
other networks; a mark a network and density, mean over seeds, the same in every panel. On the diagonal both
are equal; the dotted lines are 10 % off. µ and σ beside those of interpolation between the other networks
on logarithmic scales, which a law has to beat.
""",
    "invariant": """
Error against {invariant}, which the law says is all that counts in the power-law region: there networks of
different {varied} lie on one line, a panel an amount of data. Where they leave it each is at its own
unpruned error, on the left. Marks are means over seeds; the dashed line is the law's power law, error_up ·
(p / m)^γ.
""",
    "contours": """
Which networks have the same error. A line is the law's at one error, through all {scales} between the
measured ones, with the unpruned error between them interpolated on logarithmic scales; a mark is a measured
network at the density at which its errors (means over seeds, straight between two densities on logarithmic
scales) last reach that error. Small networks pruned a little and large ones pruned a lot lie on one line.
A line ends where the widest or deepest measured network is, or at a network that is not as good even
unpruned.
""",
    "needed": """
How many networks a law needs: mean and standard deviation over {draws} random choices of so many networks,
with all their densities, to which the law is fitted and then judged on all points (means over seeds). Left
µ, right σ of its relative error; bars are one standard deviation between the choices. Rosenfeld et al. find
about 15 networks enough.
""",
    "fewest": """
The fewest {weights} at which one of the measured networks on the most data reaches an error, by the law:
the thick line, whose marks say which width or depth it is. Thin lines are networks pruned further and
further (of more than eight those that are the smallest somewhere). Rings are the network that the
analytic solution chooses, which counts depth · width² · density; crosses the smallest network that was
measured to be as good.
""",
    "extrapolated": """
A law fitted to small networks alone ({small}), on the most data, and what it says of larger ones: those
that are in no dimension smaller. Left, error against {weights}: small marks what was measured, blue lines
the law where it was fitted, red where it is extrapolated. Right, estimated against measured error in the
same colours, with µ and σ of each. The law knows each network's unpruned error.
""",
    "against": """
Error against density above the plateau, on the most data: marks what was measured, blue Eq. 8 of Rosenfeld
et al. (2021), the law's own lower transition, red and dashed Eq. 6, the form that errors of unpruned
networks have by size, made to meet the unpruned error at density 1. Both have two coefficients, fitted to
each network by itself. Below, by how much each is off: (form − measured) / measured. Fitted are means over
seeds, of six networks at most; `prunebench fit --against-unpruned` fits every network on any data, to each
seed's errors, so that what it counts differs. The paper finds that Eq. 6 deviates noticeably.
""",
    "unpruned": """
Error of networks that are not pruned against {by}, a line an amount of data: grey what was measured, red b
· x^(−β) + c fitted to it (Eq. 5 of Rosenfeld et al. 2021), which is how size acts without pruning.
""",
}


def caption(figure: str, **words: str) -> str:
    """Return the caption of a figure as one paragraph."""
    return " ".join(_CAPTIONS[figure].format(**words).split())
