"""Quantiles of Student's t against the library's distribution function, and closed forms."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import special

from prunebench.analysis import student
from prunebench.analysis.student import t_quantile


@pytest.mark.parametrize("share", [0.5, 0.9, 0.95, 0.975, 0.995, 0.99999, 0.02])
def test_the_distribution_function_of_a_quantile_is_the_share(share: float) -> None:
    for freedom in (1, 2, 3, 4, 9, 29, 1000):
        assert special.stdtr(freedom, t_quantile(freedom, share)) == pytest.approx(share, rel=1e-13)


def test_two_closed_forms() -> None:
    """With one degree of freedom t is Cauchy's; with two it is 2q − 1 over √(2q(1 − q))."""
    assert t_quantile(1, 0.975) == pytest.approx(math.tan(math.pi * 0.475), rel=1e-12)
    assert t_quantile(2, 0.975) == pytest.approx(0.95 / math.sqrt(2 * 0.975 * 0.025), rel=1e-12)


def test_a_library_that_gives_nine_digits_changes_no_digit(monkeypatch: pytest.MonkeyPatch) -> None:
    """As SciPy 1.11 does."""
    exact = [float(t_quantile(n, 0.975)) for n in range(1, 30)]
    monkeypatch.setattr(student, "special", _Rough())
    assert [float(t_quantile(n, 0.975)) for n in range(1, 30)] == pytest.approx(exact, rel=1e-14)


class _Rough:
    stdtr, gammaln = special.stdtr, special.gammaln

    @staticmethod
    def stdtrit(freedom: object, share: object) -> object:
        return special.stdtrit(freedom, share) * (1 + 3e-9)


def test_what_is_no_number_stays_so() -> None:
    assert np.isnan(t_quantile(np.nan, 0.975))
    assert t_quantile(np.array([2.0, np.nan]), 0.975).shape == (2,)
