"""What cannot be planned in levels: told with its place in the suite, before anything is there."""

from __future__ import annotations

from typing import Any

import pytest

from prunebench.errors import SuiteError

SHARE = "allowed: a number above 0 and below 1"
POINTS = "'init', 'end', 'rewind', {step = k}, {epoch = k} or {share = x}"


def method(**changes: Any) -> dict[str, Any]:
    row = {"method": "magnitude", "as": "chain", "score_at": "end", "train_from": "rewind", "clock": "rewind"}
    return {**row, "schedule": {"levels": 0.2}, **changes}


def told(project: Any, **suite: Any) -> list[str]:
    """The lines of the error, less the file and the number of cells; nothing is written."""
    path = project.suite(**{"methods": [method()], "epochs": 3, **suite})
    with pytest.raises(SuiteError) as caught:
        project.session(path)
    assert not (project.folder / "store").exists()
    return [line.removeprefix(f"{path}: ").partition(" (cell ")[0] for line in str(caught.value).splitlines()]


@pytest.mark.parametrize(
    ("levels", "where", "said"),
    [
        (3, "", f"found 3; {SHARE}, or a table with remove, train_from, clock"),
        ("0.2", "", f"found '0.2'; {SHARE}, or a table with remove, train_from, clock"),
        (True, "", f"found true; {SHARE}, or a table with remove, train_from, clock"),
        ({"remove": 0}, ".remove", f"found 0; {SHARE}"),
        ({"clock": "init"}, ".remove", f"is missing; {SHARE}"),
        (
            {"remov": 0.2},
            ".remov",
            "is no key of {levels = 0.2}; did you mean 'remove'? allowed: clock, remove, train_from",
        ),
        (
            {"remove": 0.2, "train_from": "scord"},
            ".train_from",
            f"found 'scord'; did you mean 'scored'? allowed: 'scored', {POINTS}",
        ),
        (
            {"remove": 0.2, "clock": {"step": -1}},
            ".clock",
            f"found {{step = -1}}; allowed: {POINTS}",
        ),
    ],
)
def test_a_value_that_is_none_is_told_with_what_is_allowed(
    project: Any, levels: Any, where: str, said: str
) -> None:
    """The share, or the part of its table."""
    lines = told(project, methods=[method(schedule={"levels": levels})])
    assert lines == [f"matrix[0].methods[0].schedule.levels{where}: {said}"]


def test_a_density_between_two_levels_is_told_with_both(project: Any) -> None:
    """Of a list, each by its row."""
    leaves = "schedule = {levels = …} leaves 0.8 of what is left at each level"
    allowed = "allowed: sparsities = {keep = 0.8, count = n}"
    assert told(project, sparsities=[0.2, 0.5, 0.15]) == [
        f"matrix[0].sparsities[1]: found density 0.5, which is no level's: {leaves}; the nearest: 0.512 (level 3) "
        f"and 0.4096 (level 4); {allowed}",
        f"matrix[0].sparsities[2]: found density 0.85, which is no level's: {leaves}; the nearest: 0.8 (level 1); "
        f"{allowed}",
    ]


def test_powers_of_another_number_are_told_once(project: Any) -> None:
    """Not once for each of them; powers of 0.64 are levels, every second."""
    assert told(project, sparsities={"keep": 0.9, "count": 5}) == [
        "matrix[0].sparsities.keep: found 0.9; schedule = {levels = …} leaves 0.8 of what is left at each level; "
        "allowed: 0.8, or a power of it"
    ]
    plan = project.session(project.suite([method()], sparsities={"keep": 0.64, "count": 2}, epochs=3)).plan
    assert [cell.density for cell in plan.cells] == ["1", "0.64", "0.4096"]


def test_a_level_of_thousands_is_a_slip(project: Any) -> None:
    """A share of a millionth would be planned for ever."""
    (line,) = told(project, methods=[method(schedule={"levels": 1e-6})], sparsities=[0.5])
    assert line == (
        "matrix[0].sparsities[0]: schedule = {levels = …}: density 0.5 would be level 693147; allowed: 1000 at most"
    )


@pytest.mark.parametrize(
    ("changes", "place", "said"),
    [
        (
            {"score_at": "init", "clock": "init"},
            "methods[0].score_at",
            "schedule = {levels = …} trains its networks from clock = 'init' (step 0) to score_at = 'init' (step 0), "
            "which is no training; allowed: a later score_at, as 'end'; without training, {rounds = n}",
        ),
        (
            {"score_at": {"step": 20}},
            "methods[0].score_at",
            "schedule = {levels = …} trains its networks from clock = 'rewind' (step 23) to score_at = {step = 20} "
            "(step 20), which is no training; allowed: a later score_at, as 'end'; without training, {rounds = n}",
        ),
        (
            {"clock": "end"},
            "methods[0].clock",
            "schedule = {levels = …} trains its networks from clock = 'end' (step 69) to score_at = 'end' (step 69), "
            "which is no training; allowed: an earlier clock, as {share = 0.1}",
        ),
        (
            {"schedule": {"levels": {"remove": 0.2, "clock": {"epoch": 4}}}},
            "methods[0].schedule",
            "clock = {epoch = 4} between levels: epoch 4 lies beyond the schedule of 3 epochs",
        ),
        (
            {"find": {"epochs": 0.5}},
            "methods[0].clock",
            "clock = 'rewind' between levels: epoch 1 lies beyond the schedule of 0.5 epochs",
        ),
    ],
)
def test_levels_without_training_between_them_are_refused(
    project: Any, changes: dict[str, Any], place: str, said: str
) -> None:
    """Nothing is left to train, or a point lies beyond the training between levels: at the first level too."""
    assert told(project, methods=[method(**changes)], sparsities=[0.2]) == [f"matrix[0].{place}: {said}"]


def test_a_scorer_alone_has_no_training_to_be_scored_after(project: Any) -> None:
    """It scores before training, unless the suite says where; so the place is the method's."""
    row = {"method": "snip", "as": "levels", "schedule": {"levels": 0.2}}
    (line,) = told(project, methods=[row], sparsities=[0.2])
    assert line.startswith(
        "matrix[0].methods[0]: schedule = {levels = …} trains its networks from clock = 'init'"
    )
    session = project.session(project.suite([row], sparsities=[0.2], more='score_at = ["end"]'))
    assert [job.kind for job in session.plan.jobs.values()].count("mask") == 1


def test_weights_that_would_return_are_refused(project: Any) -> None:
    """What a level removes never comes back; so is what prunes nothing at all."""
    regrowing = method(regrowth={"scorer": "magnitude"})
    assert told(project, methods=[regrowing]) == [
        "matrix[0].methods[0]: regrowth takes schedule = {rounds = n}"
    ]
    nothing = {"method": "none", "as": "nothing", "schedule": {"levels": 0.2}}
    assert told(project, methods=[nothing]) == [
        "matrix[0].methods[0].scorer: is missing: a whole form needs a scorer"
    ]
