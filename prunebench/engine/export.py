"""A finished cell's weights and mask as one file that needs no prunebench to read."""

from __future__ import annotations

import contextlib
import io
import os
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import orjson

from prunebench._version import __version__
from prunebench.engine.binding import record_of
from prunebench.engine.local import JobFailed
from prunebench.engine.session import Request, Session, read_frozen
from prunebench.errors import StoreError, UsageError
from prunebench.jobs.binding import artifact_of
from prunebench.plan import Job, Plan, PlannedCell
from prunebench.store import Damaged, Missing, Record, Store

if TYPE_CHECKING:
    import torch

    from prunebench.host.registry import Host

__all__ = ["Exported", "Found", "JobFailed", "export", "find_cell"]

Format = Literal["safetensors", "pt"]
_PREFIX = 6
"""Characters of a key that must be given at least."""
_KIND_OF = {
    "architecture": "architectures",
    "init": "initializations",
    "data": "datasets",
    "scorer": "scorers",
}
"""Where a job's parameters name a component, and which kind it is."""


@dataclass(frozen=True)
class Found:
    """A finished cell, and the frozen plan that says how it is made."""

    path: Path
    plan: Plan
    cell: PlannedCell
    record: Record

    @property
    def state(self) -> str:
        """The key of the cell's end state."""
        return self.plan.jobs[self.cell.key].inputs[0]


@dataclass(frozen=True)
class Exported:
    """What was written, and where it came from."""

    path: Path
    found: Found
    made_again: int
    """Jobs that had to run again because their outputs had been dropped; 0 where the weights were there."""
    agrees: bool
    """Whether the weights' last evaluation is the record's."""
    metadata: Mapping[str, str]


def find_cell(store: Store, wanted: str, suite: str | None = None) -> Found:
    """Return the finished cell of a record's key, of a prefix of at least six characters, or matrix::cell.

    Raises: UsageError where there is none, or more than one; StoreError.
    """
    if "::" in wanted and suite is None:
        raise UsageError(
            f"'{wanted}' is a cell's name: say of which suite with --suite SUITE, or give its key"
        )
    key = None if "::" in wanted else _whole_key(store, wanted)
    known = False
    for path in reversed(store.plans(suite)):
        try:
            plan = read_frozen(path, store, mentions=key or wanted.split("::", 1)[1])
        except (Missing, Damaged):
            continue
        if plan is None:
            continue
        for cell in plan.cells:
            if cell.key == key or cell.id == wanted:
                known = True
                if store.has_record(cell.key):
                    record = store.read_record(cell.key, record_of(plan, cell.key))
                    return Found(path, plan, cell, record)
    if known:
        raise UsageError(
            f"{wanted} has no record: it has not been run to the end (`prunebench run` does that)"
        )
    if key is not None:
        raise UsageError(
            f"record {key[:12]} is in no frozen plan of {store.root}: run its suite once more, then export"
        )
    raise UsageError(f"no frozen plan of suite '{suite}' in {store.root} has a cell {wanted}")


def _whole_key(store: Store, wanted: str) -> str:
    prefix = wanted.lower()
    if not set(prefix) <= set("0123456789abcdef") or not _PREFIX <= len(prefix) <= 64:
        raise UsageError(
            f"'{wanted}' is no key; allowed: a record's key or at least its first {_PREFIX} characters "
            "(`prunebench plan SUITE --cells` lists them), or matrix::cell with --suite"
        )
    matches = sorted(key for key in store.record_keys() if key.startswith(prefix))
    if len(matches) > 1:
        some = ", ".join(key[:16] for key in matches[:4])
        raise UsageError(
            f"'{wanted}' is the beginning of {len(matches)} records' keys ({some}, …): give more of it"
        )
    if not matches:
        raise UsageError(f"no record in {store.root} has a key that begins with '{wanted}'")
    return matches[0]


def export(
    found: Found,
    store: Store,
    request: Request,
    host: Host,
    output: Path,
    *,
    format: Format = "safetensors",
    force: bool = False,
) -> Exported:
    """Write a cell's weights and mask to a file, atomically.

    safetensors: the module's own state dict, boolean tensors `mask.NAME`, and metadata about the cell.
    pt: a dict {"state_dict": …, "mask": {NAME: …}}. Of an unpruned cell there is no mask.
    A state that was dropped is made again, in `store`, and dropped again afterwards.

    Raises: UsageError where the cell diverged, a component is another now, or the file exists; JobFailed;
    StoreError where the file cannot be written.
    """
    result = found.record.result
    if result["outcome"] == "diverged":
        step = result["diverged"]["step"]
        raise UsageError(f"{found.cell.id} diverged at step {step}: there are no weights to export")
    if output.exists() and not force:
        raise UsageError(f"{output} exists: give another name with -o FILE, or --force to replace it")
    if not output.parent.is_dir() or not os.access(output.parent, os.W_OK):
        there = "cannot be written to" if output.parent.is_dir() else "does not exist"
        raise UsageError(f"the folder {output.parent} {there}: give another file with -o FILE")
    session = Session(request, host, found.plan, None, found.path)
    state, made = _state(session, store, found.state, found.cell)
    module = _module(session, store, found.state)
    state.load_into(module)
    weights = {name: tensor.detach().contiguous().clone() for name, tensor in module.state_dict().items()}
    masks = {name: state.mask[name].clone() for name in state.mask} if state.mask is not None else {}
    agrees = _agrees(state.curve, result)
    metadata = _metadata(found, agrees)
    _write(output, weights, masks, metadata, format, force)
    return Exported(output, found, len(made), agrees, metadata)


def _state(session: Session, store: Store, key: str, cell: PlannedCell) -> tuple[Any, list[Job]]:
    """Return the end state, and the jobs that had to run again for it."""
    from prunebench.jobs.states import unpack_state

    made: list[Job] = []
    fits = artifact_of(session.plan.jobs[key])
    if not store.has_artifact(key):
        check_components(session, key)
        session.ready([cell])
        store = Store.open(store.root, create=False)
        engine = session.engine(store)
        try:
            engine.make_key(key)
            artifact = store.read_artifact(key, fits=fits)
        finally:
            made = list(engine.made)
            for job in made:
                if job.key == key or job.kind == "score":
                    store.drop_artifact(job.key)
    else:
        artifact = store.read_artifact(key, fits=fits)
    if artifact.meta.get("diverged"):
        raise UsageError(
            f"made again, the run diverged at step {artifact.meta['diverged']['step']}: nothing to export"
        )
    return unpack_state(artifact), made


def check_components(session: Session, key: str) -> None:
    """Refuse to make anything again with components other than the frozen plan's.

    Raises: UsageError, naming the component and both identities.
    """
    for ancestor in session.plan.ancestors(key):
        for kind, name, planned in _components(session.plan.jobs[ancestor].params):
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


def _components(value: Any, inside: str = "") -> Sequence[tuple[str, str, Mapping[str, Any]]]:
    found: list[tuple[str, str, Mapping[str, Any]]] = []
    if isinstance(value, Mapping):
        if inside in _KIND_OF and isinstance(value.get("identity"), Mapping):
            found.append((_KIND_OF[inside], str(value["name"]), value["identity"]))
        for name, item in value.items():
            found.extend(_components(item, name))
    return found


def _short(identity: Mapping[str, Any]) -> str:
    return str(identity.get("version") or str(identity.get("digest", "?"))[:8])


def _module(session: Session, store: Store, key: str) -> Any:
    """Return the cell's network, its values still to be loaded."""
    run = session.plan.jobs[key].params["run"]
    return session.engine(store).context.network(run["architecture"], None, run["seed"])


def _agrees(curve: Sequence[Mapping[str, Any]], result: Mapping[str, Any]) -> bool:
    names = ("correct", "examples")
    return bool(curve) and all(curve[-1].get(name) == result["test"][name] for name in names)


def _metadata(found: Found, agrees: bool) -> dict[str, str]:
    """Return what the file says of itself: strings, as safetensors wants."""
    record, plan = found.record, found.plan
    about = {
        "cell": found.cell.id,
        "key": found.cell.key,
        "suite": {name: plan.suite.get(name) for name in ("name", "version", "digest")},
        "resolved": record.result["cell"],
        "test": record.result["test"],
        "made_again_with_other_bits": not agrees,
        "components": record.provenance.get("components"),
        "numerics": record.provenance.get("numerics"),
        "prunebench": __version__,
    }
    return {"format": "pt", "prunebench": orjson.dumps(about).decode()}


def _write(
    output: Path,
    weights: Mapping[str, torch.Tensor],
    masks: Mapping[str, torch.Tensor],
    metadata: dict[str, str],
    format: Format,
    force: bool,
) -> None:
    if format == "pt":
        import torch

        buffer = io.BytesIO()
        torch.save({"state_dict": dict(weights), "mask": dict(masks)}, buffer)
        content = buffer.getvalue()
    else:
        from safetensors.torch import save

        named = {f"mask.{name}": mask for name, mask in masks.items()}
        content = save({**weights, **named}, metadata=metadata)
    temporary = output.with_name(f".{output.name}.{secrets.token_hex(4)}.tmp")
    try:
        with temporary.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        _publish(temporary, output, force)
    except FileExistsError as error:
        raise UsageError(f"{output} exists: give another name with -o FILE, or --force") from error
    except OSError as error:
        raise StoreError(f"cannot write {output}: {error.strerror or error}") from error
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)


def _publish(temporary: Path, output: Path, force: bool) -> None:
    """Make the file visible whole; without `force` never in place of another."""
    if force:
        os.replace(temporary, output)
        return
    try:
        os.link(temporary, output)
    except FileExistsError:
        raise
    except OSError:  # no hard links here
        if output.exists():
            raise FileExistsError(str(output)) from None
        os.replace(temporary, output)
