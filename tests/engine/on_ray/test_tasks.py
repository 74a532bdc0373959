"""What a task of Ray does, with the process that makes its job made up."""

from __future__ import annotations

import os
import random
import signal
from collections.abc import Callable
from typing import Any

import pytest

from prunebench import stopping
from prunebench.engine.on_ray import tasks
from prunebench.engine.on_ray.maker import Died
from prunebench.engine.on_ray.values import Asked, Came, Orders, Unfit

ORDERS = Orders(run="one", request="{}", frozen="plan", since="")


class Makers:
    """All processes that were started, by the GPUs that each got; `answers` are what they answer."""

    def __init__(self) -> None:
        self.gpus: list[str] = []
        self.asked: list[tuple[int, Asked]] = []
        self.closed: list[int] = []
        self.answers: list[Any] = []

    def start(self, gpus: str) -> Any:
        number = len(self.gpus)
        self.gpus.append(gpus)
        makers = self

        class Made:
            def __init__(self) -> None:
                self.gpus = gpus

            @property
            def lives(self) -> bool:
                return number not in makers.closed

            def ask(self, asked: Asked) -> Any:
                makers.asked.append((number, asked))
                answer = makers.answers.pop(0) if makers.answers else Came(asked.key or "", "made")
                if isinstance(answer, Died):
                    self.close()
                    raise answer
                return answer() if callable(answer) else answer

            def close(self) -> None:
                makers.closed.append(number)

        return Made()


@pytest.fixture
def makers(monkeypatch: pytest.MonkeyPatch) -> Makers:
    made = Makers()
    monkeypatch.setattr(tasks, "_process", tasks._Process())
    monkeypatch.setattr(tasks, "Maker", made.start)
    monkeypatch.setattr(tasks, "PATIENCE", 0.0)
    return made


@pytest.fixture
def given(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Say which GPUs Ray gives to the tasks that follow."""

    def give(words: str) -> None:
        monkeypatch.setattr(tasks, "_gpus", lambda: words)

    give("")
    return give


@pytest.mark.usefixtures("given")
def test_after_a_failed_job_nothing_is_done_and_its_error_goes_on(makers: Makers) -> None:
    failed = Came("mask", "failed", 2.0, "score", "broke", "mine.py:3", "log")
    came = tasks.make([ORDERS], "record", Came("other", "made"), failed)
    assert came == Came("record", "failed", 0.0, "score", "broke", "mine.py:3", "log")
    assert not makers.gpus


def test_a_job_computes_on_the_gpus_that_ray_gave_by_a_process_that_stays_warm_for_them(
    makers: Makers, given: Callable[[str], None]
) -> None:
    """CUDA reads CUDA_VISIBLE_DEVICES once, and Ray pairs processes with GPUs as they come: over many jobs no
    more are started than there are GPUs.
    """
    chance = random.Random(0)
    words = [str(chance.randrange(8)) for _ in range(200)]
    for word in words:
        given(word)
        assert tasks.make([ORDERS], "job").how == "made"
    assert sorted(makers.gpus) == sorted(set(words)) == [*"01234567"]
    assert [makers.gpus[number] for number, _ in makers.asked] == words
    assert makers.closed == []
    given("")
    tasks.make([ORDERS], "job")
    assert makers.asked[-1][0] == makers.asked[-2][0], "one that takes none runs anywhere"


def test_where_jobs_share_gpus_each_process_keeps_fewer_warm_and_the_last_used(
    makers: Makers, given: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each holds a part of a GPU's memory."""
    monkeypatch.setattr(tasks._process, "share", 4)
    for word in ("0", "1", "0", "2", "0", "1"):
        given(word)
        tasks.make([ORDERS], "job")
    assert makers.gpus == ["0", "1", "2", "1"]
    assert makers.closed == [1, 2]


@pytest.mark.usefixtures("given")
def test_where_the_process_dies_another_makes_the_job(makers: Makers) -> None:
    """It is told how the one before ended; Ray hears nothing of it."""
    makers.answers = [Died(77, -9), Came("job", "made")]
    assert tasks.make([ORDERS], "job") == Came("job", "made")
    assert [asked.ended for _, asked in makers.asked] == [{}, {77: -9}]


@pytest.mark.usefixtures("given")
def test_where_none_lives_long_enough_to_look_it_is_said_how_they_died(makers: Makers) -> None:
    makers.answers = [Died(77, 3)] * 9
    came = tasks.make([ORDERS], "job")
    assert came.how == "lost"
    assert (
        came.message
        == f"{tasks.STARTS} processes died of it, one after another; the last left with exit code 3"
    )
    assert len(makers.gpus) == tasks.STARTS
    assert "left with exit code 3" in tasks.problem_here(ORDERS)


@pytest.mark.usefixtures("given")
def test_a_process_whose_gpu_is_lost_is_asked_nothing_more(makers: Makers) -> None:
    makers.answers = [Came("job", "failed", last=True)]
    assert tasks.make([ORDERS], "job").how == "failed"
    assert makers.closed == [0]
    tasks.make([ORDERS], "other")
    assert len(makers.gpus) == 2


@pytest.mark.usefixtures("given")
def test_an_unfit_node_lets_ray_try_another(makers: Makers) -> None:
    makers.answers = [Came("job", "unfit", message="node here: no store")]
    with pytest.raises(Unfit, match="node here: no store"):
        tasks.make([ORDERS], "job")


@pytest.mark.usefixtures("given")
@pytest.mark.parametrize(
    ("sent", "raised"), [(signal.SIGINT, stopping.Stopped), (signal.SIGTERM, SystemExit)]
)
def test_cancelled_it_raises_and_terminated_it_ends_with_its_process(
    makers: Makers, sent: signal.Signals, raised: type[BaseException], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ray does not repeat what was cancelled; what went down with its node it does."""

    def end(code: int) -> None:
        raise SystemExit(code)

    def stopped() -> Came:
        signal.raise_signal(sent)
        return Came("job", "cancelled")

    monkeypatch.setattr(os, "_exit", end)
    makers.answers = [stopped]
    with pytest.raises(raised):
        tasks.make([ORDERS], "job")


@pytest.mark.usefixtures("given")
def test_what_has_ended_although_it_was_cancelled_is_told(makers: Makers) -> None:
    def ended() -> Came:
        signal.raise_signal(signal.SIGINT)
        return Came("job", "made", 2.0)

    makers.answers = [ended]
    assert tasks.make([ORDERS], "job") == Came("job", "made", 2.0)


def test_one_set_of_gpus_is_spelled_in_one_way(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ray hands several over in any order."""
    ray = pytest.importorskip("ray")

    class Context:
        words = ("10", "9")

        def get_accelerator_ids(self) -> dict[str, list[str]]:
            return {"GPU": list(self.words), "TPU": []}

    monkeypatch.setattr(ray, "get_runtime_context", Context)
    assert tasks._gpus() == "9,10"
    Context.words = ("MIG-b", "MIG-a")
    assert tasks._gpus() == "MIG-a,MIG-b"
    Context.words = ()
    assert tasks._gpus() == ""
