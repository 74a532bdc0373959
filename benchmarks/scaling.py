"""How long the joint law of a family takes to be fitted: 4,301 points of 152 networks.

As many as the CIFAR-10 family of Rosenfeld et al. 2021 has. Measured in seconds of this process's processor
time, on one core, so that others on the machine do not count. The same fit without the law's derivatives is
timed beside it.

python benchmarks/scaling.py
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

for library in ("OMP", "OPENBLAS", "MKL"):
    os.environ.setdefault(f"{library}_NUM_THREADS", "1")
sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

POINTS, NETWORKS, STARTS, RESAMPLES = 4301, 152, 50, 1000
FIT_SECONDS, BOOTSTRAP_SECONDS = 5.0, 120.0


def timed(call: Callable[[], Any]) -> tuple[Any, float]:
    began = time.process_time()
    return call(), time.process_time() - began


def main() -> int:
    import numpy as np
    from scaling_families import family, noisy

    from prunebench.host import Host
    from prunebench.scaling.fit import fit
    from prunebench.scaling.fit.resampling import bootstrap

    form = Host.builtin_forms()["rosenfeld"]
    points = noisy(family((8, 14, 20, 26, 50, 98), 2.0 ** np.arange(-4, 3), (1, 2, 4, 8), 41), 0.04, 0)
    rng = np.random.default_rng(0)
    points = points.rows(np.isin(points.network, rng.choice(points.networks(), NETWORKS, replace=False)))
    points = points.rows(np.sort(rng.choice(len(points), POINTS, replace=False)))
    made, seconds = timed(lambda: fit(form, points, starts=STARTS))
    plain, without = timed(lambda: fit(replace(form, gradient=None), points, starts=STARTS))
    drawn, more = timed(lambda: bootstrap(made, points, resamples=RESAMPLES))
    print(f"{len(points):,} points of {points.networks()} networks, one core")
    print(f"fit, {STARTS} starts       {seconds:7.2f} s   {made.reached:.0%} reach the optimum")
    print(f"without derivatives  {without:7.2f} s   {without / seconds:.1f} times as long")
    print(f"{RESAMPLES:,} bootstrap fits  {more:7.2f} s")
    assert abs(plain.parameters["gamma"] / made.parameters["gamma"] - 1) < 1e-4
    assert drawn.bootstrap is not None
    return int(seconds > FIT_SECONDS or more > BOOTSTRAP_SECONDS)


if __name__ == "__main__":
    sys.exit(main())
