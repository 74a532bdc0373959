"""Cells to jobs: keys, the graph, the frozen plan.

make: a suite and a host to a plan, the one way in
plan: the plan itself, and what of it is still to do
cells: a cell to its jobs, and what a planned cell says
method, runs, scoring, courses: the jobs of a method, of trainings, of scorings; what a network goes through
setting, facts, cost: network and data that cells share, their shapes and sizes, the cost of a forward pass
job, params, mask_params, plain: a job, what each kind is asked, and how that is written as JSON and read back
builder: collects jobs, each once under its key
frozen: the plan as JSON, and back
refusals, reasons: why cells cannot be planned; why they have to run
"""

from prunebench.plan.cells import PlannedCell
from prunebench.plan.job import JOB_VERSIONS, Job, state_key
from prunebench.plan.plan import Plan
from prunebench.plan.reasons import Earlier, reason

__all__ = ["JOB_VERSIONS", "Earlier", "Job", "Plan", "PlannedCell", "reason", "state_key"]
