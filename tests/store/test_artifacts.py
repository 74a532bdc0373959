"""Artifacts: what is written is read; the first commit wins."""

from __future__ import annotations

import errno
import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors import safe_open
from safetensors.torch import load_file

from prunebench.errors import StoreError
from prunebench.store import Missing, Store

DTYPES = [
    torch.float32,
    torch.float64,
    torch.float16,
    torch.bfloat16,
    torch.int64,
    torch.int32,
    torch.uint8,
    torch.bool,
]


def same(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    """Whether two sets of tensors agree in names, order, types, shapes and bits."""
    return list(one) == list(other) and all(
        a.dtype == b.dtype
        and a.shape == b.shape
        and a.contiguous().view(-1).view(torch.uint8).equal(b.contiguous().view(-1).view(torch.uint8))
        for a, b in zip(one.values(), other.values(), strict=True)
    )


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("shape", [(), (0,), (7,), (3, 1, 5)], ids=str)
def test_tensors_come_back_bit_for_bit(
    store: Store, key: str, dtype: torch.dtype, shape: tuple[int, ...]
) -> None:
    """Every type and shape that training uses is read back as it was written."""
    tensor = (torch.randn(shape, generator=torch.Generator().manual_seed(1)) * 9).to(dtype)
    written = store.write_artifact(key, {"t": tensor}, {})
    read = store.read_artifact(key)
    assert same({"t": tensor}, read.tensors)
    assert read.digest == written.digest


def test_special_numbers_and_order_survive(store: Store, key: str) -> None:
    """Infinities, NaN and −0 keep their bits, and tensors their order whatever their types."""
    tensors = {
        "z": torch.tensor([float("nan"), float("inf"), -0.0, 5e-324], dtype=torch.float64),
        "a": torch.ones(3, dtype=torch.uint8),
        "m": torch.zeros(2),
    }
    store.write_artifact(key, tensors, {})
    assert same(tensors, store.read_artifact(key).tensors)


def test_views_gradients_and_shared_memory_are_written_plainly(store: Store, key: str) -> None:
    """Transposed, sliced, shared and differentiable tensors are stored by value."""
    base = torch.arange(12.0).reshape(3, 4).requires_grad_()
    given_ = {"base": base, "t": base.t(), "row": base[1], "again": base}
    store.write_artifact(key, given_, {})
    read = store.read_artifact(key).tensors
    assert all(
        torch.equal(read[name], value) and not read[name].requires_grad for name, value in given_.items()
    )


def test_meta_comes_back_in_its_order(store: Store, key: str) -> None:
    """The meta is read as it was given, key by key in order, with the digest beside it in the header."""
    meta = {
        "kind": "state",
        "made_from": {"b" * 64: "1" * 64, "a" * 64: "2" * 64},
        "curve": [{"step": 1, "loss": 0.1}],
        "ü": None,
    }
    artifact = store.write_artifact(key, {"w": torch.ones(2)}, meta)
    assert json.dumps(store.read_artifact(key).meta) == json.dumps(artifact.meta) == json.dumps(meta)
    assert store.artifact_meta(key) == {**meta, "digest": artifact.digest}


def test_digest_is_what_the_page_on_formats_says(store: Store, key: str) -> None:
    """The digest can be computed with nothing but hashlib and json from what any safetensors reader shows."""
    meta = {"kind": "score", "of": "x", "provenance": {"time": 3.5}}
    artifact = store.write_artifact(key, {"b": torch.arange(3), "a": torch.full((2, 2), 0.5)}, meta)

    def canonical(value: object) -> bytes:
        return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()

    sha = hashlib.sha256(canonical({"kind": "score", "of": "x"}))
    sha.update(canonical(["a", "F32", [2, 2], 16]) + torch.full((2, 2), 0.5).numpy().tobytes())
    sha.update(canonical(["b", "I64", [3], 24]) + torch.arange(3).numpy().tobytes())
    assert artifact.digest == sha.hexdigest()


def test_provenance_is_kept_outside_the_digest(store: Store, key: str) -> None:
    """Two makings of the same bits at different times have the same digest; another meta has another."""
    one = store.write_artifact(key, {"w": torch.ones(2)}, {"a": 1, "provenance": {"time": 1}})
    two = store.write_artifact("0" * 64, {"w": torch.ones(2)}, {"provenance": {"time": 2}, "a": 1})
    three = store.write_artifact("1" * 64, {"w": torch.ones(2)}, {"a": 2})
    assert one.digest == two.digest != three.digest
    assert store.read_artifact(key).meta["provenance"] == {"time": 1}


def test_digest_tells_type_shape_and_name_apart(store: Store) -> None:
    """The same bytes under another name, shape or type are other artifacts."""
    variants = [
        {"w": torch.zeros(4)},
        {"w": torch.zeros(2, 2)},
        {"w": torch.zeros(4, dtype=torch.int32)},
        {"v": torch.zeros(4)},
        {"v": torch.zeros(2), "w": torch.zeros(2)},
        {},
    ]
    digests = {store.write_artifact(f"{i:064x}", tensors, {}).digest for i, tensors in enumerate(variants)}
    assert len(digests) == len(variants)


def test_any_safetensors_reader_can_open_it(store: Store, key: str) -> None:
    """An artifact is a plain safetensors file: the library itself loads its tensors and metadata."""
    store.write_artifact(key, {"w": torch.arange(5.0)}, {"kind": "state"})
    path = store.artifact_path(key)
    assert path == store.root / "artifacts" / key[:2] / f"{key}.safetensors"
    assert torch.equal(load_file(path)["w"], torch.arange(5.0))
    with safe_open(path, framework="pt") as file:
        assert json.loads(file.metadata()["prunebench"])["meta"] == {"kind": "state"}


def test_second_writer_reads_the_first_ones_back(store: Store, key: str) -> None:
    """The first commit wins: a writer with other bits gets the first one's tensors, meta and digest."""
    first = store.write_artifact(key, {"w": torch.zeros(3)}, {"from": "first"})
    second = Store.open(store.root).write_artifact(key, {"w": torch.ones(3)}, {"from": "second"})
    assert second.digest == first.digest
    assert torch.equal(second.tensors["w"], torch.zeros(3))
    assert second.meta == {"from": "first"}
    assert len(list(store.artifact_path(key).parent.iterdir())) == 1


def test_second_writer_after_damage_stands(store: Store, key: str) -> None:
    """Where the first one's file has been damaged meanwhile, the second one's is committed in its place."""
    store.write_artifact(key, {"w": torch.zeros(3)}, {})
    path = store.artifact_path(key)
    path.write_bytes(path.read_bytes()[:-1])
    again = store.write_artifact(key, {"w": torch.ones(3)}, {})
    assert torch.equal(again.tensors["w"], torch.ones(3))
    assert torch.equal(store.read_artifact(key).tensors["w"], torch.ones(3))


def test_missing_artifact_is_said(store: Store, key: str) -> None:
    """What is not there raises Missing, and reads as None from its header."""
    with pytest.raises(Missing, match="not in the store"):
        store.read_artifact(key)
    assert store.artifact_meta(key) is None
    assert not store.has_artifact(key)


def test_dropped_artifact_is_gone(store: Store, key: str) -> None:
    """Dropping removes the file, says whether there was one, and lets the key be made again."""
    store.write_artifact(key, {}, {})
    assert store.has_artifact(key)
    assert store.drop_artifact(key)
    assert not store.drop_artifact(key)
    assert not store.has_artifact(key)
    store.write_artifact(key, {}, {"again": True})
    assert store.read_artifact(key).meta == {"again": True}


@pytest.mark.parametrize("links", [True, False])
def test_who_asks_for_an_artifact_while_it_is_dropped_has_it_back(
    store: Store, key: str, links: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody sees it while that is asked; then it is there as before, though asking failed or took long."""
    if not links:
        monkeypatch.setattr("os.link", _refuse)
    path = store.artifact_path(key)
    store.write_artifact(key, {"w": torch.ones(2)}, {})
    before, seen = path.read_bytes(), []

    def asked() -> bool:
        seen.append(store.has_artifact(key))
        return True

    assert not store.drop_artifact(key, unless=asked)
    with pytest.raises(ZeroDivisionError):
        store.drop_artifact(key, unless=lambda: bool(1 / 0))
    assert seen == [False]
    assert path.read_bytes() == before
    assert store.drop_artifact(key, unless=lambda: False)
    assert not list(path.parent.iterdir())


def test_what_is_made_again_while_an_artifact_is_hidden_stands(store: Store, key: str) -> None:
    """The first commit wins: what is put back replaces nothing."""
    store.write_artifact(key, {}, {"made": 1})
    assert not store.drop_artifact(key, unless=lambda: bool(store.write_artifact(key, {}, {"made": 2})))
    assert store.read_artifact(key).meta == {"made": 2}
    assert len(list(store.artifact_path(key).parent.iterdir())) == 1


def _refuse(*_: Any) -> None:
    raise OSError(errno.EPERM, "no hard links here")


def test_checkpoints_never_collide_with_states(store: Store, key: str) -> None:
    """A checkpoint and the state of the same run and step are two files, each read and dropped alone."""
    state = f"{key}@200"
    store.write_artifact(state, {"w": torch.zeros(1)}, {}, checkpoint=True)
    assert not store.has_artifact(state)
    with pytest.raises(Missing):
        store.read_artifact(state)
    store.write_artifact(state, {"w": torch.ones(1)}, {})
    assert torch.equal(store.read_artifact(state, checkpoint=True).tensors["w"], torch.zeros(1))
    store.drop_artifact(state, checkpoint=True)
    assert torch.equal(store.read_artifact(state).tensors["w"], torch.ones(1))


def test_states_of_a_run_are_listed_by_step(store: Store, key: str) -> None:
    """The states of a run come in rising order of their steps, numbers not text, checkpoints marked."""
    for step in (1000, 9, 0):
        store.write_artifact(f"{key}@{step}", {}, {})
    store.write_artifact(f"{key}@400", {}, {}, checkpoint=True)
    store.write_artifact(f"{key[:2]}{'0' * 62}@5", {}, {})
    store.write_artifact(key, {}, {})
    assert store.states(key) == [(0, False), (9, False), (400, True), (1000, False)]


def test_keys_leave_out_checkpoints_and_strangers(store: Store, key: str) -> None:
    """The listing has states and other artifacts; checkpoints, temporary and foreign files are left out."""
    store.write_artifact(key, {}, {})
    store.write_artifact(f"{key}@7", {}, {})
    store.write_artifact(f"{key}@3", {}, {}, checkpoint=True)
    (store.root / "artifacts" / key[:2] / "notes.safetensors").write_text("mine")
    (store.root / "artifacts" / key[:2] / f".{key}.safetensors.h-0.1.1.00000000.tmp").write_text("half")
    assert store.artifact_keys() == {key, f"{key}@7"}


KEY = "3f" * 32


@pytest.mark.parametrize(
    "bad",
    [
        "",
        "../x",
        "a/../../x",
        "/etc/passwd",
        KEY[2:],
        KEY.upper(),
        f"{KEY}\n",
        f"{KEY}/x",
        f"{KEY}\0",
        f"{KEY}@",
        f"{KEY}@-1",
        f"{KEY}@01",
        f"{KEY}@1@2",
        ".." + "0" * 62,
        "é" * 64,
    ],
)
def test_keys_that_are_none_are_refused(store: Store, bad: str) -> None:
    """Only 64 hexadecimal digits, perhaps with a step, name an artifact: no key leads out of the store."""
    for use in (
        store.read_artifact,
        store.has_artifact,
        store.artifact_meta,
        store.drop_artifact,
        store.states,
    ):
        with pytest.raises(StoreError, match="not a key"):
            use(bad)
    with pytest.raises(StoreError, match="not a key"):
        store.write_artifact(bad, {}, {})


@pytest.mark.parametrize("meta", [{"x": float("nan")}, {"x": [float("inf")]}, {"digest": "mine"}])
def test_meta_without_one_spelling_is_refused(store: Store, key: str, meta: dict[str, Any]) -> None:
    """Numbers that are not finite, and an entry that is the store's own, are refused; nothing is written."""
    with pytest.raises(ValueError):
        store.write_artifact(key, {}, meta)
    assert not store.has_artifact(key)


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    meta=st.dictionaries(st.text().filter(lambda name: name != "digest"), JSON, max_size=4),
    names=st.sets(st.text(min_size=1).filter(lambda name: name != "__metadata__"), max_size=4),
)
def test_any_plain_meta_and_names_survive(tmp_path: Path, meta: dict[str, Any], names: set[str]) -> None:
    """Whatever JSON the meta hold and whatever the tensors are called, all is read back."""
    store, key = Store.open(tmp_path / "h"), "0" * 64
    store.drop_artifact(key)
    tensors = {name: torch.full((2,), float(i)) for i, name in enumerate(names)}
    store.write_artifact(key, tensors, meta)
    read = store.read_artifact(key)
    assert read.meta == meta
    assert same(read.tensors, tensors)
