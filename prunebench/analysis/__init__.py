"""The table of cells, and what it says: statistics over seeds, ranges of sparsity, places.

Everything is a pure function of a pandas DataFrame; docs/statistics.md gives reasons and formulas.
"""

from prunebench.analysis.across import ACROSS, PROFILE, across, profile
from prunebench.analysis.borders import Border
from prunebench.analysis.courses import COURSES, courses
from prunebench.analysis.layers import EmptyLayer, empty_layers
from prunebench.analysis.measures import MEASURE, fields_of, measures, ratios, summarize_measures
from prunebench.analysis.multiple import holm
from prunebench.analysis.names import same_bits
from prunebench.analysis.places import places
from prunebench.analysis.power import seeds_needed
from prunebench.analysis.ranges import (
    AT_RANGE,
    RANGES,
    Ranges,
    find_ranges,
    margin_of,
    over_ranges,
)
from prunebench.analysis.statistics import AT_SPARSITY, against, compare, paired, summarize
from prunebench.analysis.table import (
    COLUMNS,
    SETTING,
    STATUSES,
    VARIANT,
    lend_baselines,
    table,
    variant_name,
)

__all__ = [
    "ACROSS",
    "AT_RANGE",
    "AT_SPARSITY",
    "COLUMNS",
    "COURSES",
    "MEASURE",
    "PROFILE",
    "RANGES",
    "SETTING",
    "STATUSES",
    "VARIANT",
    "Border",
    "EmptyLayer",
    "Ranges",
    "across",
    "against",
    "compare",
    "courses",
    "empty_layers",
    "fields_of",
    "find_ranges",
    "holm",
    "lend_baselines",
    "margin_of",
    "measures",
    "over_ranges",
    "paired",
    "places",
    "profile",
    "ratios",
    "same_bits",
    "seeds_needed",
    "summarize",
    "summarize_measures",
    "table",
    "variant_name",
]
