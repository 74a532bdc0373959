"""A suite on images that are read from files while networks train, with the files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

SUITE = """
schema = 1
name = "streamed"
version = "1"

[[matrix]]
name = "main"
architecture = "digits-convnet"
dataset = {name = "image-folder-stream", path = "leaves", size = 8}
recipe = {name = "digits", epochs = 2, batch = 16, augment = ["resized-crop", "flip"], last_batch = "drop"}
methods = [{method = "grasp", as = "grasp-chunks", scorer = {chunk = 5, device = "DEVICE"}}, "gradual-magnitude"]
sparsities = [0.5]
seeds = 1
measures = ["effective-density", "weights-remaining"]
"""


def write_streamed(project: Any, device: str = "cpu") -> Path:
    """Write two classes, 24 training and 5 test images of each, of several sizes; and the suite on them.

    device: that of GraSP's scores
    """
    rng = np.random.default_rng(0)
    for part, count in (("train", 24), ("test", 5)):
        for c, name in enumerate(("beech", "lime")):
            folder = project.folder / "data" / "leaves" / part / name
            folder.mkdir(parents=True)
            for k in range(count):
                size = (*rng.integers(9, 20, 2), 3)
                pixels = rng.integers(0, 128, size, dtype=np.uint8) + np.uint8(100 * c)
                Image.fromarray(pixels).save(folder / f"{k:02}.jpeg")
    path: Path = project.folder / "streamed.toml"
    path.write_text(SUITE.replace("DEVICE", device))
    return path
