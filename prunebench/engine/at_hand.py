"""What a frozen plan needs, on this machine: the plugins and the data that it was made with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from prunebench.engine.request import Request
from prunebench.engine.session import Session
from prunebench.errors import DataError, PluginError, UsageError
from prunebench.faults import blamed
from prunebench.host.datasets import parse_dataset
from prunebench.inventory.making import Making
from prunebench.plan import Plan, PlannedCell

__all__ = ["missing_data", "session_on"]


def session_on(plan: Plan, making: Making, request: Request, cells: Sequence[PlannedCell]) -> Session:
    """Return a session on a plan: its plugins are loaded, and what these cells need is as it was then.

    `request` says what is asked for here; plugin files in it take the place of those of the same name that
    the plan was made with, and come besides.

    Raises: PluginError for a plugin or component that is not on this machine, or has changed.
    """
    request = replace(
        request,
        plugins=_plugin_files(making.plugins, request.plugins),
        third_party=making.third_party,
        load=making.load,
    )
    session = Session(request, request.host(), plan)
    try:
        session.check_identities({label for cell in cells for label in cell.parts})
    except UsageError as error:  # a component that nothing here registers
        problems = "".join(f"; {problem}" for problem in session.host.problems)
        raise PluginError(
            f"the plan needs a plugin that is not here: {error}{problems}; a file is given with --plugin"
        ) from error
    return session


def _plugin_files(planned: Sequence[str], given: Sequence[str]) -> tuple[str, ...]:
    """Return the plugin files to load. Raises: PluginError for a planned one that is not on this machine."""
    names = {Path(file).name: file for file in given}
    files = [names.pop(Path(file).name, file) for file in planned]
    for file in files:
        if not Path(file).is_file():
            raise PluginError(
                f"the plan was made with the plugin file {file}, which is not here: "
                f"give it with --plugin, as …/{Path(file).name}"
            )
    return (*files, *names.values())


def missing_data(session: Session, cells: Sequence[PlannedCell]) -> dict[str, str]:
    """Return which of the data that cells need are not on this machine as the plan has them, and why.

    What can be downloaded is.
    """
    labels = {label for cell in cells for label in cell.parts if label.startswith("data ")}
    missing = {}
    for label in sorted(labels):
        if (why := _why_missing(session, label.removeprefix("data "))) is not None:
            missing[label.removeprefix("data ")] = why
    return missing


def _why_missing(session: Session, name: str) -> str | None:
    dataset, root = session.host.dataset(name), Path(session.request.data)
    own = parse_dataset(name)[0]
    planned = session.plan.identities[f"data {name}"].get("fingerprint")
    with blamed(session.host.who("datasets", own)), session.host.calling("datasets", own):
        if dataset.missing is not None and (lacking := dataset.missing(root)):
            if dataset.download is None:
                return lacking
            try:
                dataset.download(root)
            except DataError as error:
                return str(error)
        from prunebench.plan.facts import fingerprint

        here = fingerprint(dataset, root)
    if here == planned:
        return None
    return (
        f"data set '{name}' in {root} is another than the plan was made with (fingerprint {here[:8]} here, "
        f"{str(planned)[:8]} there): `prunebench run` plans anew"
    )
