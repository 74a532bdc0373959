"""Points from anybody's CSV: what columns may be called, the unpruned error, and all that is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from prunebench.errors import FitError
from prunebench.host.registry import Host
from prunebench.scaling.files import read_file, read_points
from prunebench.scaling.points import Points

FORMS = Host.builtin_forms()


def read(folder: Path, text: str, form: str = "rosenfeld", **renamed: str) -> Points:
    path = folder / "points.csv"
    path.write_text(text, "utf-8")
    return read_points(str(path), FORMS[form], renamed)


def told(folder: Path, text: str, form: str = "rosenfeld", **renamed: str) -> str:
    """Return what is said of a file that cannot be read, without the folder."""
    with pytest.raises(FitError) as error:
        read(folder, text, form, **renamed)
    return str(error.value).replace(f"{folder}/", "")


HEAD = "depth,width,density,error"


def test_the_unpruned_error_is_that_of_the_same_network_and_seed(tmp_path: Path) -> None:
    """Of a seed without a row at density 1 the mean over the network's other seeds."""
    rows = ["8,1,1,0.1,0", "8,1,0.5,0.2,0", "8,1,1,0.3,1", "8,1,0.5,0.4,1", "8,1,0.5,0.4,2", "8,2,1,0.05,0"]
    points = read(tmp_path, "\n".join([f"{HEAD},seed", *rows]))
    assert points.error_unpruned == pytest.approx([0.1, 0.1, 0.3, 0.3, 0.2, 0.05])
    assert len(set(points.network.tolist())) == 2


def test_an_unpruned_error_that_is_given_goes_before(tmp_path: Path) -> None:
    rows = ["8,1,1,0.1,0.09", "8,1,0.5,0.2,"]
    points = read(tmp_path, "\n".join([f"{HEAD},error_unpruned", *rows]))
    assert points.error_unpruned == pytest.approx([0.09, 0.1])


@pytest.mark.parametrize("mark", [",", ";", "\t"])
def test_columns_may_stand_in_any_order_and_have_other_names(tmp_path: Path, mark: str) -> None:
    """Capitals, a byte order mark, empty lines, sparsity for density, subsample for examples."""
    head = ["Width", "sparsity", "Error", "depth", "subsample", "dataset", "flops"]
    rows = [["1", "0", "0.1", "8", "5e4", "cifar10", "7"], ["1", "0.75", "0.2", "8", "50000", "cifar10", "9"]]
    text = "\ufeff" + "\n".join(mark.join(row) for row in [head, *rows]) + "\n\n"
    points = read(tmp_path, text)
    assert points.density.tolist() == [1, 0.25]
    assert points.examples.tolist() == [5e4, 5e4]
    assert points.extra["flops"].tolist() == [7, 9]
    assert "dataset" not in points.extra


def test_a_column_can_be_named(tmp_path: Path) -> None:
    points = read(tmp_path, "l,w,d,e\n8,1,1,0.1\n", depth="l", width="w", density="d", error="e")
    assert (points.depth[0], points.width[0], points.error[0]) == (8, 1, 0.1)


def test_what_is_not_there_is_unknown(tmp_path: Path) -> None:
    points = read(tmp_path, "density,error,error_unpruned\n0.5,0.2,0.1\n", "rosenfeld-network")
    assert np.isnan([points.depth[0], points.width[0], points.examples[0]]).all()


REFUSED: list[tuple[str, str]] = [
    ("", "points.csv: the file is empty"),
    (HEAD, "points.csv: no line follows the column names"),
    ("8,1,1,0.1", "points.csv:1: found 8, 1, 1, 0.1; the first line must name the columns"),
    ("depth,depth,density,error\n8,8,1,0.1", "points.csv:1: two columns are named 'depth'"),
    ("depth,,density,error\n8,8,1,0.1", "points.csv:1: a column has no name"),
    (f"{HEAD}\n8,1,1", "points.csv:2: found 3 fields; the header has 4"),
    ("width,density,error\n1,1,0.1", "column 'depth' is missing"),
    ("depth,width,error\n8,1,0.1", "column 'density' (or sparsity) is missing"),
    ("depth,width,density,eror\n8,1,1,0.1", "column 'error' (or loss) is missing; did you mean 'eror'?"),
    (f"{HEAD}\n8,1,1,0.1\n8,1,0,0.2", "points.csv:3: column 'density': found 0; allowed: the share"),
    (f"{HEAD}\n8,1,1,0.1\n8,1,-0.5,0.2", "points.csv:3: column 'density': found -0.5"),
    (f"{HEAD}\n8,1,100,0.1\n8,1,50,0.2", "points.csv:2: column 'density': found 100; allowed: the share of weights "
     "that is left, above 0, up to 1 (2 of 2 are above 1: percent? divide by 100)"),
    ("depth,width,sparsity,error\n8,1,1,0.1", "column 'sparsity': found 1; allowed: the share of weights removed"),
    (f"{HEAD}\n8,1,1,8.3\n8,1,0.5,9.1", "points.csv:2: column 'error': found 8.3; allowed: a fraction above 0, up to "
     "1 (2 of 2 are above 1: percent? divide by 100)"),
    (f"{HEAD}\n8,1,1,0", "column 'error': found 0; allowed: a fraction above 0, up to 1"),
    (f"{HEAD}\n8,1,1,-0.1", "column 'error': found -0.1"),
    (f"{HEAD}\n8,1,1,nan", "points.csv:2: column 'error': found nan; allowed: a number"),
    (f"{HEAD}\n8,1,1,inf", "column 'error': found inf; allowed: a number"),
    (f"{HEAD}\n8,1,1,", "points.csv:2: column 'error': found nothing; allowed: a number"),
    (f"{HEAD}\n8,wide,1,0.1", "points.csv:2: column 'width': found wide; allowed: a number"),
    (f"{HEAD}\n8,0,1,0.1", "column 'width': found 0; allowed: a number above 0"),
    (f"{HEAD}\n8,1,0.5,0.1", "has no unpruned error; allowed: a column 'error_unpruned', or a row of it at density 1"),
    (f"{HEAD},seed\n8,1,1,0.1,0.5", "column 'seed': found 0.5; allowed: a whole number"),
    (f"{HEAD},error_unpruned\n8,1,0.5,0.1,7", "column 'error_unpruned': found 7; allowed: a fraction"),
    (f"{HEAD},dataset\n8,1,1,0.1,cifar10\n8,2,1,0.1,svhn", "points.csv:3: column 'dataset': found 'svhn', before it "
     "'cifar10'; a law is of one dataset: fit them apart"),
    (f"{HEAD},sparsity\n8,1,1,0.1,0", "'density' and 'sparsity' are both there"),
    ("density;error\n1;0,1", "points.csv:2: column 'error': found 0,1; allowed: a decimal point, as 0.1, and no"),
    ("density,error\n1,0,0,1", "points.csv:2: found 4 fields; the header has 2; decimal commas? write points"),
    ("# density,error\n1,0.1", "the first line must name the columns; the comment '# density,error' seems to: take"),
    ("density error\n1,0.1", "found 2 fields; the header has 1; the columns are separated by commas, semicolons"),
    (f"{HEAD},loss\n8,1,1,0.1,0", "'error' and 'loss' are both error"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "said"), REFUSED, ids=[said[:50] for _, said in REFUSED])
def test_what_cannot_be_is_refused_with_its_place(tmp_path: Path, text: str, said: str) -> None:
    assert said in told(tmp_path, text)


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "points.csv").write_bytes(b"depth\xff")
    form: Any = FORMS["rosenfeld"]
    with pytest.raises(FitError, match=r"points\.csv: not UTF-8: byte 0xff"):
        read_points(str(tmp_path / "points.csv"), form)
    with pytest.raises(FitError, match=r"pionts\.csv: no such file; did you mean '.*points\.csv'"):
        read_points(str(tmp_path / "pionts.csv"), form)
    with pytest.raises(FitError, match="Is a directory"):
        read_points(str(tmp_path), form)


PLAIN = "density,error\n1,0.1\n0.5,0.2\n0.25,0.4"


@pytest.mark.parametrize(
    "text",
    [
        "sep=;\ndensity;error\n1;0.1\n0.5;0.2\n0.25;0.4",
        "# made by hand\n\ndensity,error\n1,0.1\n# and here\n0.5,0.2\n0.25,0.4",
        "density,error,time\n1,0.1,nan\n0.5,0.2,7\n0.25,0.4,inf",
        "density,error,depth\n1,0.1,nan\n0.5,0.2,nan\n0.25,0.4,",
    ],
)
def test_what_nobody_needs_is_passed_over(tmp_path: Path, text: str) -> None:
    """Comments, the first line that spreadsheets write, and what is not known in columns that no form reads."""
    points = read(tmp_path, text, "rosenfeld-network")
    assert points.error.tolist() == [0.1, 0.2, 0.4]
    assert points.error_unpruned.tolist() == [0.1, 0.1, 0.1]


def test_errors_may_be_taken_from_accuracies(tmp_path: Path) -> None:
    text = "density,accuracy\n1,0.9\n0.5,0.75"
    assert read(tmp_path, text, "rosenfeld-network", error="1-accuracy").error == pytest.approx([0.1, 0.25])
    assert "--column error=1-accuracy takes it as 1 − accuracy" in told(tmp_path, text, "rosenfeld-network")
    percent = told(tmp_path, "density,accuracy\n1,99\n0.5,97", "rosenfeld-network", error="1 - accuracy")
    assert (
        "points.csv:2: column 'accuracy': found 99, so -98; allowed: a fraction above 0, up to 1 (2 of"
        in percent
    )
    assert "1-" not in told(tmp_path, text.replace("accuracy", "top1_err"), "rosenfeld-network")
    assert "has no column 'acuracy'; did you mean 'accuracy'" in told(tmp_path, text, error="1-acuracy")


def test_an_unpruned_error_that_one_row_lacks_is_that_of_the_others(tmp_path: Path) -> None:
    """Of the same seed, else of the network's other seeds; one that no row has is named with its line."""
    text = f"{HEAD},seed,error_unpruned\n8,1,.5,.2,0,.1\n8,1,.2,.3,0,\n8,1,.2,.3,1,.2\n8,1,.5,.3,2,"
    assert read(tmp_path, text).error_unpruned == pytest.approx([0.1, 0.1, 0.2, 0.15])
    alone = "density,error,error_unpruned\n.5,.2,.1\n.2,.3,"
    assert read(tmp_path, alone, "rosenfeld-network").error_unpruned == pytest.approx([0.1, 0.1])
    assert "points.csv:6: the network of row" in told(tmp_path, f"{text}\n20,1,.5,.3,2,")


def test_the_count_of_a_network_is_that_of_all_its_rows(tmp_path: Path) -> None:
    rows = [f"8,1,{d},0.2,0.1" for d in (0.8, 0.4)]
    text = f"{HEAD},error_unpruned,prunable\n{rows[0]},5000\n{rows[1]},"
    assert read(tmp_path, text).extra["prunable"].tolist() == [5000, 5000]
    said = told(tmp_path, f"{text}2000")
    assert (
        "points.csv:3: column 'prunable': found 2,000, and 5,000 in another row of the same network" in said
    )
    assert "column 'prunable': found 0.27; allowed: a whole number of weights" in told(
        tmp_path, f"{text}0.27"
    )
    said = told(tmp_path, f"{text}\n20,1,0.5,0.2,0.1,")
    assert (
        "points.csv:4: column 'prunable': found nothing in any row of its network; allowed: a whole" in said
    )


def test_a_scale_that_one_row_lacks_is_named(tmp_path: Path) -> None:
    """Else that row would be of another network, though the law does not read the column."""
    text = "density,error,depth\n1,0.1,20\n0.5,0.2,\n"
    assert "points.csv:3: column 'depth': found nothing; allowed: a number" in told(
        tmp_path, text, "rosenfeld-network"
    )


def test_a_seed_that_one_row_lacks_is_named(tmp_path: Path) -> None:
    """A column without any is none."""
    text = "density,error,seed\n1,0.1,{}\n0.5,0.2,\n"
    assert "points.csv:3: column 'seed': found nothing" in told(tmp_path, text.format(0), "rosenfeld-network")
    assert read(tmp_path, text.format(""), "rosenfeld-network").seed.tolist() == [0, 0]


def contents(folder: Path, text: str) -> Any:
    (folder / "points.csv").write_text(text, "utf-8")
    return read_file(str(folder / "points.csv"), ("density", "error_unpruned"))


def test_rows_that_are_there_twice_count_once(tmp_path: Path) -> None:
    """Seeds that nobody numbers are no repetition, unless every row is there again."""
    body = PLAIN.partition("\n")[2]
    twice = contents(tmp_path, f"{PLAIN}\n{body}")
    assert len(twice.points) == 3
    assert twice.said == ["3 rows repeat others in all numbers: each counts once"]
    seeds = contents(tmp_path, f"{PLAIN}\n1,0.1\n0.5,0.3\n0.25,0.4")
    assert (len(seeds.points), seeds.said) == (6, [])
    numbered = contents(tmp_path, "density,error,seed\n1,.1,0\n.5,.2,0\n.5,.2,0\n.5,.2,1\n.5,.3,1")
    assert len(numbered.points) == 4
    assert numbered.said[1] == "1 rows have network, density and seed of another row, and other numbers"


def test_an_unpruned_error_that_is_not_the_one_at_density_1_is_told(tmp_path: Path) -> None:
    rows = [f"{w},{d},{e},{u}" for w, u in ((1, 0.1), (2, 0.05)) for d, e in ((1, u), (0.5, 2 * u))]
    text = "\n".join(["width,density,error,error_unpruned", *rows])
    assert contents(tmp_path, text).said == []
    (said,) = contents(tmp_path, text.replace("2,1,0.05,", "2,1,0.08,")).said
    assert said.startswith(
        "error_unpruned of 1 of 2 networks is not their error at density 1, most of width 2: 0.05, "
    )


def test_no_damage_to_a_file_ends_otherwise_than_in_points_or_a_sentence(tmp_path: Path) -> None:
    """Three hundred files in which characters were changed, put in or left out."""
    rows = [
        f"8,{w},{d},{0.1 / d**0.5:.4g},0.1,{s},{1000 * w:.0f}"
        for w in (1, 2)
        for d in (1, 0.5, 0.1)
        for s in (0, 1)
    ]
    text = "\n".join([f"{HEAD},error_unpruned,seed,prunable", *rows])
    random = np.random.default_rng(0)
    marks = [
        ",",
        ".",
        "\n",
        '"',
        ";",
        "-",
        "e",
        "nan",
        "inf",
        "\0",
        "#",
        "",
        "9",
        "\t",
        "1e999",
        "é",
        "sep=",
        "\r",
    ]
    sentences, whole = [], 0
    for _ in range(300):
        damaged = list(text)
        for _ in range(random.integers(1, 4)):
            place = int(random.integers(len(damaged)))
            damaged[place : place + int(random.integers(3))] = [marks[random.integers(len(marks))]]
        try:
            points = read(tmp_path, "".join(damaged))
            columns = (points.depth, points.width, points.density, points.error, points.error_unpruned)
            whole += bool(np.isfinite(columns).all())
        except FitError as error:
            sentences.append(str(error))
    assert whole + len(sentences) == 300
    assert 0 < whole < 300
    assert [said for said in sentences if "points.csv" not in said] == []


def accuracy_rows(*widths: float, down: bool = True) -> str:
    """Accuracies of networks by width, which fall as these are pruned."""
    rows = [
        f"8,{w},{d},{(0.8 + 0.05 * w) * (d**0.3 if down else 1)}" for w in widths for d in (1, 0.5, 0.1, 0.01)
    ]
    return "\n".join([HEAD, *rows])


def test_accuracies_in_place_of_errors_are_refused(tmp_path: Path) -> None:
    """With the option that takes them, and none of errors that rise."""
    said = told(tmp_path, accuracy_rows(1, 2, 3))
    assert "column 'error' falls with the density in 3 of 3 networks, as from 0.85 to 0.214" in said
    assert "accuracies in place of errors? --column error=1-error takes them as such" in said
    taken = read(tmp_path, accuracy_rows(1, 2, 3), error="1-error")
    assert taken.error[:2] == pytest.approx([0.15, 1 - 0.85 * 0.5**0.3])
    other = told(
        tmp_path, "\n".join([HEAD, *[f"8,1,{d},{1 - 0.8 * d**0.3}" for d in (1, 0.1, 0.01)]]), error="1-error"
    )
    assert "1 − column 'error' falls" in other
    assert "--column error=error takes" in other


def test_what_may_be_accuracies_is_told(tmp_path: Path) -> None:
    """Errors above a half that rise with the size, or that fall by a third; a dip is none."""
    for text, wanted in [
        (
            accuracy_rows(1, 2, 3, down=False),
            "column 'error' rises with the size of the networks, from 0.85 to 0.95",
        ),
        (f"{HEAD}\n8,1,1,0.3\n8,1,0.1,0.2", "column 'error' falls with the density in 1 of 1 networks"),
        (f"{HEAD}\n8,1,1,0.3\n8,1,0.1,0.27", ""),
        (f"{HEAD}\n8,1,1,0.3\n8,1,0.1,0.4", ""),
    ]:
        path = tmp_path / "points.csv"
        path.write_text(text, "utf-8")
        said = " ".join(read_file(str(path), FORMS["rosenfeld"].columns).said)
        assert (wanted in said) if wanted else not said
