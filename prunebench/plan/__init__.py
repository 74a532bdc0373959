"""Cells to jobs: keys, the graph, the frozen plan."""

from prunebench.plan.job import JOB_VERSIONS, Job, state_key
from prunebench.plan.plan import Plan
from prunebench.plan.planner import PlannedCell
from prunebench.plan.reasons import Earlier, reason

__all__ = ["JOB_VERSIONS", "Earlier", "Job", "Plan", "PlannedCell", "reason", "state_key"]
