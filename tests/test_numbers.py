"""Numbers are written once, from what was computed; what the page is given is written alike."""

from __future__ import annotations

import math
from decimal import ROUND_HALF_EVEN, ROUND_HALF_UP, Decimal

import hypothesis.strategies as st
import pytest
from hypothesis import example, given, settings

from prunebench.numbers import FORMS, form_of, shortened, spelled
from prunebench.percent import percent_labels

NUMBERS = st.one_of(
    st.floats(-1e9, 1e9),
    st.integers(-4000, 4000).map(lambda k: k / 8),
    st.integers(0, 20000).map(lambda k: k / 200),
    st.tuples(st.integers(0, 10000), st.integers(0, 10000)).map(lambda two: (two[0] + two[1]) / 200),
)


def javascript(value: float, digits: int) -> str:
    """What toFixed writes: halves go up."""
    return f"{Decimal(value).quantize(Decimal(1).scaleb(-digits), ROUND_HALF_UP):f}"


@given(NUMBERS)
def test_an_accuracy_is_the_exact_value_rounded_to_two_decimals(value: float) -> None:
    exact = Decimal(value).quantize(Decimal("0.01"), ROUND_HALF_EVEN)
    assert Decimal(spelled(value, "points")) == exact
    assert Decimal(spelled(value, "difference")) == exact
    assert spelled(value, "difference").startswith("+") == (exact > 0)


@settings(max_examples=300)
@given(NUMBERS)
@example(96.29499999999999)
@example(96.125)
@example(-0.005)
def test_a_shortened_number_is_written_as_the_whole_one(value: float) -> None:
    """With any number of decimals that tables have, by Python and by JavaScript."""
    short = shortened(value)
    assert math.isclose(short, value, rel_tol=2e-5)
    for digits in range(5):
        if abs(value) * 10**digits < 1e12:
            assert float(javascript(short, digits)) == float(f"{value:.{digits}f}")


@given(NUMBERS, st.sampled_from(sorted(FORMS)))
def test_a_shortened_number_of_a_form_is_written_as_the_whole_one(value: float, form: str) -> None:
    assert spelled(shortened(value, 4, form), form) == spelled(value, form)


@pytest.mark.parametrize(
    ("value", "form", "text"),
    [
        (136294, "count", "136,294"),
        (-0.2, "count", "0"),
        (999.6, "amount", "1 k"),
        (999_600, "amount", "1 M"),
        (2.03e22, "amount", "20,300 E"),
        (0, "amount", "0"),
        (0.9996, "seconds", "1 s"),
        (0, "seconds", "0 s"),
        (75, "seconds", "75 s"),
        (3600 * 5000, "seconds", "5,000 h"),
        (1.0, "share", "100 %"),
        (0.99954, "share", "99.95 %"),
        (0.5, "difference", "+0.50"),
        (-0.004, "difference", "0.00"),
        (0.0004, "p", "<0.001"),
        (0.05, "p", "0.050"),
        (1.0016, "exact", "1.0016"),
        (0.0123456, "effect", "+0.0123"),
        (-math.inf, "effect", "-infinite"),
        (25000.4, "quantity", "25,000"),
        (0.00001, "quantity", "1e-05"),
    ],
)
def test_each_kind_has_its_own_way(value: float, form: str, text: str) -> None:
    assert spelled(value, form) == text


def test_the_effect_of_a_check_is_in_points_where_its_quantity_is() -> None:
    assert form_of("accuracy") == form_of("drop") == "difference"
    assert form_of("accuracy", "ratio") == form_of("measure:effective-density.density") == "effect"


def test_the_same_sparsity_has_the_same_label_whatever_its_last_bits() -> None:
    assert [*percent_labels([0.1, 0.9625]).values()] == [*percent_labels([0.1, 0.9625000000000001]).values()]
