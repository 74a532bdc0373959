"""Scores and masks: time against plain implementations of one run, memory against a limit.

    python benchmarks/masks.py rounds [--density 0.1] [--rounds 100]
    python benchmarks/masks.py thresholds [--scores 25000000]
    python benchmarks/masks.py large [--turns 9] [--against ../before]
    python benchmarks/masks.py memory [--method NAME] [--examples 10000] [--chunk 8] [--part 16]

rounds: SynFlow's rounds on VGG-16 for CIFAR-10 in float64, over the forward and backward passes alone (the
same network, the same masks, the same input), round by round in turn.
thresholds: a mask from many scores, over sorts that give the same mask: the fastest of three.
large: `prunebench.prune` as a whole, by magnitude and at random, on VGG-16 (14.7 million weights), against
one line of torch that needs no sort either: `kthvalue`, or `topk`, of the scores of all layers in one tensor.
With `--against` that of another checkout too (`benchmarks/checkouts.py`); all in turns, in processes of their
own, as Python starts them.
memory: the most memory that pruning a ResNet-50 at 224 × 224 takes, each method in a process of its own,
methods in rounds in two of them. All examples are there, as bytes; `part` of them are scored, in chunks: more
of them take more time and no more memory, which is shown by SNIP with twice as many.

Times are the processor's, on one thread.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from checkouts import HERE, Clock, Served, answer, asked, check_imported, checkout, most_memory
from torch import nn

from prunebench.pruning import Mask, MaskForm, Scoring, keep_top, kept_count, make_mask
from prunebench.schedules.rounds import round_counts

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
METHODS = ("random", "magnitude", "snip", "grasp", "synflow", "force", "iterative-snip")
LIMIT = 8e9

Array = np.ndarray[Any, np.dtype[Any]]
WIDTHS = [64, 64, 0, 128, 128, 0, 256, 256, 256, 0, 512, 512, 512, 0, 512, 512, 512]


def vgg16() -> nn.Module:
    layers: list[nn.Module] = []
    inputs = 3
    for width in WIDTHS:
        if width:
            layers += [nn.Conv2d(inputs, width, 3, padding=1), nn.BatchNorm2d(width), nn.ReLU()]
            inputs = width
        else:
            layers.append(nn.MaxPool2d(2))
    net = nn.Sequential(*layers, nn.AvgPool2d(2), nn.Flatten(), nn.Linear(512, 10))
    for layer in net:
        if isinstance(layer, nn.Conv2d | nn.Linear):
            nn.init.kaiming_normal_(layer.weight)
        elif isinstance(layer, nn.BatchNorm2d):
            nn.init.uniform_(layer.weight)
    return net


class Plain:
    """The passes alone: weights made absolute and masked beforehand, outside of the time."""

    def __init__(self, net: nn.Module) -> None:
        self.net = net.double().eval()
        with torch.no_grad():
            for parameter in self.net.parameters():
                parameter.abs_()
        self.weights = {name: p for name, p in self.net.named_parameters() if p.dim() > 1}
        self.ones = torch.ones(1, 3, 32, 32, dtype=torch.float64)

    def seconds(self, mask: Mask) -> float:
        """Return the seconds of one forward and backward pass under a mask."""
        with torch.no_grad():
            for name, weight in self.weights.items():
                weight.mul_(mask[name])
        started = time.process_time()
        flow = self.net(self.ones).sum()
        found = torch.autograd.grad(flow, list(self.weights.values()))
        taken = time.process_time() - started
        del found
        return taken


def rounds(density: float, count: int) -> None:
    from prunebench_plugins.scorers import synflow

    torch.manual_seed(0)
    net = vgg16()
    torch.manual_seed(0)
    plain = Plain(vgg16())
    plain.seconds(Mask.full(plain.weights))  # warms up
    passes: list[float] = [plain.seconds(Mask.full(plain.weights))]
    whole: list[float] = []
    started = time.process_time()

    def on_round(k: int, mask: Mask) -> None:
        nonlocal started
        whole.append(time.process_time() - started)
        if k < count:
            passes.append(plain.seconds(mask))
        started = time.process_time()

    prunable = sum(weight.numel() for weight in plain.weights.values())
    kept = kept_count(density, prunable)
    form = MaskForm(kept, rounds=lambda there: round_counts(density, prunable, count, there), density=density)
    scoring = Scoring(synflow.score, precision="float64", input_shape=(3, 32, 32))
    mask = make_mask(net, form, scoring, on_round=on_round)
    print(
        f"synflow, {count} rounds on VGG-16 to density {density}: {mask.kept:,} of {mask.prunable:,} kept; "
        f"passes alone {sum(passes):.1f} s, whole {sum(whole):.1f} s, ratio {sum(whole) / sum(passes):.2f} "
        f"(median round {statistics.median(whole) / statistics.median(passes):.2f})",
        flush=True,
    )


def by_value_sort(flat: Array, live: Array | None, kept: int) -> Array:
    values = flat if live is None else flat[live]
    threshold = np.sort(values)[values.size - kept]
    chosen: Array = values > threshold
    ties = np.flatnonzero(values == threshold)
    chosen[ties[: kept - np.count_nonzero(chosen)]] = True
    return _spread(chosen, live)


def by_argsort(flat: Array, live: Array | None, kept: int) -> Array:
    values = flat if live is None else flat[live]
    chosen = np.zeros(values.size, dtype=bool)
    chosen[np.argsort(-values, kind="stable")[:kept]] = True
    return _spread(chosen, live)


def by_torch(flat: Array, live: Array | None, kept: int) -> Array:
    values = torch.from_numpy(flat if live is None else flat[live])
    order = torch.sort(values, descending=True, stable=True).indices
    chosen = torch.zeros(len(values), dtype=torch.bool)
    chosen[order[:kept]] = True
    return _spread(chosen.numpy(), live)


def _spread(chosen: Array, live: Array | None) -> Array:
    if live is None:
        return chosen
    marks = np.zeros(live.size, dtype=bool)
    marks[live] = chosen
    return marks


def seconds_of(function: Callable[[], Any], times: int) -> float:
    taken = []
    for _ in range(times):
        started = time.process_time()
        function()
        taken.append(time.process_time() - started)
    return min(taken)


def thresholds(count: int) -> None:
    generator = np.random.default_rng(0)
    for dtype in (np.float32, np.float64):
        normal = generator.standard_normal(count, dtype=dtype)
        zeros = np.where(generator.random(count) < 0.8, 0, normal).astype(dtype)
        live = generator.random(count) < 0.3
        cases: dict[str, tuple[Array, Array | None]] = {
            "distinct": (normal, None),
            "many ties": (np.round(normal * 4), None),
            "four in five are zero": (zeros, None),
            "all equal": (np.ones(count, dtype=dtype), None),
            "seven in ten are removed already": (normal, live),
        }
        for name, (flat, there) in cases.items():
            parts = np.array_split(flat, 50)
            scores = {f"l{i}": torch.from_numpy(part) for i, part in enumerate(parts)}
            current = None
            if there is not None:
                split = np.array_split(there, 50)
                current = Mask({f"l{i}": torch.from_numpy(part) for i, part in enumerate(split)})
            kept = count // 10

            def plainly(sort: Callable[..., Array], there: Array | None = there, kept: int = kept) -> Array:
                joined = np.concatenate([score.numpy() for score in scores.values()])  # noqa: B023
                return sort(joined, there, kept)

            mask = keep_top(scores, kept, current=current)
            found = np.concatenate([mask[layer].numpy() for layer in mask])
            ours = seconds_of(lambda: keep_top(scores, kept, current=current), 5)  # noqa: B023
            sorts: tuple[Callable[..., Array], ...] = (by_value_sort, by_argsort, by_torch)
            taken = {}
            for sort in sorts:
                if not np.array_equal(plainly(sort), found):
                    raise SystemExit(f"{name}: {sort.__name__} gives another mask")
                taken[sort.__name__] = seconds_of(lambda: plainly(sort), 1)  # noqa: B023
            said = ", ".join(f"{way} {value / ours:.1f} times" for way, value in taken.items())
            print(
                f"{count:,} scores in {np.dtype(dtype).name}, {name}: {ours * 1e3:.0f} ms; {said}", flush=True
            )


ONE_LINE = ("kthvalue", "topk")


def one_line(net: nn.Module, method: str, way: str, kept: int) -> int:
    """Make a mask by torch's own search for a threshold; return how many weights it keeps."""
    weights = [parameter.detach() for parameter in net.parameters() if parameter.dim() > 1]
    scores = [weight.abs() if method == "magnitude" else torch.rand_like(weight) for weight in weights]
    flat = torch.cat([score.flatten() for score in scores])
    if way == "kthvalue":
        threshold = torch.kthvalue(flat, len(flat) - kept + 1).values
    else:
        threshold = torch.topk(flat, kept, sorted=False).values.min()
    return sum(int((score >= threshold).sum()) for score in scores)


def serve_large(folder: Path) -> None:
    """Make masks of VGG-16, each when it is asked for, and say what it took."""
    check_imported(folder)
    from prunebench import prune

    torch.manual_seed(0)
    net = vgg16()
    prunable = sum(p.numel() for p in net.parameters() if p.dim() > 1)
    while (question := asked()) is not None:
        way, method, kept = question["way"], question["method"], round(question["density"] * prunable)
        clock = Clock()
        if way in ONE_LINE:
            found = one_line(net, method, way, kept)
        else:
            found = prune(net, method, density=question["density"]).kept
        taken = clock.seconds()
        if abs(found - kept) > 10:  # random scores of float32 tie now and then
            raise SystemExit(f"{way}: {found:,} weights of {method} are kept, not {kept:,}")
        answer(taken)


def large(turns: int, against: Path | None) -> None:
    folders = {"prunebench": HERE, **dict.fromkeys(ONE_LINE, HERE)}
    if against is not None:
        folders["another"] = against
    ways = {way: Served(at, __file__, "large", "--serve", str(at)) for way, at in folders.items()}
    for method in ("magnitude", "random"):
        taken: dict[str, list[dict[str, float]]] = {way: [] for way in ways}
        for turn in range(turns + 1):
            for way, process in ways.items():
                seconds = process.ask(way=way, method=method, density=0.1)
                if turn:  # the first imports what it needs
                    taken[way].append(seconds)
        for way, values in taken.items():
            processor, wall = ([one[clock] for one in values] for clock in ("processor", "wall"))
            ours = taken["prunebench"]
            ratio = statistics.median(
                b["processor"] / a["processor"] for a, b in zip(ours, values, strict=True)
            )
            print(
                f"{method} on VGG-16, {way:10}: {min(processor):.3f} s "
                f"(median {statistics.median(processor):.3f}, clock {min(wall):.3f}), "
                f"{ratio:.2f} × prunebench's",
                flush=True,
            )
    for process in ways.values():
        process.close()


class Bytes:
    """Images as bytes, made into normalised numbers when they are asked for; `part` of them are seen."""

    def __init__(self, examples: int, part: int) -> None:
        generator = np.random.default_rng(0)
        self.images = np.empty((examples, 3, 224, 224), dtype=np.uint8)
        for image in self.images:  # written to, so that it is memory and not a promise of it
            image[:] = generator.integers(256, size=(3, 224, 1), dtype=np.uint8)
        self.shape = torch.Size((part, 3, 224, 224))

    def __len__(self) -> int:
        return len(self.images[: self.shape[0]])

    def __getitem__(self, part: torch.Tensor) -> torch.Tensor:
        pixels = torch.from_numpy(self.images[part.numpy()]).float().div_(255)
        return pixels.sub_(torch.tensor(MEAN).view(3, 1, 1)).div_(torch.tensor(STD).view(3, 1, 1))


def score_in_this_process(method: str, examples: int, chunk: int, part: int) -> None:
    from prunebench_plugins.architectures import resnet50

    from prunebench import prune
    from prunebench.host.form import Form

    scorer: dict[str, Any] = {"name": "snip" if method == "iterative-snip" else method}
    changes: dict[str, Any] = {}
    if method in ("snip", "grasp", "force", "iterative-snip"):
        scorer["chunk"] = chunk
    if method in ("synflow", "force", "iterative-snip"):
        changes["schedule"] = {"rounds": 2}
    if method == "force":
        changes["regrowth"] = {"scorer": scorer}
    batch = (Bytes(examples, part), torch.arange(part) * 1000 // part)
    torch.manual_seed(0)
    net = resnet50((3, 224, 224), 1000)
    started = time.process_time()
    mask = prune(net, Form.model_validate({"scorer": scorer, **changes}), density=0.1, batch=batch)
    seconds = time.process_time() - started
    print(json.dumps({"bytes": most_memory(), "seconds": seconds, "kept": mask.kept}))


def memory(methods: list[str], examples: int, chunk: int, part: int) -> None:
    runs = [(method, part) for method in methods] + [(m, 2 * part) for m in methods if m == "snip"]
    for method, seen in runs:
        command = [sys.executable, __file__, "memory", "--here", "--method", method]
        command += ["--examples", str(examples), "--chunk", str(chunk), "--part", str(seen)]
        found = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)
        held = found["bytes"]
        print(
            f"{method} on ResNet-50, {examples:,} examples there, {seen} scored, {chunk} at once: "
            f"{held / 1e9:.2f} GB, {'within' if held <= LIMIT else 'BEYOND'} {LIMIT / 1e9:.0f} GB; "
            f"{found['kept']:,} kept, {found['seconds']:.0f} s",
            flush=True,
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    commands = parser.add_subparsers(dest="command", required=True)
    one = commands.add_parser("rounds")
    one.add_argument("--density", type=float, default=0.1)
    one.add_argument("--rounds", type=int, default=100)
    two = commands.add_parser("thresholds")
    two.add_argument("--scores", type=int, default=25_000_000)
    large_one = commands.add_parser("large")
    large_one.add_argument("--turns", type=int, default=9)
    large_one.add_argument("--against", type=checkout, metavar="PATH", help="another checkout, in turns")
    large_one.add_argument("--serve", type=Path, help=argparse.SUPPRESS)
    three = commands.add_parser("memory")
    three.add_argument("--method", choices=METHODS)
    three.add_argument("--examples", type=int, default=10_000)
    three.add_argument("--chunk", type=int, default=8)
    three.add_argument("--part", type=int, default=16)
    three.add_argument("--here", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    if arguments.command == "rounds":
        rounds(arguments.density, arguments.rounds)
    elif arguments.command == "thresholds":
        thresholds(arguments.scores)
    elif arguments.command == "large" and arguments.serve:
        serve_large(arguments.serve)
    elif arguments.command == "large":
        large(arguments.turns, arguments.against)
    elif arguments.here:
        score_in_this_process(arguments.method, arguments.examples, arguments.chunk, arguments.part)
    else:
        methods = [arguments.method] if arguments.method else list(METHODS)
        memory(methods, arguments.examples, arguments.chunk, arguments.part)


if __name__ == "__main__":
    main()
