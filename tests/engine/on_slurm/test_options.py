"""What `run --engine slurm` asks of Slurm, and what of it is refused."""

from __future__ import annotations

from typing import Any

import pytest

from prunebench.engine.devices.slots import Workforce
from prunebench.engine.on_slurm.fleet import SlurmFront
from prunebench.engine.on_slurm.options import minutes_of, wishes_of
from prunebench.errors import UsageError

NOTHING: dict[str, Any] = {
    **dict.fromkeys(("partition", "time", "account", "qos", "gres", "cpus", "mem", "constraint")),
    "setup": (),
    "slurm": (),
    "queued": 1000,
    "starts": 10,
    "detach": False,
    "workers": "8",
    "device": "cpu",
    "threads": 1,
    "gpus_per_worker": 1,
    "workers_per_gpu": "1",
}


def no_gpus(partition: str | None) -> bool:
    return False


def parameters(**options: Any) -> dict[str, Any]:
    return dict(wishes_of({**NOTHING, **options}, no_gpus).parameters)


def refusal(**options: Any) -> str:
    with pytest.raises(UsageError) as caught:
        wishes_of({**NOTHING, **options}, no_gpus)
    return str(caught.value)


def test_a_pilot_is_one_requeued_process_with_an_hour_unless_said_otherwise() -> None:
    """On the cores of --threads, told two minutes before its end; nothing else is asked of the cluster."""
    assert parameters(threads=4) == {
        "time": 60,
        "nodes": 1,
        "ntasks_per_node": 1,
        "cpus_per_task": 4,
        "signal_delay_s": 120,
        "stderr_to_stdout": True,
        "setup": ["export PYTHONSAFEPATH=1"],
        "additional_parameters": {"requeue": True},
    }


def test_each_option_reaches_sbatch_by_its_own_name() -> None:
    """Those that have one of their own, and any other by --slurm, with dashes or without."""
    asked = parameters(
        partition="gpu",
        account="me",
        qos="low",
        gres="gpu:a100:2",
        mem="16G",
        constraint="a100|h100",
        time="1-12",
        cpus=3,
        setup=("module load cuda",),
        slurm=("nice=100", "exclusive", "--mail-user=a@b.c", "cpus_per_gpu=2"),
    )
    assert asked.pop("additional_parameters") == {
        "requeue": True,
        "nice": "100",
        "exclusive": True,
        "mail_user": "a@b.c",
        "cpus_per_gpu": "2",
    }
    assert asked == {
        "partition": "gpu",
        "account": "me",
        "qos": "low",
        "gres": "gpu:a100:2",
        "mem": "16G",
        "constraint": "a100|h100",
        "time": 2160,
        "cpus_per_task": 3,
        "nodes": 1,
        "ntasks_per_node": 1,
        "signal_delay_s": 120,
        "stderr_to_stdout": True,
        "setup": ["module load cuda", "export PYTHONSAFEPATH=1"],
    }


@pytest.mark.parametrize(
    ("options", "workforce"),
    [
        ({"threads": 2}, Workforce(8, device="cpu", cores=16)),
        ({"cpus": 4}, Workforce(8, device="cpu", cores=32)),
        ({"device": "cuda"}, Workforce(8, gpus=8, device="cuda", cores=8)),
        ({"device": "cuda", "gpus_per_worker": 2}, Workforce(8, gpus=16, each=2, device="cuda", cores=8)),
        (
            {"device": "auto", "gres": "gpu:a100:2"},
            Workforce(8, gpus=16, model="A100", each=2, device="cuda", cores=8),
        ),
    ],
)
def test_what_pilots_have_is_theirs_whatever_this_machine_has(
    options: dict[str, Any], workforce: Workforce
) -> None:
    """What time a run takes is estimated by it, and which cells it can make."""
    wishes = wishes_of({**NOTHING, **options}, no_gpus)
    assert SlurmFront(wishes, lambda *_: None).workforce() == workforce  # type: ignore[arg-type, return-value]


@pytest.mark.parametrize(
    ("options", "gres"),
    [
        ({"device": "cpu"}, None),
        ({"device": "cuda"}, "gpu:1"),
        ({"device": "cuda", "gres": "gpu:h100:1"}, "gpu:h100:1"),
        ({"device": "cuda", "slurm": ("gpus-per-task=1",)}, None),
    ],
)
def test_a_pilot_on_gpus_gets_one_unless_the_user_says_how(options: dict[str, Any], gres: str | None) -> None:
    """--device cuda asks for one GPU; whatever else asks for GPUs is left alone."""
    assert parameters(**options).get("gres") == gres


@pytest.mark.parametrize(
    ("options", "gres", "device"),
    [
        ({"partition": "gpu"}, "gpu:1", "cuda"),
        ({"partition": "cpu"}, None, "cpu"),
        ({}, None, "cpu"),
        ({"slurm": ("partition=gpu",)}, "gpu:1", "cuda"),
        ({"partition": "cpu", "gres": "gpu:2"}, "gpu:2", "cuda"),
        ({"gpus_per_worker": 4}, "gpu:4", "cuda"),
        ({"device": "cuda:0", "gpus_per_worker": 2}, "gpu:2", "cuda:0"),
        ({"device": "cpu", "partition": "gpu"}, None, "cpu"),
    ],
)
def test_where_the_nodes_have_gpus_a_pilot_is_one_on_a_gpu(
    options: dict[str, Any], gres: str | None, device: str
) -> None:
    """Unless a device was named; a pilot that has asked for none works on none, whatever it sees."""
    wishes = wishes_of({**NOTHING, "device": "auto", **options}, lambda partition: partition == "gpu")
    assert (wishes.parameters.get("gres"), wishes.device) == (gres, device)


def test_pilots_are_requeued_unless_the_user_forbids_it() -> None:
    """--slurm no-requeue takes --requeue away."""
    assert parameters(slurm=("no-requeue",))["additional_parameters"] == {"no_requeue": True}


def test_a_short_limit_leaves_half_of_it_for_work() -> None:
    """A pilot of one minute is told to leave after half of it, not two minutes before it began."""
    assert parameters(time="1")["signal_delay_s"] == 30


@pytest.mark.parametrize(
    ("text", "minutes"),
    [
        ("90", 90),
        ("0:01", 1),
        ("59:59", 60),
        ("4:00:00", 240),
        ("0:00:01", 1),
        ("1-0", 1440),
        ("1-12", 2160),
        ("1-12:30", 2190),
        ("2-00:00:00", 2880),
    ],
)
def test_a_time_means_what_it_means_to_sbatch(text: str, minutes: int) -> None:
    """The six forms of sbatch's manual, rounded up to minutes as Slurm does."""
    assert minutes_of(text) == minutes


@pytest.mark.parametrize("text", ["", "0", "0:00:00", "1:2:3:4", "-5", "1-", "infinite"])
def test_what_is_no_time_is_refused(text: str) -> None:
    """No limit at all is none either: nothing would be told when it is over."""
    assert f"--time: found '{text}', allowed: a time such as 90s" in refusal(time=text)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"workers": None}, "--engine slurm: say how many pilots work at once, as --workers 8"),
        ({"workers": "auto"}, "--engine slurm: found --workers auto; say how many pilots"),
        ({"workers_per_gpu": "2"}, "--workers-per-gpu is for --engine local: a pilot has its GPU for itself"),
        ({"slurm": ("array=0-5",)}, "--slurm array=0-5: not to be set, as the pilots are one already"),
        ({"slurm": ("--output=x",)}, "not to be set, as logs lie in the store's pilots/"),
        ({"slurm": ("nice=1", "nice=2")}, "--slurm nice: given twice"),
        ({"slurm": ("nice=",)}, "--slurm: found 'nice=', allowed: an option of sbatch by its long name"),
        ({"slurm": ("-p gpu",)}, "--slurm: found '-p gpu', allowed"),
        ({"slurm": ("comment=a\nscancel",)}, "--slurm comment: found 'a\\nscancel', allowed: text"),
        ({"setup": ("a\nb",)}, "--setup: found 'a\\nb', allowed: text without line ends"),
        ({"partition": "a\n#SBATCH"}, "--partition: found 'a\\n#SBATCH', allowed: text"),
        ({"partition": "a", "slurm": ("partition=b",)}, "--partition and --slurm partition=b: give one"),
        ({"time": "5", "slurm": ("time=6",)}, "--time and --slurm time=6: give one of them"),
    ],
)
def test_what_cannot_be_asked_is_refused(options: dict[str, Any], told: str) -> None:
    """In a sentence that says what is allowed."""
    assert told in refusal(**options)
