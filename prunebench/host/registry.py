"""The host: loads plugins one by one and hands out what they registered."""

from __future__ import annotations

import hashlib
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from prunebench import stopping
from prunebench.errors import PluginError, UsageError, nearest
from prunebench.host._discovery import Found, builtin, chosen, find
from prunebench.host._faults import Fault, fault_of
from prunebench.host._hooks import Refused, collect, new_manager
from prunebench.host._part import part_of
from prunebench.host._plugin_file import FileImporter
from prunebench.host.components import KINDS, Component, Dataset, Method, Origin, Quantity
from prunebench.host.datasets import EXAMPLES, parse_dataset, spell_dataset
from prunebench.host.form import Form, ScorerCall
from prunebench.host.identity import Grounds, component_identity, grounds_of
from prunebench.isolation import Watch, isolated, listed, settle

__all__ = ["Host", "Problem"]

SLOW = 2.0
"""An import of somebody else's plugin that takes more seconds than this is told."""

_KIND_OF = {plural: kind.kind for plural, kind in KINDS.items()} | {k.kind: k.kind for k in KINDS.values()}


@dataclass(frozen=True)
class Problem:
    """A plugin of somebody else's that was not loaded, and why."""

    plugin: str
    distribution: str | None
    version: str | None
    error: str
    """What went wrong, in a line."""
    traceback: str = ""
    """Where, formatted; empty where the plugin was imported and what it registers was refused."""

    @property
    def origin(self) -> Origin:
        """The plugin, as components name theirs."""
        return Origin(self.plugin, self.distribution, self.version)

    def __str__(self) -> str:
        return f"plugin {self.origin} was not loaded: {self.error}"


class _Entry(NamedTuple):
    component: Component
    origin: Origin
    folder: Path | None


def _digest(path: Path) -> str | None:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError:  # loading it says what is wrong
        return None


@contextmanager
def _leaving_no_trace(package: str | None) -> Iterator[None]:
    """Import a plugin of others; whatever that sets is put back.

    Raises: Refused where it changed what others' results are made with. The modules of its package are then
    forgotten, so that loading it again finds the same.
    """
    watch = Watch()
    try:
        yield
    except BaseException:
        watch.put_back()
        raise
    if changed := watch.put_back():
        for name in [name for name in sys.modules if name.partition(".")[0] == package]:
            del sys.modules[name]
        raise Refused(f"importing it {listed(changed)}: others' results would change")


class Host:
    """All registered components, by kind ("scorer" or "scorers", …) and name."""

    def __init__(self) -> None:
        self.plugins: list[Origin] = []
        """Every plugin that was loaded, in order: built-in ones, plugin files, others."""
        self.problems: list[Problem] = []
        """Every plugin that was not."""
        self.slow: list[tuple[Origin, float]] = []
        """Every plugin of others whose import took long, and how many seconds."""
        self._manager = new_manager()
        self._entries: dict[str, dict[str, _Entry]] = {kind.kind: {} for kind in KINDS.values()}
        self._identities: dict[tuple[str, str], dict[str, Any]] = {}
        self._ablated: dict[tuple[str, str], Any] = {}

    @classmethod
    def load(
        cls,
        *,
        plugins: Sequence[Path | str] = (),
        third_party: bool = True,
        only: Sequence[str] | None = None,
    ) -> Host:
        """Load the built-in plugins, then plugin files, then other distributions'.

        A plugin is loaded wholly or not at all. What fails in another distribution's is noted in `problems`.

        Args:
            plugins: Python files that are plugins.
            third_party: whether other distributions' plugins are loaded.
            only: entry points or distributions to load of these, whatever `third_party` says.

        Raises: PluginError for a built-in plugin or a plugin file that fails, UsageError for a name in
        `only` that is not installed.
        """
        host = cls()
        installed = chosen(find(), third_party=third_party, only=only)
        builtin = [f for f in installed if f.builtin]
        if not builtin:
            raise PluginError(
                "prunebench is not installed here, so it has no plugins: `pip install -e .` does that"
            )
        for plugin in builtin:
            host._load_or_raise(plugin.origin, plugin.load)
        if plugins or len(builtin) < len(installed):
            settle()
        importer = FileImporter()
        for path in dict.fromkeys(Path(plugin).expanduser().resolve() for plugin in plugins):
            origin = Origin(str(path), digest=_digest(path))
            host._load_or_raise(origin, partial(importer.load, path), path.parent)
        for plugin in installed:
            if not plugin.builtin:
                host._load_or_note(plugin)
        return host

    @staticmethod
    def builtin_quantities() -> dict[str, Any]:
        """Return the built-in quantities by name; no other plugin is loaded, and no torch."""
        return {one.name: one for one in builtin("quantities")}

    @staticmethod
    def builtin_forms() -> dict[str, Any]:
        """Return the built-in functional forms by name; no other plugin is loaded, and no torch."""
        return {one.name: one for one in builtin("forms")}

    @staticmethod
    def builtin_datasets() -> dict[str, Dataset]:
        """Return the built-in data sets by name; no other plugin is loaded, and no torch."""
        return {one.name: one for one in builtin("datasets")}

    def _load_or_raise(self, origin: Origin, load: Callable[[], object], folder: Path | None = None) -> None:
        fault = self._load(origin, load, folder)
        if fault is not None:
            error = PluginError(f"plugin {origin} cannot be loaded: {fault.reason}")
            error.traceback = fault.traceback
            raise error

    def _load_or_note(self, found: Found) -> None:
        fault = self._load(found.origin, found.load, package=found.package)
        if fault is not None:
            who = (found.origin.plugin, found.origin.distribution, found.origin.version)
            self.problems.append(Problem(*who, fault.reason, fault.traceback))

    def _load(
        self,
        origin: Origin,
        load: Callable[[], object],
        folder: Path | None = None,
        package: str | None = None,
    ) -> Fault | None:
        """Load one plugin; return what is wrong with it, if anything is."""
        name, began = str(origin), time.perf_counter()
        try:
            # what the built-in plugins import (torch among it) is what others are watched for; a test sees
            # that they leave no trace themselves, which every start would pay for here
            with nullcontext() if origin.builtin else _leaving_no_trace(package):
                plugin = load()
                if not origin.builtin and (seconds := time.perf_counter() - began) > SLOW:
                    self.slow.append((origin, seconds))
                components = collect(self._manager, plugin, name)
            if folder is not None and not self._manager.get_hookcallers(plugin):
                raise Refused("it registers nothing: no function of it is marked with @prunebench.hookimpl")
            self._check_free(components)
        except BaseException as error:  # a plugin may raise anything
            if stopping.is_signal(error):
                raise
            if self._manager.has_plugin(name):
                self._manager.unregister(name=name)
            return fault_of(error)
        self.plugins.append(origin)
        for component in components:
            self._entries[component.kind][component.name] = _Entry(component, origin, folder)
        return None

    def _check_free(self, components: Sequence[Component]) -> None:
        for component in components:
            other = self._entries[component.kind].get(component.name)
            if other is not None:
                raise Refused(
                    f"it registers the {component.kind} {component.name!r}, which {other.origin} did already"
                )

    def _of(self, kind: str) -> dict[str, _Entry]:
        if kind not in _KIND_OF:
            raise UsageError(f"there is no kind of component {kind!r}{nearest(kind, KINDS)}")
        return self._entries[_KIND_OF[kind]]

    def _entry(self, kind: str, name: str) -> _Entry:
        entries = self._of(kind)
        if name not in entries:
            raise UsageError(
                f"there is no {_KIND_OF[kind]} {name!r}{nearest(name, entries)}{self._perhaps()}"
            )
        return entries[name]

    def _perhaps(self) -> str:
        """Return what a missing name may be due to."""
        if self.problems:
            return "".join(f"\n{problem}" for problem in self.problems)
        if not all(origin.builtin for origin in self.plugins):
            return ""
        return "; one of your own comes with --plugin FILE (in Python: plugins=[FILE])"

    def get(self, kind: str, name: str) -> Any:
        """Return a component. Raises: UsageError with the nearest name."""
        return self._entry(kind, name).component

    def quantity(self, name: str) -> Quantity:
        """Return a quantity that can be asked: with the functional forms that it may look up by name.

        Raises: UsageError with the nearest name.
        """
        quantity: Quantity = self.get("quantities", name)
        return quantity.with_forms(lambda form: self.get("forms", form))

    def names(self, kind: str) -> list[str]:
        """Return the names registered of a kind, sorted."""
        return sorted(self._of(kind))

    def all(self, kind: str) -> dict[str, Any]:
        """Return the components of a kind by name, sorted."""
        return {name: entry.component for name, entry in sorted(self._of(kind).items())}

    def origin(self, kind: str, name: str) -> Origin:
        """Return where a component came from. Raises: UsageError with the nearest name."""
        return self._entry(kind, name).origin

    def who(self, kind: str, name: str) -> str:
        """Return a component with its origin, for messages. Raises: UsageError with the nearest name."""
        return f"{_KIND_OF[kind]} '{name}' ({self.origin(kind, name)})"

    def calling(self, kind: str, name: str) -> AbstractContextManager[None]:
        """Return the bracket for a call of a component while cells are planned.

        Raises: on leaving, LeakError where it has changed what others' results are made with.
        """
        return isolated(self.who(kind, name))

    def ablated(self, form: Form, name: str) -> Form:
        """Return the form that an ablation makes of a form; asked once for each.

        Raises: UsageError with the nearest name, or whatever the ablation raises.
        """
        key = (name, form.model_dump_json())
        if key not in self._ablated:
            with self.calling("ablations", name):
                self._ablated[key] = self.get("ablations", name).function(form)
        made: Form = self._ablated[key]
        return made

    def method_names(self) -> list[str]:
        """Return the names that `method` knows: registered methods and scorers, sorted."""
        return sorted({*self._of("method"), *self._of("scorer")})

    def method(self, name: str) -> Method:
        """Return a registered method, or a scorer of that name as a one-shot method at initialisation.

        Raises: UsageError with the nearest name.
        """
        entry = self._of("method").get(name) or self._of("scorer").get(name)
        if entry is None:
            raise UsageError(
                f"there is no method {name!r}{nearest(name, self.method_names())}{self._perhaps()}"
            )
        if isinstance(entry.component, Method):
            return entry.component
        gives = getattr(entry.component, "gives", "weights")
        form = Form(scorer=ScorerCall(name=name), unit="filter" if gives == "filters" else "weight")
        return Method(name, form, text=f"One shot, at initialisation: {entry.component.documentation}")

    def dataset(self, spelled: str) -> Dataset:
        """Return a data set by name, or by name and parameters: `image-folder[path=flowers,size=64]`.

        Its name is then the spelling with only what differs from the defaults, in the component's order.
        With `examples` a part of the training set is trained on: it is spelled last, as a number where the
        component declares how many there are (else planning finds out), and left out where that is all.

        Raises: UsageError for an unknown name or parameter, or a value that cannot be.
        """
        name, given = parse_dataset(spelled)
        dataset: Dataset = self.get("datasets", name)
        defaults = dataset.parameters
        examples = given.pop(EXAMPLES, None)
        for key in given:
            if key not in defaults:
                known = [*defaults, EXAMPLES]
                raise UsageError(f"'{key}' is no parameter of data set '{name}'{nearest(key, known)}")
        values = {key: tuple(v) if isinstance(v, list) else v for key, v in {**defaults, **given}.items()}
        changes = {key: value for key, value in values.items() if value != defaults[key]}
        dataset = dataset.bound(spell_dataset(name, changes), values) if defaults else dataset
        if dataset.check is not None:
            with self.calling("datasets", name):
                dataset.check()
        return dataset if examples is None else part_of(dataset, examples)

    def identity(self, kind: str, name: str) -> dict[str, Any]:
        """Return what a component is, for keys: its version, or a digest of its source.

        Raises: UsageError for an unknown name, PluginError for a component without a version whose source
        cannot be read.
        """
        if _KIND_OF.get(kind) == Dataset.kind:  # its parameters are no part of the code
            name = parse_dataset(name)[0]
        entry = self._entry(kind, name)
        key = (entry.component.kind, name)
        if key not in self._identities:
            try:
                self._identities[key] = component_identity(entry.component, entry.folder)
            except PluginError as error:
                raise PluginError(f"{error} (it comes from {entry.origin})") from error
        return dict(self._identities[key])

    def grounds(self, kind: str, name: str) -> Grounds | None:
        """Return what the digest of a plugin file's component is of; None of one that has a version, or that
        no plugin file registers."""
        entry = self._entry(kind, name)
        if entry.folder is None or getattr(entry.component, "version", None) is not None:
            return None
        return grounds_of(entry.component, entry.folder)
