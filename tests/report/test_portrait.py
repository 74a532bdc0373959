"""What kind of method is this: answers from simulated methods whose kind is known."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from prunebench_plugins.quantities import prunebench_quantities

from prunebench.checks.evidence import Paired
from prunebench.checks.judge import judge
from prunebench.checks.outcomes import Outcome
from prunebench.report.answers import QUESTIONS, Answer, Asked
from prunebench.report.portrait import Portrait
from prunebench.report.portrayed import portrayed
from prunebench.report.results import Results

Cells = Callable[..., pd.DataFrame]
SUITE = {"name": "mine", "version": "1", "margins": {"mnist": 0.5}, "classes": {"mnist": 10}}
QUANTITIES = {one.name: one for one in prunebench_quantities()}


def around(mean: float, rng: Any) -> list[float]:
    return [float(v) for v in mean + rng.normal(0, 0.1, 5)]


def portrait(cells: Cells, **means: Any) -> Portrait:
    """Of the method "mine": at 50 % (matching) and 90 % (extreme) sparsity the mean accuracies, or a list."""
    rng = np.random.default_rng(1)
    base: dict[str, Any] = {
        "none": {0.0: around(98, rng)},
        "random": {0.5: around(95, rng), 0.9: around(60, rng)},
        "magnitude-after-training": {0.5: around(98, rng), 0.9: around(90, rng)},
        "ltr": {0.5: around(98, rng), 0.9: around(89, rng)},
    }
    for name, (matching, extreme) in means.items():
        label = {"mine": "mine", "batch": "mine-other-batch"}.get(name, f"mine+{name}")
        base[label] = (
            {0.5: around(matching, rng), 0.9: around(extreme, rng)}
            if matching
            else {0.5: [None] * 5, 0.9: [None] * 5}
        )
    return Portrait(Results(SUITE, cells(base, classes=10), quantities=QUANTITIES), "mine")


def words(drawn: Portrait) -> dict[str, str]:
    return {answer.question.id: answer.word for answer in drawn.answers}


def test_a_method_that_chooses_layers_alone(cells: Cells) -> None:
    """Insensitive to shuffle and reinit, sensitive to invert, below magnitude after training: as SNIP in the paper."""
    drawn = portrait(cells, mine=(97, 80), shuffle=(97, 80), reinit=(97, 80), invert=(90, 20), batch=(97, 80))
    assert words(drawn) == {
        "random": "yes", "shuffle": "no", "reinit": "no", "invert": "yes", "batch": "no",
        "after-training": "yes", "ltr": "yes",
    }  # fmt: skip
    assert any("choose how many weights each layer keeps" in sentence for sentence in drawn.kind)
    assert "At matching sparsities it is like SNIP, GraSP, SynFlow" in drawn.kind[-1]


def test_a_method_that_chooses_weights_as_magnitude_after_training_does(cells: Cells) -> None:
    """Sensitive to shuffle and reinit, and it does not fall short."""
    drawn = portrait(cells, mine=(98, 90), shuffle=(95, 70), reinit=(95, 70), invert=(90, 20), batch=(98, 90))
    found = words(drawn)
    assert (found["shuffle"], found["after-training"], found["ltr"]) == ("yes", "no", "no")
    assert "At matching sparsities it is like magnitude pruning after training" in drawn.kind[-1]


def test_a_method_that_is_no_better_than_random(cells: Cells) -> None:
    """And whose scores rank nothing, however they are turned."""
    drawn = portrait(cells, mine=(95, 60), shuffle=(95, 60), reinit=(95, 60), invert=(95, 60))
    found = words(drawn)
    assert (found["random"], found["invert"], found["batch"]) == ("no", "no", "not asked")
    assert "its scorer reads no data" in next(a.sentence for a in drawn.answers if a.question.id == "batch")


def test_ranges_that_differ_are_told_apart(cells: Cells) -> None:
    """Shuffling loses at extreme sparsities alone."""
    drawn = portrait(cells, mine=(97, 80), shuffle=(97, 60))
    answer = next(a for a in drawn.answers if a.question.id == "shuffle")
    assert {one.range: one.word for one in answer.asked} == {"matching": "no", "extreme": "yes"}
    assert answer.word == "it depends"
    assert (
        answer.sentence
        == f"{QUESTIONS[1].mixed} Yes in 1 of 2 places (extreme, 90 %), no in 1 (matching, 50 %)."
    )


def test_what_is_not_run_is_listed_and_not_answered(cells: Cells) -> None:
    """The cells that an answer needs, by key and by name."""
    drawn = portrait(cells, mine=(97, 80), shuffle=(None, None))
    assert words(drawn)["shuffle"] == "not run"
    assert len(drawn.missing) == 10
    text = portrayed(drawn)
    assert (
        "Does it matter which weights of a layer it keeps? Not run in 2 of 2 places (matching, 50 %; extreme, "
        "90 %); 10 cells are missing." in text
    )
    assert "## Not run" in text


def test_a_baseline_is_not_compared_with_itself(cells: Cells) -> None:
    """Magnitude after training has no answer to whether it falls short of itself."""
    drawn = portrait(cells, mine=(97, 80))
    own = Portrait(drawn.results, "magnitude-after-training")
    answer = next(a for a in own.answers if a.question.id == "after-training")
    assert (answer.word, answer.reason) == ("not asked", "it is this method")


def test_layers_and_weights_that_are_lost_are_told_of_the_method_and_the_baselines(cells: Cells) -> None:
    """Empty layers by name and seeds; means over seeds of what was measured."""
    drawn = portrait(cells, mine=(97, 80))
    frame = drawn.results.cells.copy()
    here = (frame["method"] == "mine") & (frame["sparsity"] == 0.9)
    frame.loc[here, "empty_layers"] = pd.Series(
        [("fc2",)] * int(here.sum()), index=frame.index[here], dtype=object
    )
    frame.loc[here, "output_layer"] = "fc2"
    rows = frame[here][
        [
            "matrix",
            "cell",
            "key",
            "architecture",
            "dataset",
            "recipe",
            "split",
            "find",
            "score_at",
            "method",
            "ablations",
            "density",
            "sparsity",
            "seed",
            "status",
        ]
    ]
    measured = pd.concat(
        rows.assign(measure=measure, field=field, value=value)
        for measure, field, value in (
            ("disconnected", "weights", 12.0),
            ("effective-density", "density", 0.05),
        )
    )
    text = portrayed(Portrait(Results(SUITE, frame, measured, quantities=QUANTITIES), "mine"))
    (line,) = [one for one in text.splitlines() if "| mine " in one and "fc2 (output): 5 seeds" in one]
    assert "| 5 % |" in " ".join(line.split())
    assert "| 12 |" in " ".join(line.split())


def judged_at(differences: Any) -> Answer:
    """The answer to whether it is above random, of differences by place and seed, with a margin of 0.5."""
    asked = []
    for i, of_seeds in enumerate(differences):
        known = Paired(np.asarray(of_seeds))
        verdict, p_holds, p_fails = judge(known, "above", 0.5)
        outcome = Outcome(
            check=str(i),
            verdict=verdict,
            expect="above",
            margin=0.5,
            effect=known.effect,
            upper=known.upper(0.05),
            p_holds=p_holds,
            p_fails=p_fails,
            evidence=known,
        )
        asked.append(Asked({}, "matching", outcome))
    return Answer(QUESTIONS[0], tuple(asked))


@pytest.mark.parametrize("places", [2, 4, 10])
def test_chance_alone_hardly_ever_says_yes_however_many_places_there_are(places: int) -> None:
    """No difference anywhere, three seeds of a spread of 2: a yes of any kind in at most 6 % of trials."""
    rng = np.random.default_rng(places)
    words = [judged_at(rng.normal(0, 2, (places, 3))).word for _ in range(600)]
    assert np.mean([word in ("yes", "yes, in places", "it depends") for word in words]) <= 0.06


@pytest.mark.parametrize("places", [1, 4])
def test_chance_alone_hardly_ever_says_the_opposite(places: int) -> None:
    """No difference anywhere: that some place is said to be the other way round, in at most 5 % of trials."""
    rng = np.random.default_rng(places)
    turned = [bool(judged_at(rng.normal(0, 2, (places, 2))).turned) for _ in range(600)]
    assert np.mean(turned) <= 0.05


def test_what_two_seeds_of_one_place_make_the_other_way_round_is_not_said() -> None:
    """p = 0.027 one way is not below 5 % both ways; five seeds of the same are."""
    few = judged_at([[-3.098, -3.662]])
    assert (few.asked[0].opposite, few.turned) == (True, ())
    assert "worse" not in few.sentence
    assert "worse than random pruning in 1 of 1 place" in judged_at([[-3.0, -3.7, -3.2, -3.5, -3.4]]).sentence


def test_a_sentence_says_at_which_sparsities_where_it_was_asked_over_one_range_alone() -> None:
    """The sparsities of all its places, from the lowest to the highest."""
    (one,) = judged_at([[5.0, 5.1, 5.2]]).asked
    asked = (replace(one, range="extreme", sparsities=(0.8, 0.95)), replace(one, range="extreme"))
    said = Answer(QUESTIONS[1], asked).sentence
    assert said.startswith("At extreme sparsities (80–95 %), which weights of a layer it keeps matters: ")
    assert said.endswith("Yes in 2 of 2 places (extreme, 80–95 %).")


def test_one_place_of_ten_is_no_answer_and_the_sentence_says_how_many_cannot_tell() -> None:
    """Just significant by itself, and far from it after Holm; with a large one it is so in places."""
    open_ones = [[-1.0, 0.0, 1.2]] * 9
    weak, strong = [0.8, 1.0, 1.9], [5.0, 5.001, 5.002]
    answer = judged_at(np.array([weak, *open_ones]))
    assert answer.counts == {"yes": 1, "cannot be told": 9}
    assert answer.word == "cannot be told"
    assert answer.sentence.startswith(
        "Is it above random pruning? Yes in 1 of 10 places (matching), cannot be told in 9 (matching)"
    )
    assert "chance alone" in answer.sentence
    sure = judged_at(np.array([strong, *open_ones]))
    assert sure.word == "yes, in places"
    assert "Yes in 1 of 10 places (matching), cannot be told in 9" in sure.sentence


def test_only_answers_at_matching_sparsities_liken_a_method_to_the_papers(cells: Cells) -> None:
    """Shuffling loses at extreme ones alone: nothing is said of what the paper found at matching ones."""
    assert "is unlike" not in " ".join(portrait(cells, mine=(97, 80), shuffle=(97, 60)).kind)
    assert "is unlike" in " ".join(portrait(cells, mine=(97, 80), shuffle=(95, 80)).kind)


def test_a_method_of_the_paper_is_not_likened_to_its_methods(cells: Cells) -> None:
    """SNIP is one of those that SNIP would be unlike, or like."""
    for shuffle in ((95, 80), (97, 80)):
        frame = portrait(cells, mine=(97, 80), shuffle=shuffle, reinit=(97, 80)).results.cells
        for name, likened in (("mine", True), ("snip", False)):
            drawn = Portrait(
                Results(SUITE, frame.replace({"method": {"mine": name}}), quantities=QUANTITIES), name
            )
            assert any("Frankle" in sentence for sentence in drawn.kind) == likened


def test_nothing_is_likened_where_matching_sparsities_cannot_tell(cells: Cells) -> None:
    """Whatever is plain at extreme ones."""
    drawn = portrait(cells, mine=(97, 80), shuffle=(97, 60))
    frame = drawn.results.cells.copy()
    here = (frame["ablations"] == "shuffle") & (frame["sparsity"] == 0.5)
    frame.loc[here, "accuracy"] += [3.0, -3.0, 2.0, -2.0, 0.5]
    open_ = Portrait(Results(SUITE, frame, quantities=QUANTITIES), "mine")
    assert words(open_)["shuffle"] == "yes, in places"
    assert not any("Frankle" in sentence for sentence in open_.kind)


def test_likeness_to_magnitude_after_training_is_asked_at_matching_sparsities_alone(cells: Cells) -> None:
    """That it falls short of it at extreme ones does not count."""
    drawn = portrait(cells, mine=(98, 80), shuffle=(95, 70))
    assert words(drawn)["after-training"] == "it depends"
    assert "At matching sparsities it is like magnitude pruning after training" in drawn.kind[-1]


def test_how_much_chance_there_is_is_said_and_that_seeds_are_few(cells: Cells) -> None:
    """5 % of the answers at places; below three seeds that little can be said."""
    drawn = portrait(cells, mine=(97, 80), shuffle=(97, 80))
    asked = "8 answers at single places were looked for, each with 5 % bounds: chance explains up to 0.4 of"
    assert asked in portrayed(drawn)
    assert "little can be said" not in portrayed(drawn)
    frame = drawn.results.cells
    two = Portrait(Results(SUITE, frame[frame["seed"] < 2], quantities=QUANTITIES), "mine")
    assert "The answers rest on 2 seeds: little can be said with fewer than 3" in portrayed(two)
    assert json.loads(portrayed(two, "json"))["cautions"] == two.cautions


def test_the_page_says_which_sparsities_are_matching_and_extreme(cells: Cells) -> None:
    """In words, in the tables, and as numbers; that none is matching, too."""
    drawn = portrait(cells, mine=(97, 80), shuffle=(97, 80))
    assert "(matching sparsities: 50 %, extreme sparsities: 90 %)" in portrayed(drawn)
    assert "| extreme (90 %)" in portrayed(drawn)
    frame = drawn.results.cells.copy()
    lost = (frame["method"] == "magnitude-after-training") & (frame["sparsity"] == 0.5)
    frame.loc[lost, "accuracy"] -= 8
    none = Portrait(Results(SUITE, frame, quantities=QUANTITIES), "mine")
    text = portrayed(none)
    assert "(no sparsity is matching here, extreme sparsities: 50–90 %)" in text
    assert "At extreme sparsities (50–90 %), it is above random pruning." in text
    (ranges,) = json.loads(portrayed(none, "json"))["ranges"]
    assert (ranges["trivial"], ranges["matching"], ranges["extreme"]) == ([], [], [0.5, 0.9])


def test_magnitude_after_training_is_not_likened_to_anything(cells: Cells) -> None:
    """It is what methods are compared with: whether it falls short of itself is not asked."""
    drawn = portrait(cells, mine=(97, 80))
    frame = drawn.results.cells.replace(
        {"method": {"magnitude-after-training": "x", "mine": "magnitude-after-training"}}
    )
    own = Portrait(Results(SUITE, frame, quantities=QUANTITIES), "magnitude-after-training")
    assert not any("Frankle" in sentence for sentence in own.kind)


def test_json_says_what_the_page_says(cells: Cells) -> None:
    """With the number of its schema, and the outcome behind every answer."""
    drawn = portrait(cells, mine=(97, 80), shuffle=(97, 80))
    whole = json.loads(portrayed(drawn, "json"))
    assert (whole["schema"], whole["method"], whole["kind"]) == (1, "mine", drawn.kind)
    shuffled = next(one for one in whole["questions"] if one["id"] == "shuffle")
    assert shuffled["answer"] == "no"
    assert [one["outcome"]["verdict"] for one in shuffled["asked"]] == ["fails", "fails"]


@pytest.mark.parametrize("bad", ["<script>x</script>", "a|b\x1b[31m"])
def test_a_name_of_somebody_elses_does_nothing(cells: Cells, bad: str) -> None:
    """Methods are called what their authors call them: texts are escaped as in every table."""
    frame = portrait(cells, mine=(97, 80)).results.cells.replace({"method": {"mine": bad}})
    text = portrayed(Portrait(Results(SUITE, frame, quantities=QUANTITIES), bad))
    assert bad not in text
    assert "\x1b" not in text


def test_scores_that_point_the_wrong_way_are_told(cells: Cells) -> None:
    """Keeping the lowest does better by more than the margin: said, and not that they rank nothing."""
    drawn = portrait(cells, mine=(95, 50), shuffle=(96, 70), reinit=(95, 50), invert=(97, 80))
    sentences = {answer.question.id: answer.sentence for answer in drawn.answers}
    assert (
        sentences["invert"]
        == "Keeping the lowest scores does better, so they point the wrong way in 2 of 2 places (matching, "
        "50 %; extreme, 90 %). No in 2 of 2 places (matching, 50 %; extreme, 90 %)."
    )
    assert sentences["shuffle"].startswith("Its masks do better when they are shuffled")
    assert sentences["random"].startswith("It is worse than random pruning in 1 of 2 places (extreme, 90 %).")
    assert not any("it is like SNIP" in sentence for sentence in drawn.kind)
    assert "no, the opposite" in portrayed(drawn)


def test_a_report_shows_the_questions_of_a_suite_that_judges_and_of_no_other(cells: Cells) -> None:
    """A row a question in a table of its own."""
    from prunebench.report.page.kind import kind

    drawn = portrait(cells, mine=(97, 80), shuffle=(97, 80))
    assert kind(drawn.results) == []
    suite = {**SUITE, "name": "quick-judges-mine"}
    (table,) = kind(Results(suite, drawn.results.cells, quantities=QUANTITIES))
    assert table.title == "What kind of method is mine?"
    answers = dict(zip(table.frame["asks"], table.frame["answer"], strict=True))
    assert answers["Does it matter which weights of a layer it keeps?"] == "no"
    assert kind(Results({**SUITE, "name": "quick-judges-other"}, drawn.results.cells)) == []
