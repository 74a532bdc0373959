"""Several scorers of one plugin file: each is identified by its own code, whatever stands beside it."""

from __future__ import annotations

from pathlib import Path

import pytest

from prunebench.host import Host


def identity(path: Path, name: str = "mine") -> dict:
    return Host.load(plugins=[path], third_party=False).identity("scorer", name)


FIRST = """
import prunebench

def score(net, batch, rng):
    return {name: weight.abs() for name, weight in net.weights.items()}

@prunebench.hookimpl
def prunebench_scorers():
    return [prunebench.Scorer("mine", score)]
"""

SECOND = """
import torch
import prunebench
from helper_of_second import LIMIT

def score(net, batch, rng):
    return {name: weight.abs() for name, weight in net.weights.items()}

@torch.no_grad()
def other(net, batch, rng, *, limit=LIMIT):
    return {name: weight.clamp(max=limit) for name, weight in net.weights.items()}

OTHERS = {"other": other}

@prunebench.hookimpl
def prunebench_scorers():
    return [
        prunebench.Scorer("third", lambda net, batch, rng: dict(net.weights)),
        prunebench.Scorer("mine", score),
        *(prunebench.Scorer(name, function) for name, function in OTHERS.items()),
    ]
"""


def test_a_second_scorer_in_the_file_moves_no_key_of_the_first(plugin_file):
    """Nor does its line in the hook's list, its helper, its import."""
    before = identity(plugin_file(FIRST))
    assert identity(plugin_file(SECOND, helper_of_second="LIMIT = 3")) == before


MADE = """
import prunebench

def make(by):
    def score(net, batch, rng):
        return by
    return score

class Maker:
    def __init__(self, by):
        self.by = by
    def __call__(self, net, batch, rng):
        return work(self.by)

def work(by):
    return by

@prunebench.hookimpl
def prunebench_scorers():
    return [prunebench.Scorer("made", make(1)), prunebench.Scorer("lambda", lambda *a: work(1)),
            prunebench.Scorer("object", Maker(1)), prunebench.Scorer("lambda2", lambda *a: None)]
"""


@pytest.mark.parametrize("name", ["made", "lambda", "object", "lambda2"])
def test_scorers_that_are_made_in_the_hook_are_their_own_code(plugin_file, name):
    """A function made by another, a lambda in the list, an object: the rest of the list does not count."""
    before = identity(plugin_file(MADE), name)
    more = MADE.replace("    return [", "    x = 3\n    return [prunebench.Scorer('more', lambda *a: x),\n ")
    assert identity(plugin_file(more), name) == before
    changed = {
        "made": MADE.replace("return by\n    return score", "return by + 1\n    return score"),
        "lambda": MADE.replace("return by\n\n@", "return by + 1\n\n@"),
        "object": MADE.replace("return by\n\n@", "return by + 1\n\n@"),
        "lambda2": MADE.replace("lambda *a: None", "lambda *a: 7"),
    }[name]
    assert identity(plugin_file(changed), name) != before


def test_lambdas_on_one_line_are_told_apart(plugin_file):
    """By where their code stands in it."""
    text = FIRST.replace('("mine", score)', '("mine", lambda *a: 1), prunebench.Scorer("b", lambda *a: 2)')
    mine, other = identity(plugin_file(text)), identity(plugin_file(text), "b")
    assert {**mine, "name": ""} != {**other, "name": ""}
    text = text.replace("*a: 2", "*a: 3")
    assert identity(plugin_file(text)) == mine
    assert identity(plugin_file(text), "b") != other


def test_functions_made_in_a_loop_differ_by_their_defaults(plugin_file):
    """They have one text and one name."""
    text = """
        import prunebench
        SCORERS = []
        for by in (1, 2):
            def score(net, batch, rng, by=by):
                return by
            SCORERS.append(prunebench.Scorer(f"by-{by}", score))

        @prunebench.hookimpl
        def prunebench_scorers():
            return SCORERS
    """
    path = plugin_file(text)
    assert identity(path, "by-1")["digest"] != identity(path, "by-2")["digest"]
