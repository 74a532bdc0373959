"""The weights of a finished cell: read from the store, or made again where its state was dropped."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from prunebench.engine.session import Session
from prunebench.errors import UsageError
from prunebench.inventory.finished import FinishedCell
from prunebench.jobs.binding import artifact_of
from prunebench.plan import PlannedCell
from prunebench.plan.params import TrainParams, components
from prunebench.store import Artifact, Store

if TYPE_CHECKING:
    from torch import nn

    from prunebench.training.state import State

__all__ = ["Weights", "check_components", "weights"]


@dataclass(frozen=True)
class Weights:
    """The network of a finished cell."""

    network: nn.Module
    """With the values of `state`."""
    state: State
    made_again: int
    """Jobs that had to run again because their outputs had been dropped; 0 where the weights were there."""


def weights(session: Session, store: Store, finished: FinishedCell) -> Weights:
    """Return a finished cell's weights; a state that was dropped is made again, and dropped again.

    Raises: UsageError where the cell diverged, or a component is another now; JobFailed; StoreError.
    """
    from prunebench.jobs.states import unpack_state

    result = finished.record.result
    if result["outcome"] == "diverged":
        step = result["diverged"]["step"]
        raise UsageError(f"{finished.cell.id} diverged at step {step}: there are no weights to export")
    artifact, made_again = _end_state(session, store, finished.state, finished.cell)
    if artifact.meta.get("diverged"):
        raise UsageError(
            f"made again, the run diverged at step {artifact.meta['diverged']['step']}: nothing to export"
        )
    state = unpack_state(artifact)
    run = session.plan.jobs[finished.state].params_as(TrainParams).run
    network = session.worker(store).context.network(run.architecture, None, run.seed)
    state.load_into(network)
    return Weights(network, state, made_again)


def _end_state(session: Session, store: Store, key: str, cell: PlannedCell) -> tuple[Artifact, int]:
    """Return the end state, and the number of jobs that had to run again for it."""
    fits = artifact_of(session.plan.jobs[key])
    if store.has_artifact(key):
        return store.read_artifact(key, fits=fits), 0
    check_components(session, key)
    session.ready([cell])
    store = Store.open(store.root, create=False)
    worker = session.worker(store)
    try:
        worker.make_key(key)
        return store.read_artifact(key, fits=fits), len(worker.made)
    finally:
        for job in worker.made:
            if job.key == key or job.kind == "score":
                store.drop_artifact(job.key)


def check_components(session: Session, key: str) -> None:
    """Refuse to make anything again with components other than the frozen plan's.

    Raises: UsageError, naming the component and both identities.
    """
    for ancestor in session.plan.ancestors(key):
        for kind, name, planned in components(session.plan.jobs[ancestor].params):
            now = session.host.identity(kind, name)
            if dict(now) != dict(planned):
                if now.get("rule") != planned.get("rule") and "version" not in now:
                    raise UsageError(
                        f"the cell's weights were dropped, and {kind[:-1]} '{name}' is identified by another "
                        "rule since: run the suite again to make them"
                    )
                raise UsageError(
                    f"the cell's weights were dropped, and {kind[:-1]} '{name}' has changed since: "
                    f"{_short(planned)} then, {_short(now)} now; they cannot be made again with this one"
                )


def _short(identity: Mapping[str, Any]) -> str:
    return str(identity.get("version") or str(identity.get("digest", "?"))[:8])
