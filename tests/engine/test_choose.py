"""What a worker does next, decided from tables alone: no store, no process, no clock."""

from __future__ import annotations

import random
from collections.abc import Collection, Iterable, Mapping

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prunebench.engine.choose import Wait, choose
from prunebench.engine.jobs_left import JobsLeft
from prunebench.plan import Job, Plan
from prunebench.plan.params import ShuffleParams

Graph = Mapping[str, Collection[str]]
"""For each job what it reads."""

CHAIN: Graph = {
    "state": [],
    "scores": ["state"],
    "mask": ["scores"],
    "end": ["state", "mask"],
    "record": ["end"],
}
"""A cell pruned in one shot."""


def plan_of(graph: Graph) -> Plan:
    """Return a plan of these jobs, which are never run."""
    jobs = {key: Job(key, ShuffleParams(seed=0), tuple(inputs)) for key, inputs in graph.items()}
    return Plan(suite={}, cells=[], jobs=jobs, costs={}, identities={})


def work_of(
    graph: Graph, wanted: Iterable[str], have: Iterable[str] = (), failed: Iterable[str] = ()
) -> JobsLeft:
    return JobsLeft(plan_of(graph), wanted, set(have).__contains__, set(failed))


def told(work: JobsLeft, claimed: Collection[str] = (), own: Collection[str] = ()) -> str | None:
    """Return a decision in a word: a job's key, "wait KEY", or None where nothing is left."""
    choice = choose(work, claimed, own)
    if isinstance(choice, Wait):
        return f"wait {choice.job.key}"
    return None if choice is None else choice.key


# -- by hand -------------------------------------------------------------------------------------------------


def test_a_cell_is_made_from_its_first_state_to_its_record() -> None:
    work = work_of(CHAIN, ["record"])
    order = []
    while (key := told(work)) is not None:
        order.append(key)
        work.made(key)
    assert order == ["state", "scores", "mask", "end", "record"]


def test_what_is_there_is_not_made_nor_what_only_it_would_need() -> None:
    assert told(work_of(CHAIN, ["record"], have=["state", "mask"])) == "end"
    assert told(work_of(CHAIN, ["record"], have=["record"])) is None


def test_where_another_makes_the_target_its_needs_are_wanted_no_more() -> None:
    """A state that was dropped once its record was there is not trained again."""
    work = work_of(CHAIN, ["record"], have=["mask", "state"])
    work.made("record")
    assert told(work) is None


def test_where_one_job_is_claimed_another_is_taken_and_waiting_is_the_last_resort() -> None:
    graph = {"one": [], "two": [], "record": ["one", "two"]}
    work = work_of(graph, ["record"])
    assert told(work, claimed=["one"]) == "two"
    assert told(work, claimed=["one", "two"]) == "wait one"
    work.made("two")
    assert told(work, claimed=["one"]) == "wait one"


def test_a_failed_job_is_not_tried_and_what_it_alone_would_need_is_not_made() -> None:
    graph = {"for the failed": [], "failed": ["for the failed"], "lost": ["failed"], "other": []}
    work = work_of(graph, ["lost", "other"], failed=["failed"])
    assert work.blocked == {"lost": "failed"}
    assert told(work) == "other"
    work.made("other")
    assert told(work) is None


def test_a_failure_of_now_leaves_what_does_not_need_it() -> None:
    work = work_of({**CHAIN, "measure": ["mask"]}, ["record", "measure"], have=["state", "mask"])
    assert told(work) == "end"
    work.failed("end")
    assert work.blocked == {"record": "end"}
    assert told(work) == "measure"


def test_a_failed_job_that_is_there_all_the_same_blocks_nothing() -> None:
    """Another run may have made what failed in this one."""
    work = work_of(CHAIN, ["record"], have=["mask", "state"], failed=["mask"])
    assert (told(work), work.blocked) == ("end", {})


def test_ones_own_jobs_come_first_among_what_is_ready() -> None:
    graph = {"a": [], "b": [], "record a": ["a"], "record b": ["b"]}
    work = work_of(graph, ["record a", "record b"])
    assert told(work) == "a"
    assert told(work, own=["b", "record b"]) == "b"
    assert told(work, own=["b", "record b"], claimed=["b"]) == "a"
    assert told(work, own=["b"], claimed=["a", "b"]) == "wait b"


@pytest.mark.parametrize("key", ["elsewhere", "state", "record"])
def test_news_of_jobs_that_nobody_asked_for_change_nothing(key: str) -> None:
    work = work_of({**CHAIN, "elsewhere": []}, ["mask"], have=["state"])
    work.made(key)
    work.failed(key)
    assert (told(work), work.blocked) == ("scores", {})


@pytest.mark.parametrize(
    ("seconds", "small"),
    [
        ({"a": 1.0, "b": 99.0}, 1.0),
        ({"a": 1.0, "b": 1.0, "c": 98.0}, 1.0),
        ({"a": 1.0, "b": 1.0, "c": 1.0, "d": 97.0}, 0.0),  # of equal ones all are small, or none
        ({"a": 0.5, "b": 1.0, "c": 1.0, "d": 97.5}, 0.5),
        ({"a": 0.0, "b": 1.0, "c": 1.0}, 0.0),
        ({}, 0.0),
    ],
)
def test_small_is_what_takes_a_fiftieth_of_the_time_together(
    seconds: Mapping[str, float], small: float
) -> None:
    plan = plan_of(dict.fromkeys(seconds, ()))
    assert JobsLeft(plan, seconds, set[str]().__contains__, (), seconds.__getitem__).small == small


# -- random graphs against brute force -----------------------------------------------------------------------


@st.composite
def graphs(draw: st.DrawFn) -> dict[str, list[str]]:
    """Draw jobs that read only earlier ones."""
    number = draw(st.integers(1, 12))
    return {
        f"j{place}": sorted(draw(st.sets(st.sampled_from([f"j{n}" for n in range(place)]), max_size=3)))
        if place
        else []
        for place in range(number)
    }


def wanted_of(
    graph: Graph, targets: Iterable[str], have: Collection[str], broken: Collection[str]
) -> set[str]:
    """Return what must still be made, by definition: what a target that can be made needs."""

    def possible(key: str) -> bool:
        return key in have or (key not in broken and all(map(possible, graph[key])))

    found: set[str] = set()

    def walk(key: str) -> None:
        if key not in have:
            found.add(key)
            for need in graph[key]:
                walk(need)

    for target in targets:
        if possible(target):
            walk(target)
    return found


@settings(max_examples=300, deadline=None)
@given(data=st.data(), graph=graphs())
def test_of_any_graph_all_that_can_be_made_is_made_once_and_in_order(
    data: st.DataObject, graph: Graph
) -> None:
    """Workers that succeed, fail and see each other's claims: each decision is compared with its definition."""
    some = st.sets(st.sampled_from(sorted(graph)))
    targets, have, broken = data.draw(some), data.draw(some), data.draw(some)
    failed = set(data.draw(some)) & broken
    work = work_of(graph, sorted(targets), have, failed)
    running: list[str] = []
    while True:
        left = wanted_of(graph, targets, have, failed)
        ready = {key for key in left if all(need in have for need in graph[key])}
        choice = told(work, running)
        if choice is None:
            assert not left
            break
        if choice.startswith("wait "):
            assert ready == ready & set(running)
            assert choice.removeprefix("wait ") in running
        else:
            assert choice in ready - set(running)
            running.append(choice)
            if data.draw(st.booleans()):
                continue
        ended = running.pop(data.draw(st.integers(0, len(running) - 1)))
        if ended in broken:
            failed.add(ended)
            work.failed(ended)
        else:
            have.add(ended)
            work.made(ended)
    done = {target for target in targets if target in have}
    assert set(work.blocked) == targets - done
    assert set(work.blocked.values()) <= failed


@settings(max_examples=200, deadline=None)
@given(data=st.data(), graph=graphs())
def test_what_was_kept_up_to_date_decides_as_what_is_made_afresh(data: st.DataObject, graph: Graph) -> None:
    """News in any order, of others' jobs too, leave the same jobs ready as a new look does."""
    some = st.sets(st.sampled_from(sorted(graph)))
    targets, have = sorted(data.draw(some)), data.draw(some)
    work = work_of(graph, targets, have)
    for key in data.draw(st.permutations(sorted(graph))):
        have.add(key)
        work.made(key)
        assert set(work.ready()) == set(work_of(graph, targets, have).ready())


def test_a_decision_looks_at_the_jobs_around_it_not_at_all() -> None:
    """Counted, not timed: in a plan of 6,000 jobs each is looked up a few times in all."""
    draws = random.Random(0)
    graph: dict[str, list[str]] = {}
    for place in range(6000):
        graph[f"j{place}"] = [f"j{draws.randrange(max(0, place - 50), place)}" for _ in range(min(place, 2))]
    looked = 0

    class Counted(dict[str, Job]):
        def __getitem__(self, key: str) -> Job:
            nonlocal looked
            looked += 1
            return super().__getitem__(key)

    plan = plan_of(graph)
    plan.jobs = Counted(plan.jobs)
    work = JobsLeft(plan, sorted(graph), set[str]().__contains__)
    while (job := choose(work)) is not None:
        assert isinstance(job, Job)
        work.made(job.key)
    assert looked < 10 * len(graph)
