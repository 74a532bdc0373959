"""Asking a fitted law: errors of networks that were not trained, and the smallest that is good enough.

law: a fit with what it takes to ask it, written to a file and read back
members: networks of its family, their errors at a density
fewest: which member, pruned how far, has the fewest weights at an error
cautions: what is to be said of an answer that the law was not made for
"""

from prunebench.scaling.law.law import (
    UNPRUNED,
    Family,
    Law,
    forms_in,
    law_of,
    proxy,
    unpruned_fit,
    with_size,
)

__all__ = ["UNPRUNED", "Family", "Law", "forms_in", "law_of", "proxy", "unpruned_fit", "with_size"]
