"""Settings have short names that tell them apart."""

from __future__ import annotations

import re

import pytest

from prunebench.report.naming import setting_names

BASE = {
    "architecture": "resnet20",
    "dataset": "cifar10",
    "recipe": "pai",
    "split": "test",
    "find": "",
    "score_at": "",
}


@pytest.mark.parametrize(
    ("changes", "ids"),
    [
        ([{}], ["resnet20"]),
        ([{}, {"architecture": "vgg16"}], ["resnet20", "vgg16"]),
        ([{}, {"score_at": "init"}, {"score_at": "step 50"}], ["resnet20", "resnet20-init", "resnet20-step-50"]),
        ([{}, {"dataset": "svhn"}, {"dataset": "svhn", "find": "lr=0.5"}],
         ["resnet20-cifar10", "resnet20-svhn", "resnet20-svhn-lr-0.5"]),
        ([{}, {"split": "val"}, {"architecture": "vgg16"}], ["resnet20-test", "resnet20-val", "vgg16"]),
        ([{"architecture": "a b"}, {"architecture": "a-b"}, {"architecture": "A/b"}], ["a-b", "a-b-2", "a-b-3"]),
        ([{"architecture": "../.."}, {"architecture": "<script>"}], ["setting", "script"]),
    ],
)  # fmt: skip
def test_an_id_has_what_tells_its_setting_from_the_others(
    changes: list[dict[str, str]], ids: list[str]
) -> None:
    names = setting_names([BASE | change for change in changes])
    assert [name.id for name in names] == ids
    assert all(re.fullmatch(r"[a-z0-9.-]+", name.id) for name in names)


def test_a_title_says_what_differs() -> None:
    names = setting_names([BASE, BASE | {"score_at": "step 50", "recipe": "other"}])
    assert [name.title for name in names] == [
        "resnet20 on cifar10, recipe pai",
        "resnet20 on cifar10, recipe other, pruned at step 50",
    ]
