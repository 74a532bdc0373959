"""What a job works with: store, host, data, device; and how it reads what was made before it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from prunebench.canonical import canonical
from prunebench.errors import DataError
from prunebench.host.components import Architecture, Initialization
from prunebench.host.datasets import examples_of, number_of_examples, parse_dataset, whole_of
from prunebench.host.registry import Host
from prunebench.isolation import isolated
from prunebench.isolation.threads import threads
from prunebench.jobs.binding import artifact_of
from prunebench.plan.facts import fingerprint, training_examples
from prunebench.plan.job import Job
from prunebench.plan.params import Filters
from prunebench.plan.uses import DataUse, InitUse, NetworkUse
from prunebench.store import Artifact, Missing, Store
from prunebench.training.images.files import anew
from prunebench.training.kernels import Kernels

if TYPE_CHECKING:
    from torch import nn

    from prunebench.pruning.filters import FilterGroups
    from prunebench.training.devices import Together
    from prunebench.training.images.data import Data

__all__ = ["Context", "InputChanged", "InputRefused"]

log = logging.getLogger("prunebench.jobs")


class InputRefused(Exception):
    """An input in the store was made from something else than the plan says: it is never used."""


class InputChanged(Exception):
    """An input came from a state that was made again with other bits: set aside, and to be made again."""

    def __init__(self, key: str, reason: str) -> None:
        super().__init__(reason)
        self.key = key


@dataclass
class Context:
    """Where a job runs: everything that it reads or writes goes through here."""

    store: Store
    host: Host
    data_root: Path
    jobs: Mapping[str, Job]
    device: str = "cpu"
    threads: int = 1
    kernels: Kernels = "dense"
    """Which kernels compute masked linear layers: a choice of the numerics class."""
    loaders: int | None = None
    """Processes that read streamed images; None: `default_loaders`. They change no result."""
    devices: Together | None = None
    """The devices that train a network together, of which this process is one; None: one alone."""
    together: Callable[[Job, int], None] | None = None
    """Runs a training job whose recipe wants so many devices, in processes of their own."""
    checkpoint_seconds: float = 60.0
    progress: Callable[[Job, int, int], None] | None = None
    """Called with a training job, its step and its last step."""
    suite: Mapping[str, Any] = field(default_factory=dict)
    identities: Mapping[str, Any] = field(default_factory=dict)
    _data: dict[Any, Data] = field(default_factory=dict)
    _steps: dict[str, list[int]] = field(default_factory=dict)
    _groups: dict[bytes, FilterGroups] = field(default_factory=dict)

    # -- reading -----------------------------------------------------------------------------------------

    def read(self, key: str) -> Artifact:
        """Return an input, verified: its checksum, and that it was made from what the plan says.

        Raises: Missing or Damaged (it has to be made again), InputRefused, InputChanged.
        """
        artifact = self.store.read_artifact(key, fits=self._fits(key))
        self.verify(key, artifact.meta)
        return artifact

    def meta(self, key: str) -> Mapping[str, Any]:
        """Return an input's metadata alone, verified like `read`."""
        meta = self.store.artifact_meta(key, fits=self._fits(key))
        if meta is None:
            raise Missing(f"artifact {key} is not in the store")
        self.verify(key, meta)
        return meta

    def _fits(self, key: str) -> Callable[[Mapping[str, Any]], str | None] | None:
        return artifact_of(self.jobs[key]) if key in self.jobs else None

    def verify(self, key: str, meta: Mapping[str, Any]) -> None:
        """Compare what an artifact was made from with the plan, and with what the store holds now.

        Training goes on whatever became of its inputs; scores and masks must come from the very state that
        is there (another key: refused; the same key, other bits: set aside and made again).
        """
        job = self.jobs.get(key)
        if job is None or job.kind not in ("score", "mask", "shuffle"):
            return
        made_from = meta.get("made_from", {})
        if list(made_from) != list(job.inputs):
            raise InputRefused(
                f"{job.kind} {key[:12]} in the store was made from {_short(made_from)}, "
                f"the plan says {_short(job.inputs)}: it is not used. Remove it, or use another store"
            )
        scored = meta.get("scored")
        planned = self.scored_state(job)
        if scored is None or scored.get("key") != planned:
            raise InputRefused(
                f"{job.kind} {key[:12]} scored the state {_short([scored and scored.get('key')])}, "
                f"the plan says {_short([planned])}: it is not used. Remove it, or use another store"
            )
        for source, digest in {**made_from, scored["key"]: scored["digest"]}.items():
            present = self.store.artifact_meta(source)
            if present is not None and present["digest"] != digest:
                reason = (
                    f"{job.kind} {key[:12]} was made from {source[:12]} as {digest[:8]}, "
                    f"which has been made again with other bits ({present['digest'][:8]})"
                )
                log.warning("%s: set aside and made again", reason)
                self.store.set_aside(key, reason)
                raise InputChanged(key, reason)

    def scored_state(self, job: Job) -> str:
        """Return the key of the state that a score, mask or shuffle job goes back to."""
        while job.kind != "train":
            job = self.jobs[job.inputs[0]]
        return job.key

    def steps(self, run: str) -> list[int]:
        """Return the steps at which the plan wants the state of a run."""
        if not self._steps:
            for key in self.jobs:
                of, at, step = key.partition("@")
                if at:
                    self._steps.setdefault(of, []).append(int(step))
        return self._steps.get(run, [])

    # -- building ----------------------------------------------------------------------------------------

    def network(self, described: NetworkUse, initialization: InitUse | None, seed: int) -> nn.Module:
        """Build a network on the CPU, with initial values drawn where an initialization is given."""
        import torch

        from prunebench.pruning.filters.known import built_as
        from prunebench.training.initialize import make_network

        architecture = cast(Architecture, self.host.get("architectures", described.name))

        def build() -> nn.Module:
            with isolated(self.host.who("architectures", described.name)):
                net = architecture.build(described.input, described.classes, **described.parameters)
            return built_as(net, canonical(described.plain()))

        if initialization is None:
            with torch.random.fork_rng(devices=[]):
                return build()
        component = cast(Initialization, self.host.get("initializations", initialization.name))
        with isolated(self.host.who("initializations", initialization.name)):
            return make_network(build, component.draw, seed, initialization.purpose)

    def groups(self, filters: Filters) -> FilterGroups:
        """Return which filters of a network go together, and what with them; kept in memory.

        Planning has looked whether removing them leaves the outputs as they are.
        """
        from prunebench.pruning.filters import filter_groups
        from prunebench.pruning.filters.known import remember

        key = canonical(filters.plain())
        if key not in self._groups:
            module = self.network(filters.architecture, None, 0)
            groups = filter_groups(
                module,
                input_shape=filters.architecture.input,
                of=filters.prunable.of,
                except_=filters.prunable.except_,
                check=False,
            )
            self._groups[key] = remember(module, groups)
        return self._groups[key]

    def data(self, part: DataUse, device: str, seed: int) -> Data:
        """Return a data set's split on a device, verified against the plan's fingerprint; kept in memory.

        Where only some training examples are asked for they are those that the seed draws.

        Raises: DataError where the files are missing, damaged, or others than the plan was made with.
        """
        whole, examples = whole_of(part.name), examples_of(part.name)
        key = (whole, part.fingerprint, part.split, device)
        if key not in self._data:
            if len(self._data) >= 2:
                self._data.pop(next(iter(self._data)))
            with anew(), isolated(self.host.who("datasets", parse_dataset(part.name)[0])):
                self._data[key] = self._load(whole, part, device)
        data = self._data[key]
        if examples is None:
            return data
        train = len(data.labels) + (len(data.evaluation_labels) if part.split == "val" else 0)
        number = int(number_of_examples(examples, train, whole))
        return data.drawn(training_examples(number, part.split), seed)

    def _load(self, name: str, part: DataUse, device: str) -> Data:
        import torch

        from prunebench.training.images.data import Data
        from prunebench.training.images.moments import channel_moments

        dataset = self.host.dataset(name)
        now = fingerprint(dataset, self.data_root)
        if now != part.fingerprint:
            raise DataError(
                f"data set '{dataset.name}' has changed since the plan was made "
                f"(fingerprint {part.fingerprint[:8]} then, {now[:8]} now): plan again"
            )
        held = dataset.description(self.data_root)
        train, test = (self._part(dataset.load(self.data_root, name)) for name in ("train", "test"))
        for what, (images, labels), count in (("train", train, held.train), ("test", test, held.test)):
            if len(images) != count or len(labels) != count or tuple(images.shape[1:]) != held.shape:
                raise DataError(
                    f"data set '{dataset.name}', {what}: found images {tuple(images.shape)} and "
                    f"{len(labels)} labels, declared are {count} of shape {held.shape}"
                )
        mean, std = held.mean, held.std
        if mean is None or std is None:
            if not isinstance(train[0], torch.Tensor):
                raise DataError(f"data set '{dataset.name}' streams: it must say its mean and deviation")
            mean, std = channel_moments(train[0])
        return Data.prepare(
            train, test, mean, std, held.classes, split=part.split, device=device, task=dataset.task
        )

    def _part(self, loaded: Any) -> Any:
        """Return (images, labels) of what a data set loads."""
        from prunebench.training.images.files import ImageFiles
        from prunebench.training.images.reading import ImagesOnDisk, default_loaders

        if isinstance(loaded, ImageFiles):
            loaders = default_loaders() if self.loaders is None else self.loaders
            return ImagesOnDisk(loaded, loaders=loaders), loaded.labels
        return loaded

    @contextmanager
    def arithmetic(self, device: str) -> Iterator[None]:
        """Deterministic algorithms and the declared number of threads, for the length of a job."""
        from prunebench.training.numerics import deterministic

        with threads(self.threads), deterministic(device):
            yield


def _short(keys: Any) -> str:
    return ", ".join(str(key)[:12] for key in keys) or "nothing"
