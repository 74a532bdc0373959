"""What `fit` and `predict` share: forms, points of a file or a suite, how many weights a member has."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from prunebench.cli._options import request_of
from prunebench.errors import UsageError, nearest
from prunebench.faults import blamed

if TYPE_CHECKING:
    from prunebench.host.registry import Host
    from prunebench.scaling.form import Form
    from prunebench.scaling.law import Family, Law
    from prunebench.scaling.law.members import Counter
    from prunebench.scaling.points import Floats, Points

__all__ = ["Source", "assigned", "counter", "form_of", "forms_of", "fraction", "is_file", "source_of"]

_PLUGINS = ("plugin", "load")


class Source(NamedTuple):
    """Points with what they are of."""

    points: Points
    family: Family | None
    about: str
    said: Sequence[str]


def is_file(given: str) -> bool:
    """True if an argument names a file of points, not a suite."""
    from prunebench.scaling.files import SUFFIXES

    return Path(given).suffix.lower() in SUFFIXES


def forms_of(options: Mapping[str, Any], names: Sequence[str] = (), suite: str = "") -> Mapping[str, Form]:
    """Return the functional forms by name: the built-in ones without torch, unless another is named."""
    from prunebench.host.registry import Host

    builtin = Host.builtin_forms()
    if not any(options.get(each) for each in _PLUGINS) and set(names) <= set(builtin):
        return builtin
    host = _host(options, suite)
    return {each: host.get("forms", each) for each in host.names("forms")}


def form_of(forms: Mapping[str, Form], name: str, option: str = "--form") -> Form:
    """Return a form by name. Raises: UsageError with the nearest."""
    if name not in forms:
        raise UsageError(
            f"{option}: no functional form '{name}'{nearest(name, forms)}; --plugin FILE adds others"
        )
    return forms[name]


def _host(options: Mapping[str, Any], suite: str = "") -> Host:
    request = request_of(suite, dict(options))
    return (request.with_suite_plugins() if suite else request).host()


def assigned(given: Sequence[str], option: str, what: str = "NAME=VALUE") -> dict[str, str]:
    """Return what an option that is repeatable assigns. Raises: UsageError."""
    values: dict[str, str] = {}
    for text in given:
        name, equals, value = (part.strip() for part in text.partition("="))
        if not (name and equals and value):
            raise UsageError(f"{option}: found '{text}'; allowed: {what}")
        if name in values:
            raise UsageError(f"{option}: {name} is given twice: {values[name]} and {value}")
        values[name] = value
    return values


def fraction(value: float, option: str, what: str, *, one: bool = True) -> float:
    """Return a share that an option was given. Raises: UsageError, noticing percent."""
    if not (0 < value <= 1 if one else 0 < value < 1):
        percent = f": percent? that is {value / 100:g}" if 1 < value <= 100 else ""
        raise UsageError(
            f"{option}: found {value:g}; allowed: {what}, above 0, {'up to' if one else 'below'} 1{percent}"
        )
    return value


def source_of(
    given: str,
    form: Form,
    options: Mapping[str, Any],
    needed: Sequence[str] = ("density", "error_unpruned"),
    others: Sequence[Form] = (),
) -> Source:
    """Return the points of a CSV file, or of what has been run of a suite.

    needed: of the columns of a file those in which all must be known, if the form reads them
    others: forms that are set beside it, whose columns a suite's points have too

    Raises: FitError, UsageError.
    """
    if is_file(given):
        return _of_file(given, form, options, [name for name in form.columns if name in needed])
    return _of_suite(given, form, options, {name for one in (form, *others) for name in one.columns})


_OF_SUITES = {
    "method": "--method", "keyword": "-k", "sparsity": "--sparsity", "seeds": "--seeds", "limit": "--limit",
    "scorer": "--scorer",
}  # fmt: skip
_OF_FILES = {"column": "--column", "architecture": "--architecture", "dataset": "--dataset"}


def _refuse(given: str, options: Mapping[str, Any], wrong: Mapping[str, str], what: str) -> None:
    for name, option in wrong.items():
        if options.get(name):
            raise UsageError(f"{option} is for {what}; {given} is none")


def _of_file(path: str, form: Form, options: Mapping[str, Any], needed: Sequence[str]) -> Source:
    import numpy as np

    from prunebench.scaling.files import read_file

    _refuse(path, options, _OF_SUITES, "a suite")
    renamed = assigned(options["column"], "--column", "NAME=COLUMN of the file")
    read = read_file(path, needed, form.most, renamed)
    family, said = _family_of(options, read.points)
    points = read.points
    if family is not None:
        count, places = _counter_by_building(family, options), zip(points.depth, points.width, strict=True)
        built = np.array([float(count(depth, width) or 0) for depth, width in places])
        said += [] if "prunable" not in points.extra else _other_counts(family, points, built)
        points = points.changed(prunable=points.extra.get("prunable", built))
    return Source(points, family, path, [*read.said, *said])


_FAR = 2
"""Counts that differ by more than this factor are of another network, not of other layers left out."""


def _other_counts(family: Family, points: Points, built: Floats) -> list[str]:
    """Return that a file counts weights otherwise than an architecture has them.

    Raises: UsageError where these are other networks.
    """
    import numpy as np

    off = np.abs(np.log(points.extra["prunable"] / built))
    if not off.any():
        return []
    row = int(np.argmax(off))
    said = (
        f"column 'prunable' has {points.extra['prunable'][row]:,.0f} weights for "
        f"{points.network_said(row)}; {family.architecture} has {built[row]:,.0f}"
    )
    if off[row] > np.log(_FAR):
        raise UsageError(f"--architecture {family.architecture}: {said}: these are other networks")
    return [f"{said}: measured networks count as the column says, others as the architecture has them"]


def _family_of(options: Mapping[str, Any], points: Points) -> tuple[Family | None, list[str]]:
    """Return the family that --architecture and --dataset name, for a file that says nothing of it.

    Its members differ in what the points know; of what they do not they have the architecture's own value.
    """
    from prunebench.scaling.law import Family

    architecture, dataset = options["architecture"], options["dataset"]
    if not architecture and not dataset:
        return None, []
    if not (architecture and dataset):
        raise UsageError(
            "--architecture and --dataset go together: the data say what the network takes and gives"
        )
    host = _host(options)
    component = host.get("architectures", architecture)
    own = component.parameters
    known = [name for name in ("depth", "width") if name in points.names()]
    scales = tuple(name for name in known if name in own)
    described = host.dataset(dataset).description(Path(request_of("", dict(options)).data))
    fixed = {name: value for name, value in own.items() if name not in scales}
    said = [
        f"{name} is not known: networks are counted at that of {component.name}, {own[name]}"
        for name in ("depth", "width")
        if name in fixed
    ]
    said += [f"{component.name} has no {name}: all are counted alike" for name in known if name not in own]
    return Family(component.name, fixed, scales, tuple(described.shape), described.classes), said


def _of_suite(suite: str, form: Form, options: Mapping[str, Any], reads: set[str]) -> Source:
    from prunebench.cli._damage import say_damaged
    from prunebench.cli._suite_plan import suite_plan
    from prunebench.errors import FitError
    from prunebench.inventory.family import NoResult, measured_points
    from prunebench.inventory.snapshot import Snapshot

    _refuse(suite, options, _OF_FILES, "a file of points")
    shown = suite_plan(suite, dict(options))
    try:
        measured = measured_points(
            shown.plan,
            Snapshot(shown.plan, shown.store),
            shown.cells,
            options["method"],
            _Examples(suite, options),
            needs_unpruned="error_unpruned" in form.columns,
            averages="average_parameters" in reads,
            unpruned="density" in form.constant and not options["method"],
        )
    except NoResult as error:
        raise FitError(f"{error} (the store is {shown.store.root})") from error
    say_damaged(shown.store)
    described = shown.plan.suite
    about = (
        f"{described['name']}, version {described.get('version')}: {measured.method} on {measured.dataset}"
    )
    return Source(measured.points, measured.family, about, measured.left)


class _Examples:
    """Says how many training examples a data set has; loads the plugins when it is first asked."""

    def __init__(self, suite: str, options: Mapping[str, Any]) -> None:
        self._suite, self._options = suite, options
        self._host: Host | None = None

    def __call__(self, dataset: str, split: str) -> float:
        from prunebench.host.datasets import examples_of, number_of_examples, whole_of
        from prunebench.plan.facts import training_examples

        self._host = self._host or _host(self._options, self._suite)
        root = Path(request_of(self._suite, dict(self._options)).data)
        train = self._host.dataset(whole_of(dataset)).description(root).train
        part = examples_of(dataset)
        number = train if part is None else int(number_of_examples(part, train, dataset))
        return float(training_examples(number, split))


def counter(law: Law, options: Mapping[str, Any]) -> Counter:
    """Return what says how many prunable weights a member has: as measured, else by building it.

    A network is built of shapes alone, without weights; torch is imported for the first one.

    Raises: UsageError for a depth or width that the architecture has not.
    """
    measured: dict[tuple[float, float], int] = {}
    if "prunable" in law.points.extra:
        mine = law.networks
        for depth, width, there in zip(mine.depth, mine.width, mine.extra["prunable"], strict=True):
            measured[float(depth), float(width)] = round(float(there))
    build = None if law.family is None else _counter_by_building(law.family, options)

    def count(depth: float, width: float) -> int | None:
        counts = [value for key, value in measured.items() if _same(key, (depth, width))]
        if counts or build is None:
            return counts[0] if counts else None
        return build(depth, width)

    return count


def _counter_by_building(family: Family, options: Mapping[str, Any]) -> Counter:
    hosts: list[Host] = []
    built: dict[tuple[float, ...], int] = {}

    def count(depth: float, width: float) -> int:
        scales = {"depth": depth, "width": width}
        known = {name: scales[name] for name in family.scales if scales[name] == scales[name]}
        place = tuple(known.values())
        if place not in built:
            hosts.extend([] if hosts else [_host(options)])
            built[place] = _built(hosts[0], family, known)
        return built[place]

    return count


def _same(one: tuple[float, float], other: tuple[float, float]) -> bool:
    pairs = zip(one, other, strict=True)
    return all(a == b or (a != a and b != b) or abs(a - b) <= 1e-9 * abs(a) for a, b in pairs)


def _built(host: Host, family: Family, scales: Mapping[str, float]) -> int:
    import torch

    from prunebench.pruning.prunable import prunable_weights

    component = host.get("architectures", family.architecture)
    own = component.parameters
    sized = {name: _like(value, own[name]) for name, value in scales.items()}
    parameters = {**family.parameters, **sized}
    for name in parameters:
        if name not in own:
            raise UsageError(f"architecture '{component.name}' has no parameter '{name}'{nearest(name, own)}")
    with torch.device("meta"), blamed(f"architecture '{component.name}'"):
        module = component.build(tuple(family.input), family.classes, **parameters)
    chosen = dict(family.prunable)
    weights = prunable_weights(
        module, of=chosen.get("of", "weights"), except_=tuple(chosen.get("except", ()))
    )
    return sum(weight.numel() for weight in weights.values())


def _like(value: float, default: Any) -> Any:
    """Return a number as an architecture takes it: whole where its default is whole, else as it is."""
    return int(value) if isinstance(default, int) and float(value).is_integer() else value
