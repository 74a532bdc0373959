"""Data sets: what is declared, the embedded digits, and the real files where there are some."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest
import torch
from prunebench_plugins.datasets import prunebench_datasets

from prunebench.errors import DataError

BUILT_IN = {d.name: d for d in prunebench_datasets()}
REAL = ("cifar10", "fashion-mnist", "mnist")
"""Those whose real files the data root of the tests holds."""
OWN = ("image-folder", "image-folder-stream", "imagenet", "miniplaces", "tiny-imagenet")
"""Those whose fingerprint is of what lies in the user's folders."""
NOWHERE = Path("there", "is", "no", "such", "folder")


def moments(images: torch.Tensor) -> tuple[list[float], list[float]]:
    """Mean and standard deviation per channel on the scale 0–1, summed in integers."""
    values = images.transpose(0, 1).flatten(1).to(torch.int64)
    n = values.shape[1]
    mean = [int(v.sum()) / n for v in values]
    std = [(int((v * v).sum()) / n - m * m) ** 0.5 for v, m in zip(values, mean, strict=True)]
    return [m / 255 for m in mean], [s / 255 for s in std]


@pytest.mark.parametrize(
    ("name", "shape", "train", "test", "margin", "classes"),
    [
        ("digits", (1, 8, 8), 1442, 355, 0.5, 10),
        ("mnist", (1, 28, 28), 60_000, 10_000, 0.2, 10),
        ("fashion-mnist", (1, 28, 28), 60_000, 10_000, 0.2, 10),
        ("cifar10", (3, 32, 32), 50_000, 10_000, 0.5, 10),
        ("cifar100", (3, 32, 32), 50_000, 10_000, 0.5, 100),
        ("svhn", (3, 32, 32), 73_257, 26_032, 0.5, 10),
        ("tiny-imagenet", (3, 64, 64), 100_000, 10_000, 1.0, 200),
        ("miniplaces", (3, 128, 128), 100_000, 10_000, 1.0, 100),
        ("imagenet", (3, 224, 224), 1_281_167, 50_000, 1.0, 1000),
    ],
)
def test_a_data_set_declares_its_shape_sizes_and_margin(name, shape, train, test, margin, classes):
    """Planning needs these without reading a file."""
    data = BUILT_IN[name]
    assert (data.shape, data.train, data.test, data.margin) == (shape, train, test, margin)
    assert data.classes == classes
    assert data.version
    assert (data.mean is None) == (data.std is None)
    assert data.mean is None or len(data.mean) == len(data.std) == shape[0]
    held = data.description(NOWHERE)
    assert (held.shape, held.classes, held.train, held.test) == (shape, classes, train, test)
    assert len(data.documentation) > 100


def test_fingerprints_are_known_before_any_file_is_there():
    """Digests of published contents: each another one, whatever the root."""
    known = [d for d in BUILT_IN.values() if d.name not in OWN]
    prints = {d.fingerprint(NOWHERE) for d in known}
    assert len(prints) == len(known)
    assert all(len(p) == 64 and int(p, 16) >= 0 for p in prints)
    assert prints == {d.fingerprint(Path()) for d in known}


@pytest.mark.parametrize("name", OWN)
def test_what_is_known_by_its_folders_alone_has_no_fingerprint_without_them(name):
    """A sentence says what is missing and where it belongs."""
    given = {**BUILT_IN[name].parameters, "path": "flowers"}
    with pytest.raises(DataError, match=r"no|lacks") as caught:
        BUILT_IN[name].bound(name, given).fingerprint(NOWHERE)
    assert str(NOWHERE) in str(caught.value)


def test_digits_need_no_file_and_no_download():
    """Nothing is missing anywhere, nothing is fetched."""
    assert BUILT_IN["digits"].missing(NOWHERE) is None
    assert BUILT_IN["digits"].download is None
    assert BUILT_IN["digits"].load(NOWHERE, "train")[0].shape == (1442, 1, 8, 8)


def test_digits_are_scikit_learns():
    """The embedded images, scaled from 0–16 to 0–255, and their order are those of load_digits."""
    sklearn = pytest.importorskip("sklearn.datasets")
    theirs = sklearn.load_digits()
    of_class: dict[int, int] = {}
    parts: dict[str, list[int]] = {"train": [], "test": []}
    for position, label in enumerate(theirs.target.tolist()):
        of_class[label] = of_class.get(label, 0) + 1
        parts["test" if of_class[label] % 5 == 0 else "train"].append(position)
    for part, positions in parts.items():
        images, labels = BUILT_IN["digits"].load(NOWHERE, part)
        expected = np.round(theirs.images[positions] * 255 / 16)
        assert images.dtype == torch.uint8
        assert labels.dtype == torch.int64
        assert np.array_equal(images[:, 0].numpy(), expected)
        assert np.array_equal(labels.numpy(), theirs.target[positions])


def test_the_test_digits_are_a_fifth_of_every_class():
    """Stratified: ⌊n / 5⌋ of each class."""
    counts = {p: torch.bincount(BUILT_IN["digits"].load(NOWHERE, p)[1]) for p in ("train", "test")}
    assert counts["test"].tolist() == ((counts["train"] + counts["test"]) // 5).tolist()


def test_digits_fingerprint_is_that_of_the_embedded_pixels():
    """SHA-256 of the 1,797 images as published, then their labels."""
    sklearn = pytest.importorskip("sklearn.datasets")
    theirs = sklearn.load_digits()
    content = theirs.images.astype(np.uint8).tobytes() + theirs.target.astype(np.uint8).tobytes()
    assert BUILT_IN["digits"].fingerprint(NOWHERE) == hashlib.sha256(content).hexdigest()


def test_digits_are_normalised_by_their_training_images():
    """The declared mean and standard deviation are those of the training part, to eight digits."""
    mean, std = moments(BUILT_IN["digits"].load(NOWHERE, "train")[0])
    assert BUILT_IN["digits"].mean == pytest.approx(mean, abs=1e-8)
    assert BUILT_IN["digits"].std == pytest.approx(std, abs=1e-8)


@pytest.mark.realdata
@pytest.mark.parametrize("name", REAL)
def test_real_files_have_the_declared_shapes_sizes_and_classes(name, data_root):
    """Every class has a tenth of each part, but for MNIST's."""
    data = BUILT_IN[name]
    assert data.missing(data_root) is None
    for part, size in (("train", data.train), ("test", data.test)):
        images, labels = data.load(data_root, part)
        assert images.shape == (size, *data.shape)
        assert images.is_contiguous()
        assert (images.dtype, labels.dtype) == (torch.uint8, torch.int64)
        counts = torch.bincount(labels, minlength=10)
        assert len(counts) == 10
        if name == "mnist":  # as published: digit 1 is the commonest, 5 the rarest
            assert (int(counts.argmax()), int(counts.argmin())) == (1, 5)
        else:
            assert counts.tolist() == [size // 10] * 10


@pytest.mark.realdata
@pytest.mark.parametrize("name", REAL)
def test_real_training_images_have_the_declared_moments(name, data_root):
    """Mean and standard deviation per channel, to eight digits."""
    mean, std = moments(BUILT_IN[name].load(data_root, "train")[0])
    assert BUILT_IN[name].mean == pytest.approx(mean, abs=1e-8)
    assert BUILT_IN[name].std == pytest.approx(std, abs=1e-8)


@pytest.mark.realdata
def test_cifar10_begins_as_published(data_root):
    """The first training image is a frog (6), its top left pixel (59, 62, 63)."""
    images, labels = BUILT_IN["cifar10"].load(data_root, "train")
    assert int(labels[0]) == 6
    assert images[0, :, 0, 0].tolist() == [59, 62, 63]


@pytest.mark.realdata
def test_mnist_begins_as_published(data_root):
    """The first training labels are 5, 0, 4, 1, 9 and the first test labels 7, 2, 1, 0, 4."""
    assert BUILT_IN["mnist"].load(data_root, "train")[1][:5].tolist() == [5, 0, 4, 1, 9]
    assert BUILT_IN["mnist"].load(data_root, "test")[1][:5].tolist() == [7, 2, 1, 0, 4]


@pytest.mark.realdata
@pytest.mark.parametrize("name", REAL)
def test_real_files_load_as_in_torchvision(name, data_root, tmp_path):
    """Where torchvision reads the same original files, it finds the same images in the same order."""
    from prunebench.vision import torchvision

    if name == "cifar10":
        theirs = torchvision.datasets.CIFAR10(data_root, train=False)
        pixels = torch.from_numpy(theirs.data).permute(0, 3, 1, 2)
    else:
        kind = {"mnist": "MNIST", "fashion-mnist": "FashionMNIST"}[name]
        folder = tmp_path / kind / "raw"
        folder.mkdir(parents=True)
        unpack(data_root / kind / "raw", folder)
        theirs = getattr(torchvision.datasets, kind)(tmp_path, train=False)
        pixels = theirs.data[:, None]
    images, labels = BUILT_IN[name].load(data_root, "test")
    assert torch.equal(images, pixels)
    assert labels.tolist() == list(map(int, theirs.targets))


def unpack(source: Path, target: Path) -> None:
    """Uncompress every .gz of one folder into another (torchvision wants them so)."""
    import gzip

    for path in source.glob("*.gz"):
        (target / path.stem).write_bytes(gzip.decompress(path.read_bytes()))


@pytest.mark.realdata
@pytest.mark.parametrize("kind", ["MNIST", "FashionMNIST"])
def test_uncompressed_files_are_the_same_data_set(kind, data_root, tmp_path):
    """Uncompressed originals give the same images; the fingerprint does not ask how they are kept."""
    data = BUILT_IN[{"MNIST": "mnist", "FashionMNIST": "fashion-mnist"}[kind]]
    folder = tmp_path / kind / "raw"
    folder.mkdir(parents=True)
    unpack(data_root / kind / "raw", folder)
    assert data.missing(tmp_path) is None
    assert torch.equal(data.load(tmp_path, "test")[0], data.load(data_root, "test")[0])


@pytest.mark.parametrize("name", sorted(BUILT_IN))
def test_the_documentation_states_the_constants_in_use(name):
    """docs/data.md lists every data set with its normalisation."""
    text = (Path(__file__).parents[2] / "docs" / "data.md").read_text(encoding="utf-8")
    text = text.split("## Normalisation")[1].split("## ")[0]
    rows = [line for line in text.splitlines() if line.startswith(f"| `{name}` |")]
    assert rows == [f"| `{name}` | {spelled(BUILT_IN[name].mean)} | {spelled(BUILT_IN[name].std)} |"]


def spelled(values: tuple[float, ...] | None) -> str:
    if values is None:
        return "computed"
    return ", ".join(f"{v:.10f}" if round(v, 3) != v else str(v) for v in values)


@pytest.mark.parametrize("name", sorted(BUILT_IN))
def test_the_documentation_lists_every_data_set_with_its_sizes_and_checksums(name):
    """The first table of docs/data.md, and the MD5 of each file that is fetched."""
    text = (Path(__file__).parents[2] / "docs" / "data.md").read_text(encoding="utf-8")
    (row,) = [line for line in text.split("## ")[0].splitlines() if line.startswith(f"| `{name}` |")]
    if not name.startswith("image-folder"):
        assert f"| {BUILT_IN[name].train:,}, {BUILT_IN[name].test:,} |" in row
    for md5 in PUBLISHED_MD5.get(name, ()):
        assert md5 in text


PUBLISHED_MD5 = {
    "cifar10": ("c58f30108f718f92721af3b95e74349a",),
    "cifar100": ("eb9058c3a382ffc7106e4002c42a8d85",),
    "svhn": ("e26dedcc434d2e4c54c9b2d4a06d8373", "eb5a983be6a315427106f1b164d9cef3"),
    "tiny-imagenet": ("90528d7ca1a48142e341f4ef8d21d0de",),
}


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("digits", "87ff0c9e40dc7e2c0e34e7257799c2e3f3aec1a016363bb11cad869ec428a826"),
        ("mnist", "f642f0ec61278f552074d478c1af7b7104ae753fa064498415e08b542be485f7"),
        ("fashion-mnist", "9cc4b22791dc9552c62c98d722d725c3be34d8c05740b9216e8a4f5df302e7fd"),
        ("cifar10", "1395e5f3a28b78140bbb3de3b169963a63e33a578187690df883fc6a5a80bdae"),
    ],
)
def test_fingerprints_never_change(name, expected):
    """They are in the keys of everything trained: another spelling would make every record an orphan."""
    assert BUILT_IN[name].fingerprint(NOWHERE) == expected
