"""Every built-in component passes the conformance kit, like anyone's."""

from __future__ import annotations

import pytest

from prunebench.host import KINDS, Host
from prunebench.testing import check_component, check_dataset

HOST = Host.load(third_party=False)
SLOW = {
    *("resnet32", "resnet44", "cifar-resnet50", "resnet56", "resnet98", "resnet110"),
    *("wrn-14-8", "wrn-14-10", "wrn-20-8", "vgg13", "vgg19", "vgg2-16", "alexnet-b", "vgg16-tinyimagenet"),
    *("vgg16-imagenet", "vgg16-bn-imagenet"),
}
"""Deep or wide networks: a smaller one of each family runs in `make test`, these in `make test-all`."""

COMPONENTS = [
    pytest.param(kind, name, marks=pytest.mark.slow if name in SLOW else (), id=f"{kind}-{name}")
    for kind in KINDS
    for name in HOST.names(kind)
]


@pytest.mark.parametrize(("kind", "name"), COMPONENTS)
def test_built_in_component_conforms(kind, name):
    """A built-in component keeps what the kit asks of its kind."""
    check_component(HOST.get(kind, name))


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_has_a_built_in_component(kind):
    """There is something of every kind to check."""
    assert HOST.names(kind)


@pytest.mark.realdata
@pytest.mark.parametrize("name", ["cifar10", "digits", "fashion-mnist", "mnist"])
def test_built_in_data_set_is_what_it_declares(name, data_root):
    """Sizes, labels, mean and deviation of the real files are the declared ones."""
    check_dataset(HOST.get("dataset", name), data_root)


@pytest.mark.parametrize("name", HOST.names("method"))
def test_built_in_method_names_scorers_that_exist(name):
    """A method's scorer is registered."""
    scorer = HOST.method(name).form.scorer
    assert scorer is None or scorer.name in HOST.names("scorer")


@pytest.mark.parametrize("name", HOST.names("recipe"))
def test_built_in_recipe_names_an_initialization_that_exists(name):
    """A recipe's initialization is registered."""
    assert HOST.get("recipe", name).recipe.init in HOST.names("initialization")


@pytest.mark.parametrize("name", HOST.names("architecture"))
def test_built_in_preset_names_an_architecture_and_its_parameters(name):
    """A preset's base is registered, is no preset itself, and takes the parameters."""
    preset = HOST.get("architecture", name).preset
    if preset is not None:
        base = HOST.get("architecture", preset[0])
        assert base.preset is None
        assert set(preset[1]) <= set(base.parameters)
