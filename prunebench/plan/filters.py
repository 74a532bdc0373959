"""What does not go with whole filters, or may not: known from a network's groups before anything runs."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import ROUND_CEILING, Decimal
from typing import TYPE_CHECKING, cast

from prunebench.host.components import Scorer
from prunebench.host.form import Form, Like
from prunebench.plan.builder import Builder
from prunebench.plan.scoring import liked
from prunebench.plan.setting import Setting
from prunebench.schedules import Misfit, OneShot

if TYPE_CHECKING:
    from prunebench.pruning.filters import FilterGroups
    from prunebench.pruning.filters.choose import Room

__all__ = ["fewest_kept", "may_keep_none", "refuse_misfit_of_filters"]


def refuse_misfit_of_filters(builder: Builder, setting: Setting, form: Form, kept: int) -> None:
    """Raise Misfit where a scorer cannot score a network's filters, or no group of them can be kept.

    kept: how many weights may stay at most
    """
    groups = setting.network.groups
    if not form.whole_filters or groups is None:
        return
    _refuse_unfit(builder, setting, form, groups)
    # later masks of a chain or of rounds share what is left, which is known when they are made
    if isinstance(form.schedule, OneShot):
        rooms = _rooms(builder, groups, form, kept)
        if rooms and not any(room.smallest <= room.kept for room in rooms):
            raise Misfit(_keeps_none(rooms, groups, kept), field="density")


def may_keep_none(builder: Builder, setting: Setting, form: Form, kept: int) -> str | None:
    """Return why a mask of whole filters may keep none, which the scores decide; None where it keeps some.

    Groups are kept in the order of their scores as long as they fit: none is where the first does not. The
    same of a form whose layers' counts it takes.
    kept: how many weights may stay at most
    """
    groups = setting.network.groups
    if form.scorer is None or not form.whole_filters or groups is None:
        return None
    if isinstance(form.allocation, Like):
        return may_keep_none(builder, setting, liked(builder, form, form.allocation), kept)
    rooms = _rooms(builder, groups, form, kept)
    if any(room.largest <= room.kept for room in rooms):
        return None
    if form.allocation != "global":
        return (
            f"with allocation = {form.allocation!r} every set of tied layers has filters that go together "
            "with more weights than its share"
        )
    (room,) = rooms
    return (
        f"the largest filters that go together, of {groups.layers_of(room.large)}, have {room.largest:,} "
        f"weights (a density of {_density(room.largest, groups.prunable)})"
    )


def fewest_kept(builder: Builder, setting: Setting, form: Form, kept: int) -> int | None:
    """Return how many weights a mask of whole filters keeps at least, whatever the scores; None if not known.

    What follows the last groups that are kept did not fit: a mask is short of its target by less than the
    largest group, and where sets of tied layers have orders of their own by less than each one's largest.
    A mask made in several steps is short of its last target by no more, as every target is below the one
    before; the shares of its sets are those of what is left then, which is not known.

    kept: how many weights may stay at most
    """
    groups = setting.network.groups
    if not form.whole_filters or groups is None:
        return None
    if form.allocation != "global" and not isinstance(form.schedule, OneShot):
        return None
    least = sum(max(0, room.kept - room.largest + 1) for room in _rooms(builder, groups, form, kept))
    return max(1, least)


def _density(kept: int, prunable: int) -> str:
    """Return the least density of three digits at which so many weights may stay."""
    share = Decimal(kept) / prunable
    digits = Decimal(1).scaleb(share.adjusted() - 2)
    return f"{share.quantize(digits, rounding=ROUND_CEILING).normalize():f}"


def _refuse_unfit(builder: Builder, setting: Setting, form: Form, groups: FilterGroups) -> None:
    assert form.scorer is not None
    name = form.scorer.name
    unfit = cast(Scorer, builder.host.get("scorers", name)).unfit
    if unfit is None:
        return

    def ask() -> str | None:
        with builder.host.calling("scorers", name):
            return unfit(groups)

    if why := builder.once("unfit", (setting.network,), (name,), ask):
        raise Misfit(f"scorer '{name}': {why}", field="scorer")


def _rooms(builder: Builder, groups: FilterGroups, form: Form, kept: int) -> Sequence[Room]:
    """Return what the orders of groups have room for; nothing where that follows from another mask."""
    from prunebench.pruning.filters.choose import rooms

    allocation = form.allocation
    if isinstance(allocation, Like):
        return []
    return builder.once("rooms", (groups,), (allocation, kept), lambda: rooms(groups, kept, allocation))


def _keeps_none(rooms: Sequence[Room], groups: FilterGroups, kept: int) -> str:
    shares = [
        f"{room.kept} of {groups.layers_of(room.small)}, where the smallest that go together have "
        f"{room.smallest}"
        for room in rooms[:3]
    ]
    more = ", …" if len(rooms) > 3 else ""
    return (
        f"of {groups.prunable} prunable weights {kept} may stay, and no filter fits in: "
        f"{', '.join(shares)}{more}; allowed: a lower sparsity, or allocation = 'global'"
    )
