"""Which jobs take about as long as each other, and how many seconds each is assumed to take (no torch)."""

from __future__ import annotations

from prunebench.plan.job import Job
from prunebench.plan.params import MaskInRounds, MeasureParams, ScoreParams, TrainParams
from prunebench.plan.uses import NetworkUse

__all__ = ["Sort", "sort_of"]

Sort = tuple[str, str]
"""What is done, and of what: such jobs differ in their length by their arithmetic alone."""


def sort_of(job: Job) -> Sort:
    """Return what a job does, and with which network and data set, as far as its time depends on them.

    So "score grasp" is another sort than "score snip", and "train" of resnet20 on cifar10 than on anything
    else; a density, a seed or a number of steps makes no other sort.
    """
    params = job.params
    network = "" if params.network is None else _called(params.network)
    if isinstance(params, TrainParams):
        devices = params.run.recipe.devices
        return "train", f"{network} {params.run.data.name}{f' on {devices}' if devices else ''}"
    if isinstance(params, ScoreParams):
        return f"score {params.scorer.name}", _with_data(network, params)
    if isinstance(params, MaskInRounds):
        return f"mask {params.scoring.scorer.name}", _with_data(network, params.scoring)
    if isinstance(params, MeasureParams):
        return f"measure {params.diagnostic.name}", network
    return job.kind, network


def _called(network: NetworkUse) -> str:
    parameters = ",".join(f"{name}={value}" for name, value in network.parameters.items())
    return f"{network.name}[{parameters}]"[:200] if parameters else network.name


def _with_data(network: str, scoring: ScoreParams) -> str:
    return network if scoring.data is None else f"{network} {scoring.data.name}"
