"""How many processes a command starts, and which GPUs each may use."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any

from prunebench.cores import usable_cores
from prunebench.engine.devices.slots import Workforce

if TYPE_CHECKING:
    from prunebench.cli._overview import Overview
    from prunebench.engine.fronts import Front
    from prunebench.engine.on_pytest.preforked import Preforked
    from prunebench.engine.request import Request

__all__ = ["fork_workers", "settle", "workforce_of"]


def workforce_of(options: Mapping[str, Any], request: Request, front: Front | None = None) -> Workforce:
    """Return the processes that -n and what is beside it mean: how many, and what each may use.

    Where cells are made elsewhere the front says it.

    Raises: UsageError.
    """
    from prunebench.engine.devices.gpus import gpus_here
    from prunebench.engine.devices.slots import workforce

    asked, per_gpu = options["workers"], options["workers_per_gpu"]
    if front is not None:
        return front.workforce()
    return workforce(
        "auto" if asked is None and per_gpu != "1" else asked,
        request.device,
        gpus_here,
        cores=lambda: max(1, usable_cores() // options.get("threads", 1)),
        per_gpu=1 if per_gpu == "auto" else int(per_gpu),
        per_worker=options["gpus_per_worker"],
    )


def fork_workers(options: Mapping[str, Any], front: Front | None) -> AbstractContextManager[Preforked | None]:
    """Fork the workers of this machine, in a process of its own that knows nothing yet: what -n says, and no
    more than cores, since neither a plan nor a GPU has been looked at.
    """
    asked = options["workers"]
    if asked is None or front is not None:
        return nullcontext()
    from prunebench.engine.on_pytest.preforked import prefork

    cores = usable_cores()
    return prefork(min(cores, cores // options.get("threads", 1) if asked == "auto" else int(asked)))


def settle(overview: Overview, options: Mapping[str, Any]) -> str:
    """Decide how many workers share a GPU where `--workers-per-gpu auto` leaves that open; return why.

    "" where it is not open, or there is nothing to do.

    Raises: UsageError for more workers than slots.
    """
    request = overview.session.request
    if options["workers_per_gpu"] != "auto" or request.device == "cpu" or not overview.remaining:
        return ""
    from prunebench.engine.devices.device import index_of
    from prunebench.engine.devices.gpus import gpus_here
    from prunebench.engine.devices.sharing import workers_a_gpu
    from prunebench.inventory.fitting import most_needed
    from prunebench.inventory.sharing import done_together, seconds_a_step

    index = index_of(request.device)
    seen = gpus_here()
    gpus = seen if index is None else seen[index : index + 1]
    if not gpus or options.get("engine", "local") != "local":
        return ""
    plan, model = overview.session.plan, gpus[0].model
    sharing = workers_a_gpu(
        free=min(gpu.free for gpu in gpus),
        need=most_needed(overview.snapshot, overview.cells, overview.session.host),
        cores=usable_cores() // len(gpus),
        together=done_together(plan, overview.store, model),
        step=seconds_a_step(plan, overview.remaining, model),
    )
    overview.workforce = workforce_of({**options, "workers_per_gpu": str(sharing.workers)}, request)
    return f"workers on each GPU: {sharing.workers} ({sharing.why})"
